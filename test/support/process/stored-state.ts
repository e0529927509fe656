/** What is in a store, read without the engine: plain SQL, or the plain driver. */

import path from 'node:path';
import { type Document, MongoClient, ReadConcern } from 'mongodb';
import { sqliteDriver } from '../../../src/storage/embedded/sqlite-driver.ts';

/** A row of the log. */
export interface StoredRow {
  readonly version: string;
  readonly scope_id: string;
  readonly seq: number;
  readonly prev: string;
  readonly bundle_seq: number;
  readonly ordinal: number;
  readonly bundle_rows: number;
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly data: unknown;
  readonly client_id: string;
  readonly mutation_id: string;
  readonly origin?: string;
}

/** A head. */
export interface StoredHead {
  readonly scope_id: string;
  readonly head_version: string;
  readonly head_seq: number;
  readonly head_bundle_seq: number;
}

/** A current document. */
export interface StoredDocument {
  readonly scope_id: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly version: string;
  readonly data: unknown;
}

/** Everything that the oracle looks at. */
export interface StoredState {
  readonly heads: readonly StoredHead[];
  /** In `seq` order per scope. */
  readonly rows: readonly StoredRow[];
  readonly documents: readonly StoredDocument[];
  /** Mutation ids with a stored answer, one entry per record. */
  readonly receipts: readonly string[];
  /** Mutation ids of the edits that met a conflict. */
  readonly conflicts: readonly string[];
}

const ROWS = `SELECT version, scope_id, seq, prev, bundle_seq, ordinal, bundle_rows, collection,
  doc_id, operation, line FROM sync_oplog ORDER BY scope_id, seq`;

type SqlRow = Omit<StoredRow, 'data' | 'client_id' | 'mutation_id'> & { readonly line: string };

/** Reads the database file of a folder, also beside a running server. */
export async function readEmbedded(data_dir: string): Promise<StoredState> {
  const driver = await sqliteDriver();
  const database = driver.open(path.join(data_dir, 'data.db'), { readOnly: true, timeout: 5_000 });
  try {
    const all = <T>(sql: string): T[] => database.prepare(sql).all() as T[];
    database.exec('BEGIN');
    return {
      heads: all<StoredHead>(
        'SELECT scope_id, head_version, head_seq, head_bundle_seq FROM sync_scopes',
      ),
      rows: all<SqlRow>(ROWS).map(({ line, ...row }) => {
        // A row's wire text is stored without its closing brace.
        const { data, client_id, mutation_id } = JSON.parse(`${line}}`) as StoredRow;
        return { ...row, data, client_id, mutation_id };
      }),
      documents: all<{ scope_id: string; line: string }>(
        'SELECT scope_id, line FROM sync_documents',
      ).map(({ scope_id, line }) => ({ ...(JSON.parse(line) as StoredDocument), scope_id })),
      receipts: all<{ mutation_id: string }>('SELECT mutation_id FROM sync_receipts').map(
        (receipt) => receipt.mutation_id,
      ),
      conflicts: all<{ entry: string }>('SELECT entry FROM sync_conflicts').map(
        ({ entry }) => (JSON.parse(entry) as { mutation_id: string }).mutation_id,
      ),
    };
  } finally {
    database.close();
  }
}

/** What SQLite finds wrong with a database file; "ok" when nothing is. */
export async function checkIntegrity(data_dir: string): Promise<string> {
  const driver = await sqliteDriver();
  const database = driver.open(path.join(data_dir, 'data.db'), { readOnly: true, timeout: 5_000 });
  try {
    const found = database.prepare('PRAGMA integrity_check').all();
    return (found as { integrity_check: string }[]).map((one) => one.integrity_check).join('; ');
  } finally {
    database.close();
  }
}

/** Reads a database with the plain driver. Documents hold JSON values only in these tests. */
export async function readMongo(
  uri: string,
  name: string,
  collections: readonly string[],
): Promise<StoredState> {
  const client = new MongoClient(uri);
  try {
    const db = client.db(name, { readConcern: new ReadConcern('majority') });
    const all = (collection: string): Promise<Document[]> =>
      db.collection(collection).find().toArray();
    const heads = (await all('sync_scopes')).map(({ _id, ...head }) => ({
      ...(head as Omit<StoredHead, 'scope_id'>),
      scope_id: String(_id),
    }));
    const rows = (await all('sync_oplog'))
      .map(({ _id, ...row }) => ({ ...(row as Omit<StoredRow, 'version'>), version: String(_id) }))
      .sort((a, b) => compare(a.scope_id, b.scope_id) || a.seq - b.seq);
    const documents = await Promise.all(
      collections.map(async (collection) =>
        (await all(collection)).map((stored) => documentOf(collection, stored)),
      ),
    );
    const mutationsIn = async (collection: string): Promise<string[]> =>
      (await all(collection)).map((one) => String(one['mutation_id']));
    const receipts = await mutationsIn('sync_receipts');
    const conflicts = await mutationsIn('sync_conflicts');
    return { heads, rows, documents: documents.flat(), receipts, conflicts };
  } finally {
    await client.close();
  }
}

function documentOf(collection: string, stored: Document): StoredDocument {
  const { _id, _sync_scope_id, _sync_version, ...fields } = stored;
  const own = Object.entries(fields).filter(([key]) => !key.startsWith('_sync_'));
  return {
    collection,
    doc_id: String(_id),
    scope_id: String(_sync_scope_id),
    version: String(_sync_version),
    data: Object.fromEntries(own),
  };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
