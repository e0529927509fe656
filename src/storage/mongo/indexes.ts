/** The indexes the store needs, as data, and how a found one compares with a wanted one. */

import type { Document } from 'mongodb';
import type { WantedLayout } from '../../core/ports/store.ts';

/** Ascending fields, in order. */
export type IndexKey = Readonly<Record<string, 1>>;

/** One wanted index. `ttl_seconds` 0 = rows stay for ever: such an index must not be there. */
export interface WantedIndex {
  readonly collection: string;
  readonly name: string;
  readonly key: IndexKey;
  readonly unique: boolean;
  readonly ttl_seconds?: number;
  /** Only documents that hold these values are in the index. */
  readonly partial?: Readonly<Record<string, boolean>>;
}

/** How a wanted index stands. */
export type IndexFinding =
  | { readonly kind: 'present' | 'create' | 'set_ttl' | 'drop' }
  | { readonly kind: 'blocked'; readonly reason: string };

/** Every index of the layout. */
export function wantedIndexes(wanted: WantedLayout): readonly WantedIndex[] {
  return [
    unique('sync_oplog', 'sync_scope_seq', { scope_id: 1, seq: 1 }),
    expiry('sync_oplog', 'timestamp', wanted.oplog_ttl_seconds),
    unique('sync_receipts', 'sync_mutation', MUTATION_KEY),
    expiry('sync_receipts', 'at', wanted.receipt_ttl_seconds),
    plain('sync_conflicts', 'sync_scope_at', { scope_id: 1, at: 1 }),
    expiry('sync_conflicts', 'at', wanted.conflict_ttl_seconds),
    unique('sync_tombstones', 'sync_document', { scope_id: 1, collection: 1, doc_id: 1 }),
    expiry('sync_tombstones', 'at', wanted.tombstone_ttl_seconds),
    unique('sync_traces', 'sync_document', { collection: 1, doc_id: 1, scope_id: 1 }),
    expiry('sync_traces', 'gone_at', wanted.receipt_ttl_seconds),
    ...wanted.collections.flatMap(({ name }) => [
      plain(name, 'sync_scope_id', { _sync_scope_id: 1, _id: 1 }),
      plain(name, 'sync_version', { _sync_version: 1 }),
      marked(name, 'sync_deleted', { _sync_deleted: 1, _sync_scope_id: 1, _id: 1 }),
    ]),
  ];
}

/** Compares a wanted index with the collection's found ones (as `listIndexes` shows them). */
export function compareIndex(wanted: WantedIndex, found: readonly Document[]): IndexFinding {
  const there = found.find(
    (one) => one['name'] === wanted.name || sameKey(one['key'] as Document, wanted.key),
  );
  const expires = wanted.ttl_seconds !== undefined;
  if (there === undefined) return { kind: wanted.ttl_seconds === 0 ? 'present' : 'create' };
  const reason = differenceOf(wanted, there);
  if (reason !== undefined) return { kind: 'blocked', reason };
  if (!expires || there['expireAfterSeconds'] === wanted.ttl_seconds) return { kind: 'present' };
  return { kind: wanted.ttl_seconds === 0 ? 'drop' : 'set_ttl' };
}

function differenceOf(wanted: WantedIndex, there: Document): string | undefined {
  const name = JSON.stringify(there['name']);
  if (!sameKey(there['key'] as Document, wanted.key)) {
    return `an index named ${name} has another key; drop or rename it`;
  }
  if ((there['unique'] === true) !== wanted.unique) {
    return `index ${name} has the wanted key and is ${wanted.unique ? 'not ' : ''}unique; drop it`;
  }
  if (there['sparse'] || there['collation']) {
    return `index ${name} has the wanted key and is sparse or has a collation; drop it`;
  }
  const found = JSON.stringify(there['partialFilterExpression']);
  if (found !== JSON.stringify(wanted.partial)) {
    const state = found === undefined ? 'not partial' : `partial with the filter ${found}`;
    return `index ${name} has the wanted key and is ${state}; drop it`;
  }
  if ((wanted.ttl_seconds === undefined) !== (there['expireAfterSeconds'] === undefined)) {
    const state = wanted.ttl_seconds === undefined ? 'expires documents' : 'does not expire rows';
    return `index ${name} has the wanted key and ${state}; drop it`;
  }
  return undefined;
}

/** Keys in order, because the order of an index's fields is part of what it is. */
function sameKey(a: Document, b: Document): boolean {
  const text = (key: Document): string =>
    JSON.stringify(Object.entries(key).map(([field, order]) => [field, Number(order)]));
  return text(a) === text(b);
}

const MUTATION_KEY: IndexKey = { scope_id: 1, actor_id: 1, client_id: 1, mutation_id: 1 };

function plain(collection: string, name: string, key: IndexKey): WantedIndex {
  return { collection, name, key, unique: false };
}

/** An index of marked documents alone: it costs nothing where nobody deletes in place. */
function marked(collection: string, name: string, key: IndexKey): WantedIndex {
  return { ...plain(collection, name, key), partial: { _sync_deleted: true } };
}

function unique(collection: string, name: string, key: IndexKey): WantedIndex {
  return { collection, name, key, unique: true };
}

function expiry(collection: string, field: string, ttl_seconds: number): WantedIndex {
  const key: IndexKey = { [field]: 1 };
  return { collection, name: 'sync_expiry', key, unique: false, ttl_seconds };
}
