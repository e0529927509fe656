/** What a group reads under the head lock: two round trips, and one per collection. */

import type { ClientSession, Db, Document } from 'mongodb';
import type {
  DocumentTrace,
  Receipt,
  ScopeHead,
  StoredDocument,
  Tombstone,
} from '../../core/ports/records.ts';
import { needsFloor } from '../../core/ports/group-rules.ts';
import type {
  DocumentKey,
  GroupLoad,
  GroupSnapshot,
  ParentRow,
  ReceiptKey,
} from '../../core/ports/store.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import { encodeId, type StoredContent } from './bson-codec.ts';
import {
  type EngineCollection,
  engineCollection,
  parentFrom,
  receiptFrom,
  tombstoneFrom,
  traceFilter,
  traceFrom,
} from './collections.ts';
import { type DeletePlaces, documentPlace, type InPlaceCollections } from './in-place.ts';
import { documentFrom } from './stored-documents.ts';

/** Id types by collection name. */
export type IdTypes = ReadonlyMap<string, IdType>;

/** A snapshot, and the stored number types of its documents by `documentPlace`. */
export interface LoadedGroup extends DeletePlaces {
  readonly snapshot: GroupSnapshot;
  readonly stored: ReadonlyMap<string, StoredContent>;
  /** The documents as they are stored, likewise. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

/** What a load needs; without a session each statement is one for itself. */
export interface LoadContext {
  readonly db: Db;
  readonly session?: ClientSession;
  readonly id_types: IdTypes;
  readonly in_place: InPlaceCollections;
}

/**
 * Loads what `load` names, in the session's transaction, one statement after the other. `now_ms` is
 * the time of the lock.
 */
export async function loadGroup(
  context: LoadContext,
  load: GroupLoad,
  locked: { readonly head: ScopeHead; readonly now_ms: number },
): Promise<LoadedGroup> {
  const { head, now_ms } = locked;
  const records = await loadRecords(context, load, head.scope_id);
  const documents: StoredDocument[] = [];
  const stored = new Map<string, StoredContent>();
  const bytes = new Map<string, Uint8Array>();
  for (const [collection, ids] of idsByCollection(load.documents)) {
    for (const found of await loadDocuments(context, collection, ids)) {
      documents.push(found.document);
      const { data } = found.document;
      const place = documentPlace(found.document);
      stored.set(place, { data, types: found.types });
      bytes.set(place, found.bytes);
    }
  }
  const found = { ...records, documents };
  const floor = needsFloor(load.documents, found)
    ? await loadFloor(context, head.scope_id)
    : undefined;
  const marked = documents.filter((one) => one.soft_deleted === true).map(documentPlace);
  return {
    snapshot: { head, now_ms, ...found, floor },
    stored,
    bytes,
    in_place: context.in_place,
    marked: new Set(marked),
  };
}

/** Ids by collection, each once. */
export function idsByCollection(keys: readonly DocumentKey[]): Map<string, Set<string>> {
  const wanted = new Map<string, Set<string>>();
  for (const { collection, doc_id } of keys) {
    const ids = wanted.get(collection) ?? new Set();
    wanted.set(collection, ids.add(doc_id));
  }
  return wanted;
}

/** A filter for receipts: one clause per identity, whatever the number of mutations. Null = no key. */
export function receiptFilter(keys: readonly ReceiptKey[]): Document | null {
  const clauses = new Map<string, { key: ReceiptKey; mutations: Set<string> }>();
  for (const key of keys) {
    const identity = JSON.stringify([key.scope_ids, key.actor_id, key.client_id]);
    const clause = clauses.get(identity) ?? { key, mutations: new Set() };
    clause.mutations.add(key.mutation_id);
    clauses.set(identity, clause);
  }
  return anyOf(
    [...clauses.values()].map(({ key, mutations }) => ({
      // Equality for the usual single scope: a planner may not use an index behind a leading $in.
      scope_id: key.scope_ids.length === 1 ? key.scope_ids[0] : { $in: [...key.scope_ids] },
      actor_id: key.actor_id,
      client_id: key.client_id,
      mutation_id: { $in: [...mutations] },
    })),
  );
}

interface LoadedRecords {
  readonly receipts: readonly Receipt[];
  readonly tombstones: readonly Tombstone[];
  readonly parents: readonly ParentRow[];
  readonly traces: readonly DocumentTrace[];
}

/** One kind of record to find. `filter` null = none is asked for. */
interface Branch {
  readonly kind: 'receipt' | 'tombstone' | 'parent' | 'trace';
  readonly from: EngineCollection;
  readonly filter: Document | null;
}

/** Receipts, tombstones and parent rows in one round trip; what nobody asked for is left out. */
async function loadRecords(
  { db, session }: LoadContext,
  load: GroupLoad,
  scope_id: string,
): Promise<LoadedRecords> {
  const branches: readonly Branch[] = [
    { kind: 'receipt', from: 'sync_receipts', filter: receiptFilter(load.receipts) },
    { kind: 'tombstone', from: 'sync_tombstones', filter: tombstoneFilter(load, scope_id) },
    { kind: 'parent', from: 'sync_oplog', filter: parentFilter(load, scope_id) },
    { kind: 'trace', from: 'sync_traces', filter: ownTraces(load, scope_id) },
  ];
  const [first, ...others] = branches.flatMap(({ kind, from, filter }) =>
    filter === null ? [] : { from, stages: stagesOf(kind, filter) },
  );
  if (first === undefined) return { receipts: [], tombstones: [], parents: [], traces: [] };
  const unions = others.map(({ from, stages }) => ({
    $unionWith: { coll: from, pipeline: stages },
  }));
  const traces = load.traces?.length ?? 0;
  const batchSize = load.receipts.length + 2 * load.documents.length + traces + 2;
  const found = await engineCollection(db, first.from)
    .aggregate<{ kind: string; record: Document }>([...first.stages, ...unions], {
      ...inSession(session),
      batchSize,
    })
    .toArray();
  const of = (kind: Branch['kind']): Document[] =>
    found.flatMap((one) => (one.kind === kind ? one.record : []));
  return {
    receipts: of('receipt').map(receiptFrom),
    tombstones: of('tombstone').map(tombstoneFrom),
    parents: of('parent').map(parentFrom),
    traces: of('trace').map(traceFrom),
  };
}

/** Rows are needed without their documents. */
function stagesOf(kind: Branch['kind'], filter: Document): Document[] {
  const fields = { collection: 1, doc_id: 1, change_version: 1 };
  return [
    { $match: filter },
    ...(kind === 'parent' ? [{ $project: fields }] : []),
    { $project: { _id: 0, kind, record: '$$ROOT' } },
  ];
}

function tombstoneFilter(load: GroupLoad, scope_id: string): Document | null {
  return anyOf(
    [...idsByCollection(load.documents)].map(([collection, ids]) => ({
      scope_id,
      collection,
      doc_id: { $in: [...ids] },
    })),
  );
}

function ownTraces({ traces = [] }: GroupLoad, scope_id: string): Document | null {
  const filter = traceFilter(traces);
  return filter && { scope_id, ...filter };
}

function parentFilter(load: GroupLoad, scope_id: string): Document | null {
  const versions = new Set(load.documents.flatMap(({ parent_version }) => parent_version ?? []));
  return versions.size === 0 ? null : { _id: { $in: [...versions] }, scope_id };
}

function anyOf(clauses: readonly Document[]): Document | null {
  const [first, ...others] = clauses;
  if (first === undefined) return null;
  return others.length === 0 ? first : { $or: [...clauses] };
}

/** Documents by id alone: the decision refuses another scope's. */
async function loadDocuments(context: LoadContext, collection: string, ids: ReadonlySet<string>) {
  const { db, session, id_types } = context;
  const type = idTypeOf(id_types, collection);
  const found = await db
    .collection(collection)
    .find<Uint8Array>({ _id: { $in: [...ids].map((id) => encodeId(id, type)) } } as Document, {
      ...inSession(session),
      raw: true,
      batchSize: ids.size + 1,
    })
    .toArray();
  return found.flatMap((bytes) => documentFrom(bytes, collection, type) ?? []);
}

async function loadFloor({ db, session }: LoadContext, scope_id: string): Promise<Hlc | null> {
  const [first] = await engineCollection(db, 'sync_oplog')
    .find(
      { scope_id },
      { ...inSession(session), sort: { seq: 1 }, limit: 1, projection: { _id: 1 } },
    )
    .toArray();
  return (first?._id as Hlc | undefined) ?? null;
}

function inSession(session: ClientSession | undefined): { readonly session?: ClientSession } {
  return session === undefined ? {} : { session };
}

/** Type of a collection's ids. The core names configured collections only. */
export function idTypeOf(id_types: IdTypes, collection: string): IdType {
  return id_types.get(collection) ?? 'string';
}
