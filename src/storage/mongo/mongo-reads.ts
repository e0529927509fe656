/** Reads outside transactions: heads, rows, receipts and documents, all of one scope each. */

import type { Db, Document } from 'mongodb';
import type { Receipt, ScopeHead, StoredDocument } from '../../core/ports/records.ts';
import type {
  DocumentKey,
  OplogRead,
  ReceiptKey,
  RowPosition,
  RowRange,
} from '../../core/ports/store.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { openPullLine, type WireRow } from '../../protocol/pull.ts';
import { encodeId } from './bson-codec.ts';
import { decodeRecord } from './bson-reader.ts';
import { engineCollection, headFrom, receiptFrom, type StoredHead } from './collections.ts';
import { NOT_DELETED } from './in-place.ts';
import { idsByCollection, type IdTypes, idTypeOf, receiptFilter } from './mongo-load.ts';
import { documentFrom } from './stored-documents.ts';

/** How long the newest primary may take to confirm a head, ms. */
const CONFIRM_LIMIT_MS = 5_000;
/** Most scopes of one read of heads. */
const HEADS_PER_READ = 2_000;

/** Head and the place of the row `since`, in one round trip. */
export async function readScope(
  db: Db,
  scope_id: string,
  since: Hlc | null,
): Promise<{ head: ScopeHead | null; at: RowPosition | null }> {
  const lookup = {
    $lookup: {
      from: 'sync_oplog',
      pipeline: [{ $match: { _id: since, scope_id } }, { $project: { prev: 1, seq: 1 } }],
      as: 'at',
    },
  };
  const [found] = await engineCollection(db, 'sync_scopes')
    .aggregate<StoredHead>([{ $match: { _id: scope_id } }, ...(since === null ? [] : [lookup])])
    .toArray();
  if (found === undefined) return { head: null, at: null };
  const [row] = (found['at'] ?? []) as Document[];
  return { head: headFrom(found), at: row === undefined ? null : positionFrom(row) };
}

/** The head as the newest primary has it: a linearizable read, outside any session. */
export async function confirmHead(db: Db, scope_id: string): Promise<ScopeHead | null> {
  const found = await engineCollection<StoredHead>(db, 'sync_scopes').findOne(
    { _id: scope_id },
    { readConcern: 'linearizable', maxTimeMS: CONFIRM_LIMIT_MS },
  );
  return found && headFrom(found);
}

/** Heads of these scopes, part by part: a command has its largest size. */
export async function readHeads(
  db: Db,
  scope_ids: readonly string[],
): Promise<readonly ScopeHead[]> {
  const wanted = [...new Set(scope_ids)];
  const heads: ScopeHead[] = [];
  for (let start = 0; start < wanted.length; start += HEADS_PER_READ) {
    const part = wanted.slice(start, start + HEADS_PER_READ);
    const found = await engineCollection<StoredHead>(db, 'sync_scopes')
      .find({ _id: { $in: part } }, { batchSize: part.length + 1 })
      .toArray();
    heads.push(...found.map(headFrom));
  }
  return heads;
}

/** Scope ids in order. */
export async function listScopes(
  db: Db,
  after: string | null,
  limit: number,
): Promise<readonly string[]> {
  const found = await engineCollection(db, 'sync_scopes')
    .find(after === null ? {} : { _id: { $gt: after } }, {
      sort: { _id: 1 },
      limit,
      batchSize: limit + 1,
      projection: { _id: 1 },
    })
    .toArray();
  return found.map((scope) => scope._id);
}

/**
 * One batch: a cursor over several could be overtaken by the database's own expiry. The range has an
 * upper end, so that no planner sorts everything above its start; rows that were pruned below the
 * first retained one leave it empty, and then the end is left out. `last_seq` is the last row that may
 * be seen, when there can be others.
 */
export async function readRows(
  db: Db,
  range: RowRange,
  last_seq?: number,
): Promise<readonly OplogRead[]> {
  const { scope_id, after_seq, max_rows, max_bytes } = range;
  const read = (seq: Document) =>
    engineCollection(db, 'sync_oplog')
      .find<Uint8Array>(
        { scope_id, seq },
        { sort: { seq: 1 }, limit: max_rows, batchSize: max_rows, singleBatch: true, raw: true },
      )
      .toArray();
  const end = Math.min(after_seq + max_rows, last_seq ?? Number.POSITIVE_INFINITY);
  const bounded = await read({ $gt: after_seq, $lte: end });
  const rest = { $gt: after_seq, ...(last_seq === undefined ? {} : { $lte: last_seq }) };
  const found = bounded.length > 0 ? bounded : await read(rest);
  const rows: OplogRead[] = [];
  let bytes = 0;
  for (const stored of found) {
    const row = rowFrom(decodeRecord(stored));
    bytes += row.line.length;
    if (rows.length > 0 && bytes > max_bytes) break;
    rows.push(row);
  }
  return rows;
}

/** The first retained row of the scope, up to `last_seq` when there can be others. */
export async function firstRow(
  db: Db,
  scope_id: string,
  last_seq?: number,
): Promise<RowPosition | null> {
  const seen = last_seq === undefined ? {} : { seq: { $lte: last_seq } };
  const [row] = await engineCollection(db, 'sync_oplog')
    .find({ scope_id, ...seen }, { sort: { seq: 1 }, limit: 1, projection: { prev: 1, seq: 1 } })
    .toArray();
  return row === undefined ? null : positionFrom(row);
}

/** Receipts for these keys, each key over its own scopes. */
export async function findReceipts(
  db: Db,
  keys: readonly ReceiptKey[],
): Promise<readonly Receipt[]> {
  const filter = receiptFilter(keys);
  if (filter === null) return [];
  const found = await engineCollection(db, 'sync_receipts')
    .find(filter, { batchSize: keys.length + 1 })
    .toArray();
  return found.map(receiptFrom);
}

/** Current documents of the scope: those that have a version. */
export async function readDocuments(
  { db, id_types }: { readonly db: Db; readonly id_types: IdTypes },
  scope_id: string,
  keys: readonly DocumentKey[],
): Promise<readonly StoredDocument[]> {
  const documents: StoredDocument[] = [];
  for (const [collection, ids] of idsByCollection(keys)) {
    const type = idTypeOf(id_types, collection);
    const filter: Document = {
      _id: { $in: [...ids].map((id) => encodeId(id, type)) },
      _sync_scope_id: scope_id,
      _sync_version: { $exists: true },
      ...NOT_DELETED,
    };
    const found = await db
      .collection(collection)
      .find<Uint8Array>(filter, { raw: true, batchSize: ids.size + 1 })
      .toArray();
    for (const bytes of found) {
      const document = documentFrom(bytes, collection, type)?.document;
      if (document !== undefined) documents.push(document);
    }
  }
  return documents;
}

function positionFrom(row: Document): RowPosition {
  return { version: row['_id'], prev: row['prev'], seq: row['seq'] };
}

/** A stored row, as `decodeRecord` gives it. */
export function rowFrom({ _id, data_text, ...stored }: JsonObject): OplogRead {
  const text = typeof data_text === 'string' ? data_text : undefined;
  const row = { ...stored, version: _id } as unknown as WireRow & OplogRead;
  const { version, prev, seq, bundle_seq, ordinal, bundle_rows } = row;
  const { collection, doc_id, operation, origin } = row;
  return {
    ...{ version, prev, seq, bundle_seq, ordinal, bundle_rows },
    ...{ collection, doc_id, operation, origin, line: openPullLine(row, text) },
  };
}
