/** Reads SQLite's result codes and turns its errors into failures of the store. */

import { StoreError, type StoreErrorKind } from '../../core/ports/store.ts';

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_IOERR = 10;

/** Primary codes after which the database refuses work, though nothing is wrong with the request. */
const UNAVAILABLE = new Map([
  [SQLITE_BUSY, 'Another process holds the write lock of the database.'],
  [SQLITE_LOCKED, 'Another process holds the write lock of the database.'],
  [7, 'SQLite ran out of memory.'],
  [8, 'The database file is read-only.'],
  [SQLITE_IOERR, 'Reading or writing the database file failed.'],
  [13, 'The disk is full.'],
  [14, 'The database file cannot be opened.'],
]);

/** Primary result code of a driver's error; undefined for any other value. */
export function resultCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** True when another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** True for a failure of the file itself. */
export function isInputOutput(error: unknown): boolean {
  return resultCode(error) === SQLITE_IOERR;
}

/** Any thrown value as a `StoreError`; errors that are no failures of SQLite stay as they are. */
export function asStoreError(error: unknown): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const known = UNAVAILABLE.get(code);
  const kind: StoreErrorKind = known === undefined ? 'failed' : 'unavailable';
  return new StoreError(kind, known ?? 'SQLite refused the statement.', { cause: error });
}
