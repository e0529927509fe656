/** Names of the engine's collections, and how port records are stored in them. */

import { type Collection, type Db, type Document, Long } from 'mongodb';
import type {
  ConflictEntry,
  ConflictSide,
  DocumentTrace,
  OplogRow,
  Origin,
  Receipt,
  ScopeHead,
  StoredResult,
  Tombstone,
} from '../../core/ports/records.ts';
import type { DocumentKey, ParentRow } from '../../core/ports/store.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import { checkDocument, isDocumentFault } from '../../protocol/pure/extended-json.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { encodeDocument } from './bson-codec.ts';

/** Every engine collection that setup makes. */
export const ENGINE_COLLECTIONS = [
  'sync_meta',
  'sync_scopes',
  'sync_oplog',
  'sync_receipts',
  'sync_conflicts',
  'sync_tombstones',
  'sync_traces',
  'sync_redo',
  'sync_migrations',
  'sync_clients',
] as const;

/** Name of an engine collection. */
export type EngineCollection = (typeof ENGINE_COLLECTIONS)[number];

/** A stored record whose `_id` is text. */
export interface StoredRecord extends Document {
  _id: string;
}

/** A head with its lock. `touched` is the database's time at the last lock. */
export interface StoredHead extends StoredRecord {
  head_version: Hlc | '';
  head_seq: number;
  head_bundle_seq: number;
  hlc_p: number;
  hlc_c: number;
  lock: number;
  touched: Date;
  chain_start: Hlc | '';
  epoch: string | null;
}

/** An engine collection. */
export function engineCollection<T extends Document = StoredRecord>(
  db: Db,
  name: EngineCollection,
): Collection<T> {
  return db.collection<T>(name);
}

/** The head as the core sees it. */
export function headFrom(stored: StoredHead): ScopeHead {
  const { head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start } = stored;
  const scope_id = stored._id;
  return { scope_id, head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start };
}

/** The fields of a head that a group writes last. */
export function headFields(head: ScopeHead): Document {
  const { head_version, head_seq, head_bundle_seq, hlc_p, hlc_c } = head;
  return { head_version, head_seq, head_bundle_seq, hlc_p: Long.fromNumber(hlc_p), hlc_c };
}

/** A row for storage. The actor is written twice, because older readers know it as `user_id`. */
export function storedRow(row: OplogRow): StoredRecord {
  const { version, typed, data, timestamp_ms, actor_id, ...fields } = row;
  return {
    _id: version,
    ...fields,
    ...storedContent(typed ?? data, fields.origin),
    actor_id,
    user_id: actor_id,
    timestamp: new Date(timestamp_ms),
  };
}

/**
 * Content that the application wrote may hold what only its own document can: then the row keeps the
 * wire text, which is all that anybody reads from it [EJ-10].
 */
function storedContent(content: JsonObject | null, origin: Origin): Document {
  if (content === null) return { data: null };
  if (origin === 'push') return { data: encodeDocument(content) };
  const text = JSON.stringify(content);
  const checked = checkDocument(content);
  const encodes = !isDocumentFault(checked) && JSON.stringify(checked.data) === text;
  return encodes ? { data: encodeDocument(content) } : { data: null, data_text: text };
}

/** A receipt for storage. */
export function storedReceipt({ at_ms, ...receipt }: Receipt): Document {
  return { ...receipt, at: new Date(at_ms) };
}

/** A stored receipt as the core sees it. */
export function receiptFrom(stored: Document): Receipt {
  const { scope_id, actor_id, client_id, mutation_id, hash, collection, doc_id } = stored;
  return {
    ...{ scope_id, actor_id, client_id, mutation_id, hash, collection, doc_id },
    result: stored['result'] as StoredResult,
    at_ms: (stored['at'] as Date).getTime(),
  };
}

/** A tombstone for storage. */
export function storedTombstone({ at_ms, ...tombstone }: Tombstone): Document {
  return { ...tombstone, at: new Date(at_ms) };
}

/** A stored tombstone as the core sees it. */
export function tombstoneFrom(stored: Document): Tombstone {
  const { scope_id, collection, doc_id, version, change_version, client_id } = stored;
  return {
    ...{ scope_id, collection, doc_id, version, change_version, client_id },
    at_ms: (stored['at'] as Date).getTime(),
  };
}

/**
 * Finds the traces of documents, one clause per collection: equality before `$in`, because a planner may
 * not use an index behind a leading `$in`. A document has one trace per scope: that of a scope which has not
 * heard yet that it lost the document is the only witness of it.
 */
export function traceFilter(keys: readonly DocumentKey[]): Document | null {
  const clauses = new Map<string, string[]>();
  for (const { collection, doc_id } of keys) {
    const ids = clauses.get(collection);
    if (ids === undefined) clauses.set(collection, [doc_id]);
    else ids.push(doc_id);
  }
  const [first, ...others] = [...clauses].map(([collection, ids]) => ({
    collection,
    doc_id: { $in: ids },
    gone_at: null,
  }));
  if (first === undefined) return null;
  return others.length === 0 ? first : { $or: [first, ...others] };
}

/** A trace for storage. */
export function storedTrace({ scope_id, collection, doc_id, version }: DocumentTrace): Document {
  return { scope_id, collection, doc_id, version };
}

/** A stored trace as the core sees it. */
export function traceFrom({ scope_id, collection, doc_id, version }: Document): DocumentTrace {
  return { scope_id, collection, doc_id, version };
}

/** A stored row as the parent that a change names. */
export function parentFrom(stored: Document): ParentRow {
  const { _id, collection, doc_id, change_version } = stored;
  return { version: _id, collection, doc_id, change_version };
}

/** A conflict for storage, without its id. */
export function storedConflict({ conflict_id, at_ms, local, remote, ...entry }: ConflictEntry) {
  return { ...entry, local: storedSide(local), remote: storedSide(remote), at: new Date(at_ms) };
}

function storedSide(side: ConflictSide): Document {
  return { ...side, data: side.data && encodeDocument(side.data) };
}
