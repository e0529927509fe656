/** The reads of one full resync page, in one causally consistent session. */

import {
  type AbstractCursor,
  BSON,
  type ClientSession,
  type Document,
  type FindOptions,
} from 'mongodb';
import type { ScopeHead } from '../../core/ports/records.ts';
import type { FullWalk, LineBatch, LineRange } from '../../core/ports/store.ts';
import { fullLine, tombstoneLine } from '../../protocol/full.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import { decodeId, encodeId } from './bson-codec.ts';
import { decodeRecord } from './bson-reader.ts';
import { engineCollection, headFrom, type StoredHead } from './collections.ts';
import { guarded } from './driver-errors.ts';
import { MARKED_DELETED, NOT_DELETED } from './in-place.ts';
import { type IdTypes, idTypeOf } from './mongo-load.ts';
import { documentFrom } from './stored-documents.ts';
import type { Connection } from './topology.ts';

/** One line and its id; undefined for a document that no client can name. */
interface Line {
  readonly id: string;
  readonly text: string;
}

/** Opens a walk over one scope. */
export function openWalk(
  { client, db }: Connection,
  scope_id: string,
  id_types: IdTypes,
): FullWalk {
  const session = client.startSession({ causalConsistency: true });
  return {
    head: () => guarded(readHead),
    documents: (range) => guarded(() => readDocuments(range)),
    tombstones: (range) => guarded(() => readTombstones(range)),
    close: () => guarded(() => session.endSession()),
  };

  async function readHead(): Promise<ScopeHead | null> {
    const found = await engineCollection<StoredHead>(db, 'sync_scopes').findOne(
      { _id: scope_id },
      { session },
    );
    return found && headFrom(found);
  }

  function readDocuments({ collection, after, limit }: LineRange): Promise<LineBatch> {
    const type = idTypeOf(id_types, collection);
    const filter = { _sync_scope_id: scope_id, _sync_version: { $exists: true }, ...NOT_DELETED };
    const options: FindOptions = { ...pageOptions(session, limit), sort: { _id: 1 }, raw: true };
    const lineOf = (bytes: Uint8Array): Line | undefined => {
      const document = documentFrom(bytes, collection, type)?.document;
      if (document === undefined) return undefined;
      const { doc_id, version, data } = document;
      return { id: doc_id, text: fullLine({ collection, doc_id, version: version as Hlc, data }) };
    };
    return readLines(idRange(after, type), async (_id) => {
      const cursor = db.collection(collection).find<Uint8Array>({ ...filter, _id }, options);
      const batch = await readBatch(cursor, limit, lineOf);
      return { ...batch, next: batch.last && { $gt: storedId(batch.last, '_id') } };
    });
  }

  function readTombstones({ collection, after, limit }: LineRange): Promise<LineBatch> {
    const type = idTypeOf(id_types, collection);
    const options = { session, batchSize: limit + 2, raw: true };
    return readLines(positionFrom(after, type), async ({ beside, marked }) => {
      const inPlace = markedStages({ scope_id, _id: marked }, limit);
      const cursor =
        beside === undefined
          ? db.collection(collection).aggregate<Uint8Array>(inPlace, options)
          : engineCollection(db, 'sync_tombstones').aggregate<Uint8Array>(
              [
                ...besideStages({ scope_id, collection, doc_id: beside }, limit),
                { $unionWith: { coll: collection, pipeline: inPlace } },
                // The order of a union is not promised.
                { $sort: { marked: 1, id: 1 } },
                { $limit: limit + 1 },
              ],
              options,
            );
      const batch = await readBatch(cursor, limit, (bytes) =>
        tombstoneLineOf(bytes, collection, type),
      );
      return { ...batch, next: batch.last && { marked: { $gt: storedId(batch.last, 'id') } } };
    });
  }
}

/**
 * Where a batch of tombstones starts: the range of ids in the records beside the collection (undefined when
 * they are behind), and in the marked documents.
 */
interface TombstonePosition {
  readonly beside?: Document;
  readonly marked: Document;
}

/** No id begins with it: ids hold no control characters. */
const MARKED_POSITION = '\u0000';

function positionFrom(after: string | null, type: IdType): TombstonePosition {
  if (after?.startsWith(MARKED_POSITION) === true) {
    return { marked: idRange(after.slice(MARKED_POSITION.length), type) };
  }
  return { beside: after === null ? {} : { $gt: after }, marked: idRange(null, type) };
}

