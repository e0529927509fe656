/** Turns a group's plan into the ordered list of its writes, and runs the list. */

import type {
  AnyBulkWriteOperation,
  AnyClientBulkWriteModel,
  ClientSession,
  Db,
  Document,
} from 'mongodb';
import type { Tombstone } from '../../core/ports/records.ts';
import type { ChangeRef, DocumentKey, DocumentWrite, GroupPlan } from '../../core/ports/store.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import {
  headFields,
  storedConflict,
  storedTrace,
  storedReceipt,
  storedTombstone,
} from './collections.ts';
import { type FailedWrite, failedWriteOf, guarded } from './driver-errors.ts';
import { fittingRow } from './foreign-rows.ts';
import { documentPlace, markWrite, tombstonesInPlace } from './in-place.ts';
import { type IdTypes, idTypeOf, type LoadedGroup } from './mongo-load.ts';
import {
  engineFields,
  fieldsBefore,
  guardFilter,
  RELEASE,
  storedDocument,
} from './stored-documents.ts';
import type { Connection } from './topology.ts';

/** One statement. `change` and `place` are set for documents, `version` for rows: what to blame when it fails. */
export interface PlannedWrite {
  readonly target: string;
  readonly operation:
    | { readonly insertOne: { readonly document: Document } }
    | {
        readonly updateOne: {
          readonly filter: Document;
          readonly update: Document;
          readonly upsert?: boolean;
        };
      }
    | { readonly deleteOne: { readonly filter: Document } }
    | {
        readonly replaceOne: {
          readonly filter: Document;
          readonly replacement: Document;
          readonly upsert: boolean;
        };
      };
  readonly change?: ChangeRef;
  /** Place of a document among the loaded ones. */
  readonly place?: string;
  /** `_id` of a document that must be new. */
  readonly inserted_id?: unknown;
  readonly version?: Hlc;
}

/** How many documents a batch found as it expected them. */
export interface WriteCounts {
  inserted: number;
  /** Matched or upserted. */
  updated: number;
  deleted: number;
}

/** What statements are sent with. */
export type Writer = Pick<Connection, 'client' | 'db' | 'clientBulkWrite'>;

/** A batch that failed in the part that starts at `offset`. */
class PartError extends Error {
  readonly offset: number;
  constructor(offset: number, cause: unknown) {
    super('a part of the batch failed', { cause });
    this.offset = offset;
  }
}

/** What `runWrites` threw: the driver's error, and the refused write when it was one. */
export function failureOf(thrown: unknown): {
  readonly error: unknown;
  readonly failed: FailedWrite | undefined;
} {
  const { offset, cause: error } =
    thrown instanceof PartError ? thrown : { offset: 0, cause: thrown };
  const failed = failedWriteOf(error);
  return { error, failed: failed && { ...failed, index: failed.index + offset } };
}

/** Whether the document or row that should have been new is there, seen from outside. */
export async function isThere(db: Db, write: PlannedWrite): Promise<boolean> {
  const _id = write.inserted_id ?? write.version;
  if (_id === undefined) return false;
  const found = await guarded(() =>
    db
      .collection(write.target)
      .findOne({ _id } as Document, { projection: { _id: 1 }, readConcern: 'local' }),
  );
  return found !== null;
}

/** The writes of a plan in their order: documents, tombstones, rows, receipts, conflicts, the head last. */
export function planWrites(
  plan: GroupPlan,
  loaded: LoadedGroup,
  id_types: IdTypes,
): readonly PlannedWrite[] {
  const work: DocumentWork = { plan, loaded, id_types, marks: tombstonesInPlace(plan, loaded) };
  return [
    ...documentWrites(work),
    ...tombstoneWrites(work),
    ...traceWrites(plan),
    ...plan.rows.map((row) =>
      insert('sync_oplog', fittingRow(row, plan), { version: row.version }),
    ),
    ...plan.receipts.map((receipt) => insert('sync_receipts', storedReceipt(receipt))),
    ...plan.conflicts.map((entry) =>
      replace('sync_conflicts', { _id: entry.conflict_id }, storedConflict(entry)),
    ),
    {
      target: 'sync_scopes',
      operation: {
        updateOne: { filter: { _id: plan.head.scope_id }, update: { $set: headFields(plan.head) } },
      },
    },
  ];
}

