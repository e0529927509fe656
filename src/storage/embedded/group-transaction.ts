/**
 * One group on the writer's connection: load under the write lock, then write the plan and commit.
 * Nothing is kept between groups: the head is read in each transaction, because a failed commit
 * leaves the database where it was.
 */

import { needsFloor } from '../../core/ports/group-rules.ts';
import { type Hlc, parseHlc } from '../../protocol/pure/hlc.ts';
import type { Connection } from './connection.ts';
import type { HeadRow, LoadedMessage, LoadMessage, PlanMessage, Row } from './messages.ts';
import { findReceiptRows } from './reads.ts';
import { asStoreError, isBusy, isInputOutput } from './sqlite-failure.ts';
import { StoreError } from '../../core/ports/store.ts';

/** Nothing was written; the database changed under the plan, or another process was faster. */
export class RetryError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'RetryError';
  }
}

/** The commit failed in the file system: what is on disk is unknown, so writing must stop. */
export class FatalError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'FatalError';
  }
}

/**
 * Opens the transaction and reads what the group names. The lock counter changes first, as on every
 * store, so that a head is never read without being written [ST-1]. Throws `RetryError` when another
 * process holds the write lock; any other failure leaves no open transaction.
 */
export function loadGroup(connection: Connection, load: LoadMessage): LoadedMessage {
  try {
    connection.exec('BEGIN IMMEDIATE');
    const head = lockHead(connection, load.scope_id);
    const receipts = findReceiptRows(connection, load.receipts);
    return { head, receipts, ...loadDocuments(connection, load) };
  } catch (error) {
    closeAfterError(connection, error);
    throw isBusy(error)
      ? new RetryError('Another process holds the write lock.', { cause: error })
      : asStoreError(error);
  }
}

/**
 * Writes the plan in the open transaction and commits it; the head comes last. On any failure the
 * transaction is closed, also where SQLite did that itself (a full disk). Throws `RetryError` when
 * a guard or a receipt does not fit, `StoreError` `version_taken`, or `FatalError`.
 */
export function writeGroup(connection: Connection, scope_id: string, plan: PlanMessage): void {
  try {
    writeDocuments(connection, plan);
    writeLog(connection, plan);
    connection.run(WRITE_HEAD, [...plan.head, scope_id]);
    commit(connection);
  } catch (error) {
    closeAfterError(connection, error);
    throw asStoreError(error);
  }
}

function commit(connection: Connection): void {
  try {
    connection.exec('COMMIT');
  } catch (error) {
    if (!isInputOutput(error)) throw error;
    throw new FatalError('Committing to the database file failed.', { cause: error });
  }
}

/** A failed rollback must not hide the first error; the connection is of no use then either way. */
function closeAfterError(connection: Connection, error: unknown): void {
  try {
    connection.rollback();
  } catch (cause) {
    if (error instanceof FatalError) return;
    throw new FatalError('A transaction could not be closed.', { cause });
  }
}

const LOCK_HEAD = `INSERT INTO sync_scopes
  (scope_id, head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start, lock)
  VALUES (?, '', 0, 0, 0, 0, '', 1)
  ON CONFLICT (scope_id) DO UPDATE SET lock = lock + 1
  RETURNING head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start, lock`;
const NEWEST_ROW = `SELECT version, seq, bundle_seq FROM sync_oplog
  WHERE scope_id = ? ORDER BY seq DESC LIMIT 1`;
const WRITE_HEAD = `UPDATE sync_scopes SET head_version = ?, head_seq = ?, head_bundle_seq = ?,
  hlc_p = ?, hlc_c = ?, chain_start = ? WHERE scope_id = ?`;

/** A new head continues from the newest row of its scope, if there is one. */
function lockHead(connection: Connection, scope_id: string): HeadRow {
  const locked = connection.all<[...HeadRow, number]>(LOCK_HEAD, [scope_id])[0];
  if (locked === undefined) throw new StoreError('failed', 'The head of a scope was not written.');
  const [version, seq, bundle_seq, p, c, chain_start, lock] = locked;
  if (lock > 1) return [version, seq, bundle_seq, p, c, chain_start];
  const newest = connection.first<[Hlc, number, number]>(NEWEST_ROW, [scope_id]);
  if (newest === undefined) return ['', 0, 0, 0, 0, ''];
  const parts = parseHlc(newest[0]);
  return [...newest, parts?.p ?? 0, parts?.c ?? 0, ''];
}

const LOAD_DOCUMENT = `SELECT collection, doc_id, scope_id, version, change_version, hash, actor_id,
  client_id, line FROM sync_documents WHERE collection = ? AND doc_id = ?`;
const LOAD_TOMBSTONE = `SELECT scope_id, collection, doc_id, version, change_version, client_id,
  at_ms FROM sync_tombstones WHERE scope_id = ? AND collection = ? AND doc_id = ?`;
const LOAD_PARENT = `SELECT version, collection, doc_id, change_version FROM sync_oplog
  WHERE version = ? AND scope_id = ?`;
const LOAD_FLOOR = `SELECT version FROM sync_oplog WHERE scope_id = ? ORDER BY seq LIMIT 1`;

