/** The folder of an embedded store: its files, and the lock that keeps it to one writing process. */

import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../../core/ports/store.ts';
import type { SqliteDatabase, SqliteDriver } from './sqlite-driver.ts';
import { isBusy } from './sqlite-failure.ts';

/** Path of the database inside its folder. */
export function databaseFile(data_dir: string): string {
  return path.join(data_dir, 'data.db');
}

/** Makes the folder, readable by its owner only. Throws `StoreError` `unavailable`. */
export function makeFolder(data_dir: string): void {
  try {
    mkdirSync(data_dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new StoreError('unavailable', 'The data folder cannot be created.', { cause });
  }
}

/** Refuses to read where nothing was ever written. Throws `StoreError` `unavailable`. */
export function requireDatabase(data_dir: string): void {
  if (!existsSync(databaseFile(data_dir))) {
    throw new StoreError(
      'unavailable',
      'The data folder holds no database yet. Start the server or run init first.',
    );
  }
}

/**
 * Takes the folder for this process by an exclusive transaction on a file of its own, so that
 * others can still read the database. The system frees it when the process dies, however it dies.
 * Throws `StoreError` `locked` when another process holds it.
 */
export function lockFolder(driver: SqliteDriver, data_dir: string): SqliteDatabase {
  const lock = openLock(driver, data_dir);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    if (!isBusy(cause)) {
      throw new StoreError('unavailable', 'The data folder cannot be locked.', { cause });
    }
    throw new StoreError(
      'locked',
      'Another process writes to this data folder. Stop it, or use another data_dir.',
      { cause },
    );
  }
}

function openLock(driver: SqliteDriver, data_dir: string): SqliteDatabase {
  try {
    return driver.open(path.join(data_dir, 'lock.db'), { readOnly: false, timeout: 0 });
  } catch (cause) {
    throw new StoreError('unavailable', 'The data folder cannot be written to.', { cause });
  }
}