/**
 * Runs the list: one command where the server can, else one per collection. In the session's
 * transaction, or without a session each statement for itself.
 */
export async function runWrites(
  { client, db, clientBulkWrite }: Writer,
  session: ClientSession | undefined,
  writes: readonly PlannedWrite[],
): Promise<WriteCounts> {
  // The concern of the database is not the client's, and a transaction has its own.
  const within =
    session !== undefined ? { session } : db.writeConcern && { writeConcern: db.writeConcern };
  const options = { ...within, ordered: true };
  if (clientBulkWrite) {
    const result = await client.bulkWrite(
      writes.map((write) => clientModel(db.databaseName, write)),
      options,
    );
    return {
      inserted: result.insertedCount,
      updated: result.matchedCount + result.upsertedCount,
      deleted: result.deletedCount,
    };
  }
  const counts: WriteCounts = { inserted: 0, updated: 0, deleted: 0 };
  for (let offset = 0; offset < writes.length; ) {
    const { target } = writes[offset] as PlannedWrite;
    const end = writes.findIndex((write, i) => i > offset && write.target !== target);
    const part = writes.slice(offset, end < 0 ? writes.length : end);
    const operations = part.map((write) => write.operation as AnyBulkWriteOperation);
    try {
      const result = await db.collection(target).bulkWrite(operations, options);
      counts.inserted += result.insertedCount;
      counts.updated += result.matchedCount + result.upsertedCount;
      counts.deleted += result.deletedCount;
    } catch (error) {
      throw new PartError(offset, error);
    }
    offset += part.length;
  }
  return counts;
}

/** What the counts must be when every guard held. */
export function expectedCounts(writes: readonly PlannedWrite[]): WriteCounts {
  const counts: WriteCounts = { inserted: 0, updated: 0, deleted: 0 };
  for (const { operation } of writes) {
    if ('insertOne' in operation) counts.inserted += 1;
    else if ('deleteOne' in operation) counts.deleted += 1;
    else counts.updated += 1;
  }
  return counts;
}

/** What the writes of documents and tombstones are made from. `marks`: tombstones in place. */
interface DocumentWork {
  readonly plan: GroupPlan;
  readonly loaded: LoadedGroup;
  readonly id_types: IdTypes;
  readonly marks: ReadonlyMap<string, Tombstone>;
}

/**
 * Drops first, then replacements, then new documents: what frees a unique value comes before what
 * takes one. A server without the common bulk write then needs at most three commands per collection.
 */
function documentWrites(work: DocumentWork): PlannedWrite[] {
  const { documents } = work.plan;
  const collections = new Set(documents.map(collectionOf));
  return [...collections].flatMap((collection) => {
    const own = documents.filter((write) => collectionOf(write) === collection);
    const drops = own.filter((write) => write.kind !== 'put');
    const replaced = own.filter((write) => write.kind === 'put' && write.guard !== null);
    const inserted = own.filter((write) => write.kind === 'put' && write.guard === null);
    return [...drops, ...replaced, ...inserted].map((write) => documentWrite(write, work));
  });
}

function collectionOf(write: DocumentWrite): string {
  return write.kind === 'put' ? write.document.collection : write.collection;
}

