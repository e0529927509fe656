/** A database handle with its prepared statements: rows as arrays, one statement per SQL text. */

import { StoreError } from '../../core/ports/store.ts';
import type { SqliteDatabase, SqliteDriver, SqliteStatement, SqlValue } from './sqlite-driver.ts';

/** What a connection is for; each gets its own lock waits and cache. */
export type ConnectionRole = 'writer' | 'reader' | 'probe';

/**
 * Lock waits, ms, and page cache, KiB. The writer waits briefly, because it repeats within the
 * budget of a group; the readers' caches stay small, because a full resync passes all pages once.
 */
const ROLES = {
  writer: { busy_timeout: 1_000, cache_kib: 32_768 },
  reader: { busy_timeout: 5_000, cache_kib: 8_192 },
  probe: { busy_timeout: 5_000, cache_kib: 4_096 },
} as const;

/**
 * A connection. Statements live as long as it does, and none is read row by row: a statement that
 * is collected while its rows are being taken ends the reading in one of the drivers.
 */
export class Connection {
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Whether a transaction is open. */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  /** Runs statements that return nothing. */
  exec(sql: string): void {
    this.#database.exec(sql);
  }

  /** Runs one statement; how many rows it changed. */
  run(sql: string, values: readonly SqlValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** All rows, as arrays of columns. */
  all<Row>(sql: string, values: readonly SqlValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** The first row, as an array of columns. */
  first<Row>(sql: string, values: readonly SqlValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  /** Runs `work` in a transaction of its own; rolls back when it throws. */
  transaction<T>(begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
    this.exec(begin);
    try {
      const result = work();
      this.exec('COMMIT');
      return result;
    } finally {
      this.rollback();
    }
  }

  /** Ends an open transaction without its writes. */
  rollback(): void {
    if (this.inTransaction) this.exec('ROLLBACK');
  }

  /** Closes the handle. Open readers of it must be done. */
  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #statement(sql: string): SqliteStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    statement.setReturnArrays(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Opens `file` with the settings of its role, each read back: builds of SQLite differ in their
 * defaults, and one that reopens with synchronous=NORMAL loses acknowledged pushes at power loss.
 */
export function openConnection(
  driver: SqliteDriver,
  file: string,
  role: ConnectionRole,
): Connection {
  const { busy_timeout, cache_kib } = ROLES[role];
  const readOnly = role !== 'writer';
  const connection = new Connection(driver.open(file, { readOnly, timeout: busy_timeout }));
  try {
    setPragma(connection, 'busy_timeout', busy_timeout);
    setPragma(connection, 'cache_size', -cache_kib);
    if (!readOnly) makeDurable(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** Space that a reset log keeps on disk, bytes. */
const LOG_KEPT_BYTES = 16_777_216;

function makeDurable(connection: Connection): void {
  // Takes effect only while the file is still empty.
  connection.exec('PRAGMA auto_vacuum = INCREMENTAL');
  setPragma(connection, 'journal_mode', 'wal');
  setPragma(connection, 'synchronous', 2);
  setPragma(connection, 'wal_autocheckpoint', 0);
  setPragma(connection, 'journal_size_limit', LOG_KEPT_BYTES);
  if (process.platform === 'darwin') {
    setPragma(connection, 'fullfsync', 1);
    setPragma(connection, 'checkpoint_fullfsync', 1);
  }
}

/** Value of a pragma on this connection. */
export function readPragma(connection: Connection, name: string): SqlValue {
  return connection.first<[SqlValue]>(`PRAGMA ${name}`, [])?.[0] ?? null;
}

function setPragma(connection: Connection, name: string, value: string | number): void {
  connection.exec(`PRAGMA ${name} = ${value}`);
  if (readPragma(connection, name) !== value) {
    throw new StoreError('unavailable', `SQLite refuses the setting ${name} on this file system.`);
  }
}