function loadDocuments(
  connection: Connection,
  { scope_id, documents: wanted }: LoadMessage,
): Pick<LoadedMessage, 'documents' | 'tombstones' | 'parents' | 'floor'> {
  const documents: Row[] = [];
  const tombstones: Row[] = [];
  const parents: Row[] = [];
  const seen = new Set<string>();
  const asked = new Set<string>();
  for (const [collection, doc_id, parent] of wanted) {
    const key = `${collection}\u0000${doc_id}`;
    if (!seen.has(key)) {
      seen.add(key);
      pushFound(documents, connection.first(LOAD_DOCUMENT, [collection, doc_id]));
      pushFound(tombstones, connection.first(LOAD_TOMBSTONE, [scope_id, collection, doc_id]));
    }
    if (parent !== null && !asked.has(parent)) {
      asked.add(parent);
      pushFound(parents, connection.first(LOAD_PARENT, [parent, scope_id]));
    }
  }
  const floor = floorIsNeeded(wanted, { documents, tombstones, parents })
    ? (connection.first<[string]>(LOAD_FLOOR, [scope_id])?.[0] ?? null)
    : undefined;
  return { documents, tombstones, parents, floor };
}

function pushFound(found: Row[], row: Row | undefined): void {
  if (row !== undefined) found.push(row);
}

function floorIsNeeded(
  wanted: LoadMessage['documents'],
  found: Pick<LoadedMessage, 'documents' | 'tombstones' | 'parents'>,
): boolean {
  if (wanted.every(([, , parent]) => parent === null)) return false;
  const keys = wanted.map(([collection, doc_id, parent_version]) => ({
    collection,
    doc_id,
    parent_version,
  }));
  const { documents, tombstones, parents } = found;
  return needsFloor(
    keys as Parameters<typeof needsFloor>[0],
    {
      documents: documents.map(([collection, doc_id]) => ({ collection, doc_id })),
      tombstones: tombstones.map(([, collection, doc_id]) => ({ collection, doc_id })),
      parents: parents.map(([version, collection, doc_id]) => ({ version, collection, doc_id })),
    } as unknown as Parameters<typeof needsFloor>[1],
  );
}

const INSERT_DOCUMENT = `INSERT INTO sync_documents
  (collection, doc_id, scope_id, version, change_version, hash, actor_id, client_id, line)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (collection, doc_id) DO NOTHING`;
const UPDATE_DOCUMENT = `UPDATE sync_documents SET version = ?, change_version = ?, hash = ?,
  actor_id = ?, client_id = ?, line = ?
  WHERE collection = ? AND doc_id = ? AND scope_id = ? AND version IS ? AND hash IS ?`;
const DELETE_DOCUMENT = `DELETE FROM sync_documents
  WHERE collection = ? AND doc_id = ? AND scope_id = ? AND version IS ? AND hash IS ?`;
const PUT_TOMBSTONE = `INSERT OR REPLACE INTO sync_tombstones
  (scope_id, collection, doc_id, version, change_version, client_id, at_ms, line)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const DROP_TOMBSTONE = `DELETE FROM sync_tombstones
  WHERE scope_id = ? AND collection = ? AND doc_id = ?`;

function writeDocuments(connection: Connection, plan: PlanMessage): void {
  const guarded = [
    [INSERT_DOCUMENT, plan.inserts],
    [UPDATE_DOCUMENT, plan.updates],
    [DELETE_DOCUMENT, plan.deletes],
  ] as const;
  for (const [sql, writes] of guarded) {
    for (const write of writes) {
      if (connection.run(sql, write) === 1) continue;
      throw new RetryError('A document is not as the plan expects [ST-6].');
    }
  }
  for (const row of plan.dropTombstones) connection.run(DROP_TOMBSTONE, row);
  for (const row of plan.putTombstones) connection.run(PUT_TOMBSTONE, row);
}

const INSERT_ROW = `INSERT INTO sync_oplog
  (version, scope_id, seq, prev, bundle_seq, ordinal, bundle_rows, collection, doc_id, operation,
  origin, change_version, timestamp_ms, line)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (version) DO NOTHING`;
const INSERT_RECEIPT = `INSERT INTO sync_receipts
  (actor_id, client_id, mutation_id, scope_id, hash, collection, doc_id, result, at_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (actor_id, client_id, mutation_id, scope_id) DO NOTHING`;
const INSERT_CONFLICT = `INSERT INTO sync_conflicts
  (conflict_id, scope_id, collection, doc_id, entry, at_ms) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (conflict_id) DO NOTHING`;

function writeLog(connection: Connection, plan: PlanMessage): void {
  for (const row of plan.rows) {
    if (connection.run(INSERT_ROW, row) === 1) continue;
    throw new StoreError('version_taken', 'A version of the plan exists already.');
  }
  for (const row of plan.receipts) {
    if (connection.run(INSERT_RECEIPT, row) === 1) continue;
    throw new RetryError('A receipt of the plan exists already [ST-7].');
  }
  for (const row of plan.conflicts) connection.run(INSERT_CONFLICT, row);
}
