/** The port to documents that other programs write, on MongoDB: scans, looks and records. */

import { BSON, type Document, type FindCursor } from 'mongodb';
import type {
  ForeignStore,
  FoundDocument,
  MigrationRecord,
  ScanBatch,
  ScannedDocument,
} from '../../core/ports/foreign.ts';
import type { DocumentTrace } from '../../core/ports/records.ts';
import { type DocumentKey, StoreError } from '../../core/ports/store.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import { encodeId } from './bson-codec.ts';
import { engineCollection, traceFilter, traceFrom } from './collections.ts';
import { guarded, isCursorLost, toStoreError } from './driver-errors.ts';
import { openFeed, readFeedPlace, saveFeedToken } from './foreign-feed.ts';
import { idKindOf } from './id-kind.ts';
import { acquireLease, type LeaseContext } from './migration-lease.ts';
import { idsByCollection, type IdTypes, idTypeOf } from './mongo-load.ts';
import { documentFrom } from './stored-documents.ts';

/** What the port works with. */
export interface ForeignContext extends LeaseContext {
  readonly id_types: IdTypes;
}

/** Most traces that one look asks for at a time. */
const LOOK_MAX = 1_000;

/** The port over an open connection. */
export function createForeignStore(context: ForeignContext): ForeignStore {
  const { db } = context.connection;
  const { id_types } = context;
  return {
    scan: (collection, options) => scan(context, collection, options),
    scanTraces: (collection, batch_size) => scanTraces(context, collection, batch_size),
    count: (collection) => guarded(() => db.collection(collection).estimatedDocumentCount()),
    findDocuments: (keys) => findDocuments(context, keys),
    findTraces: (keys) => guarded(() => findTraces(context, keys)),
    openFeed: (collections, token) => openFeed({ db, id_types }, collections, token),
    readFeedPlace: (collections) => guarded(() => readFeedPlace(db, collections)),
    saveFeedToken: (collections, token) => guarded(() => saveFeedToken(db, collections, token)),
    readMigration: (collection) => guarded(() => readMigration(context, collection)),
    writeMigration: (record) => guarded(() => writeMigration(context, record)),
    acquireLease: () => guarded(() => acquireLease(context)),
  };
}

/**
 * One pass in `_id` order. The cursor is held open, because a page per query would let some planners
 * sort the rest of the collection each time; one that was lost is opened again behind the last
 * document. Ids of every type are seen: `$expr` compares across types where `$gt` would not.
 */
async function* scan(
  { connection, id_types }: ForeignContext,
  collection: string,
  options: { readonly position: string | null; readonly batch_size: number },
): AsyncGenerator<ScanBatch> {
  const type = idTypeOf(id_types, collection);
  const open = (after: string | null): FindCursor<Uint8Array> =>
    connection.db.collection(collection).find<Uint8Array>(behind(after), {
      raw: true,
      sort: { _id: 1 },
      batchSize: options.batch_size,
      allowDiskUse: true,
    });
  let { position } = options;
  let cursor = open(position);
  try {
    for (;;) {
      const found = await nextBatch(cursor, options.batch_size);
      if (found === 'lost') {
        await cursor.close().catch(() => undefined);
        cursor = open(position);
        continue;
      }
      if (found.length === 0) return;
      position = positionOf(found.at(-1) as Uint8Array);
      yield { documents: found.map((bytes) => scanned(bytes, collection, type)), position };
    }
  } finally {
    await cursor.close().catch(() => undefined);
  }
}

async function nextBatch<T>(cursor: FindCursor<T>, most: number): Promise<readonly T[] | 'lost'> {
  try {
    return (await cursor.hasNext()) ? cursor.readBufferedDocuments(most) : [];
  } catch (error) {
    if (isCursorLost(error)) return 'lost';
    return guarded(() => Promise.reject(error));
  }
}

function behind(position: string | null): Document {
  if (position === null) return {};
  const { _id } = BSON.EJSON.parse(position, { relaxed: false }) as Document;
  return { $expr: { $gt: ['$_id', { $literal: _id }] } };
}

function positionOf(bytes: Uint8Array): string {
  // The rest of the document may hold text that is no UTF-8, and must not be in the way.
  const options = { promoteValues: false, validation: { utf8: false } } as const;
  const { _id } = BSON.deserialize(bytes, options);
  return BSON.EJSON.stringify({ _id }, { relaxed: false });
}

function scanned(bytes: Uint8Array, collection: string, type: IdType): ScannedDocument {
  const found = documentFrom(bytes, collection, type);
  const id_kind = found === undefined ? idKindOf(bytes, type) : type;
  return { id_kind, bytes: bytes.length, document: found?.document ?? null };
}

async function* scanTraces(
  { connection }: ForeignContext,
  collection: string,
  batch_size: number,
): AsyncGenerator<readonly DocumentTrace[]> {
  const filter = { collection, gone_at: null };
  const traces = engineCollection<Document>(connection.db, 'sync_traces');
  const cursor = traces.find(filter, { batchSize: batch_size });
  try {
    for (;;) {
      const found = await nextBatch(cursor, batch_size);
      // A deletion has no other witness: what was not read must not pass for compared.
      if (found === 'lost') throw new StoreError('unavailable', 'a scan was cut off');
      if (found.length === 0) return;
      yield found.map(traceFrom);
    }
  } finally {
    await cursor.close().catch(() => undefined);
  }
}

/** The server splits a batch at its own limit, so that never more than that is held. */
async function* findDocuments(
  { connection, id_types }: ForeignContext,
  keys: readonly DocumentKey[],
): AsyncGenerator<FoundDocument> {
  for (const [collection, ids] of idsByCollection(keys)) {
    const type = idTypeOf(id_types, collection);
    const filter = { _id: { $in: [...ids].map((id) => encodeId(id, type)) } } as Document;
    const cursor = connection.db
      .collection(collection)
      .find<Uint8Array>(filter, { raw: true, batchSize: ids.size + 1 });
    try {
      for await (const bytes of cursor) {
        const found = documentFrom(bytes, collection, type);
        if (found !== undefined) yield { document: found.document, bytes: bytes.length };
      }
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

async function findTraces(
  { connection }: ForeignContext,
  keys: readonly DocumentKey[],
): Promise<readonly DocumentTrace[]> {
  const traces = engineCollection<Document>(connection.db, 'sync_traces');
  const found: DocumentTrace[] = [];
  for (let at = 0; at < keys.length; at += LOOK_MAX) {
    const part = keys.slice(at, at + LOOK_MAX);
    const stored = await traces
      .find(traceFilter(part) ?? {}, { batchSize: part.length + 1 })
      .toArray();
    found.push(...stored.map(traceFrom));
  }
  return found;
}

async function readMigration(
  { connection }: ForeignContext,
  collection: string,
): Promise<MigrationRecord | null> {
  const found = await engineCollection(connection.db, 'sync_migrations').findOne({
    _id: `collection:${collection}`,
  });
  if (found === null) return null;
  const { run, state, position, counts, started_ms } = found;
  return { collection, run, state, position, counts, started_ms };
}

async function writeMigration({ connection }: ForeignContext, record: MigrationRecord) {
  const { collection, ...fields } = record;
  await engineCollection(connection.db, 'sync_migrations').updateOne(
    { _id: `collection:${collection}` },
    { $set: fields, $currentDate: { at: true } },
    { upsert: true },
  );
}
