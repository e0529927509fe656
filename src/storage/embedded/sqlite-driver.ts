/**
 * The one place that knows which SQLite runs below: the module built into Node where it is recent
 * enough, else the package with the same interface. Both are loaded on first use, so that a server
 * on MongoDB never touches them.
 */

import { createRequire } from 'node:module';
import { StoreError } from '../../core/ports/store.ts';

/** A value that a statement binds or returns. */
export type SqlValue = string | number | null;

/** The part of a prepared statement that the adapter uses. Rows come as arrays where asked for. */
export interface SqliteStatement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
  setReturnArrays(enabled: boolean): void;
}

/** The part of a database handle that the adapter uses. */
export interface SqliteDatabase {
  /** Whether a transaction is open; some errors end it by themselves. */
  readonly isTransaction: boolean;
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

interface DatabaseOptions {
  readonly readOnly: boolean;
  /** How long a call waits for another connection's lock, ms. */
  readonly timeout: number;
}

/** Opens databases with the chosen driver. */
export interface SqliteDriver {
  readonly name: 'node:sqlite' | '@photostructure/sqlite';
  readonly sqlite_version: string;
  open(file: string, options: DatabaseOptions): SqliteDatabase;
}

type SqliteModule = {
  readonly DatabaseSync: new (file: string, options: DatabaseOptions) => SqliteDatabase;
};

/** Older versions can lose committed writes when one connection checkpoints while another writes. */
export const SQLITE_VERSION_MIN = '3.51.3';

/** How the two modules are got, replaceable by tests. A getter returns undefined when it has none. */
export interface DriverSources {
  builtin(): SqliteModule | undefined;
  bundled(): Promise<SqliteModule | undefined>;
}

const SOURCES: DriverSources = { builtin: loadBuiltin, bundled: loadBundled };

let loaded: Promise<SqliteDriver> | undefined;

/** The driver of this process. Throws `StoreError` `unavailable` naming both ways to get one. */
export function sqliteDriver(): Promise<SqliteDriver> {
  loaded ??= chooseDriver(SOURCES);
  return loaded;
}

/** Takes the first source whose SQLite is recent enough. Throws `StoreError` when none is. */
export async function chooseDriver(sources: DriverSources): Promise<SqliteDriver> {
  const builtin = describe('node:sqlite', sources.builtin());
  if (builtin !== undefined && recentEnough(builtin.sqlite_version)) return builtin;
  const bundled = describe('@photostructure/sqlite', await sources.bundled());
  if (bundled !== undefined && recentEnough(bundled.sqlite_version)) return bundled;
  const found = [builtin, bundled].map((driver) => driver?.sqlite_version ?? 'absent');
  throw new StoreError(
    'unavailable',
    `The embedded store needs SQLite ${SQLITE_VERSION_MIN} or newer: node:sqlite has ${found[0]}, ` +
      `@photostructure/sqlite has ${found[1]}. Use a newer Node, or install the optional ` +
      'dependency @photostructure/sqlite.',
  );
}

function describe(
  name: SqliteDriver['name'],
  module: SqliteModule | undefined,
): SqliteDriver | undefined {
  if (module === undefined) return undefined;
  const { DatabaseSync } = module;
  const probe = new DatabaseSync(':memory:', { readOnly: false, timeout: 0 });
  const row = probe.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  probe.close();
  return {
    name,
    sqlite_version: row.version,
    open: (file, options) => new DatabaseSync(file, options),
  };
}

function recentEnough(version: string): boolean {
  const found = version.split('.').map(Number);
  const wanted = SQLITE_VERSION_MIN.split('.').map(Number);
  for (let i = 0; i < wanted.length; i += 1) {
    const difference = (found[i] ?? 0) - (wanted[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** `require` and not `import`, because the module's warning is printed while it loads. */
function loadBuiltin(): SqliteModule | undefined {
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith('SQLite is an experimental feature')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return createRequire(import.meta.url)('node:sqlite') as SqliteModule;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function loadBundled(): Promise<SqliteModule | undefined> {
  try {
    return (await import('@photostructure/sqlite')) as unknown as SqliteModule;
  } catch {
    return undefined;
  }
}