function documentWrite(write: DocumentWrite, work: DocumentWork): PlannedWrite {
  const { loaded, id_types, plan, marks } = work;
  const target = collectionOf(write);
  const place = documentPlace(write.kind === 'put' ? write.document : write);
  const blame = { change: write.change, place };
  const type = idTypeOf(id_types, target);
  if (write.kind === 'drop') {
    const tombstone = marks.get(place);
    if (tombstone !== undefined) {
      const before = loaded.bytes.get(place);
      const updateOne = markWrite(write, tombstone, { type, plan, before });
      return { target, operation: { updateOne }, ...blame };
    }
    const filter = guardFilter(write, type, write.guard);
    return { target, operation: { deleteOne: { filter } }, ...blame };
  }
  if (write.kind === 'release') {
    const filter = guardFilter(write, type, write.guard);
    return { target, operation: { updateOne: { filter, update: RELEASE } }, ...blame };
  }
  const { document, guard } = write;
  if (guard === null) {
    const stored = storedDocument(document, type, undefined);
    return insert(target, stored, { ...blame, inserted_id: stored['_id'] });
  }
  if (write.as_stored === true) {
    const filter = guardFilter(document, type, guard);
    const before = write.guard?.hash === null ? fieldsBefore(loaded.bytes.get(place)) : {};
    const update = { $set: { ...engineFields(document), ...before } };
    return { target, operation: { updateOne: { filter, update } }, ...blame };
  }
  const stored = loaded.stored.get(place);
  // Without `_id`: it keeps the stored type, which for a number need not be the codec's.
  const { _id, ...replacement } = storedDocument(document, type, stored);
  const filter = guardFilter(document, type, guard);
  return { target, operation: { replaceOne: { filter, replacement, upsert: false } }, ...blame };
}

/** A dropped trace is kept as gone for a while, so that a count of writes never depends on it. */
function traceWrites({ traces }: GroupPlan): PlannedWrite[] {
  if (traces === undefined) return [];
  const write = (key: DocumentKey & { readonly scope_id: string }, update: Document) => {
    const { collection, doc_id, scope_id } = key;
    const filter = { collection, doc_id, scope_id };
    const operation = { updateOne: { filter, update, upsert: true } };
    return { target: 'sync_traces', operation } as PlannedWrite;
  };
  return [
    ...traces.drop.map((key) => write(key, { $currentDate: { gone_at: true } })),
    ...traces.put.map((trace) =>
      write(trace, { $set: storedTrace(trace), $unset: { gone_at: '' } }),
    ),
  ];
}

/** Only tombstones that are there are dropped, so that the count of deletions proves the guards. */
function tombstoneWrites({ plan, loaded, marks }: DocumentWork): PlannedWrite[] {
  const there = new Set(loaded.snapshot.tombstones.map(documentPlace));
  const dropped = [...plan.tombstones.drop, ...marks.values()];
  const drops = dropped.flatMap(({ scope_id, collection, doc_id }): PlannedWrite[] => {
    const filter = { scope_id, collection, doc_id };
    return there.has(documentPlace(filter))
      ? [{ target: 'sync_tombstones', operation: { deleteOne: { filter } } }]
      : [];
  });
  const beside = plan.tombstones.put.filter((tombstone) => !marks.has(documentPlace(tombstone)));
  const puts = beside.map((tombstone) => {
    const { scope_id, collection, doc_id } = tombstone;
    return replace('sync_tombstones', { scope_id, collection, doc_id }, storedTombstone(tombstone));
  });
  return [...drops, ...puts];
}

function insert(
  target: string,
  document: Document,
  blame: Pick<PlannedWrite, 'change' | 'place' | 'inserted_id' | 'version'> = {},
): PlannedWrite {
  return { target, operation: { insertOne: { document } }, ...blame };
}

function replace(target: string, filter: Document, replacement: Document): PlannedWrite {
  return { target, operation: { replaceOne: { filter, replacement, upsert: true } } };
}

function clientModel(
  database: string,
  { target, operation }: PlannedWrite,
): AnyClientBulkWriteModel<Document> {
  const namespace = `${database}.${target}`;
  if ('insertOne' in operation) return { name: 'insertOne', namespace, ...operation.insertOne };
  if ('updateOne' in operation) return { name: 'updateOne', namespace, ...operation.updateOne };
  if ('deleteOne' in operation) return { name: 'deleteOne', namespace, ...operation.deleteOne };
  return { name: 'replaceOne', namespace, ...operation.replaceOne };
}
