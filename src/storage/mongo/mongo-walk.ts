/** The reads of one full resync page, in one causally consistent session. */

import type { ClientSession, Document, FindCursor, FindOptions } from 'mongodb';
import type { ScopeHead } from '../../core/ports/records.ts';
import type { FullWalk, LineBatch, LineRange } from '../../core/ports/store.ts';
import { fullLine, tombstoneLine } from '../../protocol/full.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { encodeId } from './bson-codec.ts';
import { engineCollection, headFrom, type StoredHead, tombstoneFrom } from './collections.ts';
import { guarded } from './driver-errors.ts';
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
    const filter: Document = {
      _sync_scope_id: scope_id,
      _sync_version: { $exists: true },
      ...(after === null ? {} : { _id: { $gt: encodeId(after, type) } }),
    };
    const options: FindOptions = { ...pageOptions(session, limit), sort: { _id: 1 }, raw: true };
    const cursor = db.collection(collection).find<Uint8Array>(filter, options);
    return readBatch(cursor, limit, (bytes) => {
      const document = documentFrom(bytes, collection, type)?.document;
      if (document === undefined) return undefined;
      const { doc_id, version, data } = document;
      return { id: doc_id, text: fullLine({ collection, doc_id, version: version as Hlc, data }) };
    });
  }

  function readTombstones({ collection, after, limit }: LineRange): Promise<LineBatch> {
    const filter: Document = {
      scope_id,
      collection,
      ...(after === null ? {} : { doc_id: { $gt: after } }),
    };
    const cursor = engineCollection<Document>(db, 'sync_tombstones').find<Document>(filter, {
      ...pageOptions(session, limit),
      sort: { doc_id: 1 },
    });
    return readBatch(cursor, limit, (stored) => {
      const { doc_id, version } = tombstoneFrom(stored);
      return { id: doc_id, text: tombstoneLine(collection, doc_id, version) };
    });
  }
}

function pageOptions(session: ClientSession, limit: number) {
  return { session, limit: limit + 1, batchSize: limit + 2 };
}

/**
 * The first batch of a cursor and nothing more. It is shorter than asked for when 16 MB hold less;
 * then the server keeps the cursor open, and that is how it is told apart from the end.
 */
async function readBatch<T>(
  cursor: FindCursor<T>,
  limit: number,
  lineOf: (stored: T) => Line | undefined,
): Promise<LineBatch> {
  try {
    const found = (await cursor.hasNext()) ? cursor.readBufferedDocuments() : [];
    const kept = found.slice(0, limit);
    const lines = kept.flatMap((stored) => lineOf(stored) ?? []);
    const more = found.length > kept.length || isOpen(cursor);
    return {
      text: lines.map((line) => `${line.text}\n`).join(''),
      count: lines.length,
      last_id: lines.at(-1)?.id ?? null,
      more,
    };
  } finally {
    await cursor.close();
  }
}

function isOpen(cursor: FindCursor<unknown>): boolean {
  return cursor.id !== undefined && !cursor.id.isZero();
}