/** The first `limit` records beside the collection, and one more to know that there are more. */
function besideStages(filter: Document, limit: number): Document[] {
  const { scope_id, collection, doc_id } = filter;
  const range = Object.keys(doc_id).length === 0 ? {} : { doc_id };
  return [
    { $match: { scope_id, collection, ...range } },
    { $sort: { doc_id: 1 } },
    { $limit: limit + 1 },
    { $project: { _id: 0, id: '$doc_id', version: 1, marked: { $literal: false } } },
  ];
}

/** The same of the marked documents, without their fields. */
function markedStages(
  { scope_id, _id }: { readonly scope_id: string; readonly _id: Document },
  limit: number,
): Document[] {
  const filter = { ...MARKED_DELETED, _sync_scope_id: scope_id, _sync_version: { $exists: true } };
  return [
    { $match: { ...filter, _id } },
    { $sort: { _id: 1 } },
    { $limit: limit + 1 },
    { $project: { _id: 0, id: '$_id', version: '$_sync_version', marked: { $literal: true } } },
  ];
}

function tombstoneLineOf(bytes: Uint8Array, collection: string, type: IdType): Line | undefined {
  const { id, version, marked } = decodeRecord(bytes);
  const doc_id = marked === true ? decodeId(id, type) : (id as string);
  if (doc_id === undefined) return undefined;
  const text = tombstoneLine(collection, doc_id, version as Hlc);
  return { id: marked === true ? `${MARKED_POSITION}${doc_id}` : doc_id, text };
}

function pageOptions(session: ClientSession, limit: number) {
  return { session, limit: limit + 1, batchSize: limit + 2 };
}

/**
 * Where the ids of a type start; a comparison with an id stays within its kind. Numbers start at the least
 * id, because nothing is greater than NaN, and UUIDs behind shorter bytes and older subtypes.
 */
const FIRST_OF: Readonly<Record<IdType, Document>> = {
  string: { $type: 'string' },
  objectid: { $type: 'objectId' },
  int: { $gte: encodeId(String(Number.MIN_SAFE_INTEGER), 'int') },
  uuid: { $gte: encodeId('00000000-0000-0000-0000-000000000000', 'uuid') },
};

function idRange(after: string | null, type: IdType): Document {
  return after === null ? FIRST_OF[type] : { $gt: encodeId(after, type) };
}

/** An id as it is stored, of whatever type. */
function storedId(bytes: Uint8Array, field: '_id' | 'id'): unknown {
  const options = { promoteValues: false, validation: { utf8: false } } as const;
  return BSON.deserialize(bytes, options)[field];
}

interface ReadBatch extends LineBatch {
  /** The last record of the batch, also when it makes no line. */
  readonly last: Uint8Array | undefined;
}

/** Reads on over records that no client can name, because a batch with more behind it has a line. */
async function readLines<P>(
  start: P,
  read: (from: P) => Promise<ReadBatch & { readonly next: P | undefined }>,
): Promise<LineBatch> {
  for (let from = start; ; ) {
    const { text, count, last_id, more, next } = await read(from);
    if (count > 0 || !more || next === undefined) return { text, count, last_id, more };
    from = next;
  }
}

/**
 * The first batch of a cursor and nothing more. It is shorter than asked for when 16 MB hold less;
 * then the server keeps the cursor open, and that is how it is told apart from the end.
 */
async function readBatch(
  cursor: AbstractCursor<Uint8Array>,
  limit: number,
  lineOf: (stored: Uint8Array) => Line | undefined,
): Promise<ReadBatch> {
  try {
    const found = (await cursor.hasNext()) ? cursor.readBufferedDocuments() : [];
    const kept = found.slice(0, limit);
    const lines = kept.flatMap((stored) => lineOf(stored) ?? []);
    return {
      text: lines.map((line) => `${line.text}\n`).join(''),
      count: lines.length,
      last_id: lines.at(-1)?.id ?? null,
      more: found.length > kept.length || isOpen(cursor),
      last: kept.at(-1),
    };
  } finally {
    await cursor.close();
  }
}

function isOpen(cursor: AbstractCursor<unknown>): boolean {
  return cursor.id !== undefined && !cursor.id.isZero();
}
