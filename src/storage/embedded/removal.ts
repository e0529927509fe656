/** Takes the files of an embedded store out of its folder; what others put there stays. */

import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { RemovalStep, StoreRemoval } from '../../core/ports/removal.ts';
import { StoreError } from '../../core/ports/store.ts';
import { lockFolder } from './data-folder.ts';
import { sqliteDriver } from './sqlite-driver.ts';

/**
 * In the order of their removal. A log without its database is thrown away by SQLite when it makes
 * the next one; the lock goes last, because until then it keeps servers out.
 */
const FILES = ['data.db', 'data.db-wal', 'data.db-shm', 'lock.db', 'lock.db-journal'];

/** The removal of the store in a folder. Nothing is opened before `apply`. */
export function embeddedRemoval(data_dir: string): StoreRemoval {
  const present = () => FILES.filter((file) => existsSync(path.join(data_dir, file)));
  return {
    plan: async () =>
      present().map(
        (file): RemovalStep => ({
          action: 'remove',
          kind: 'file',
          name: path.join(data_dir, file),
          detail: file === 'data.db' ? 'every document, and the log' : 'belongs to data.db',
        }),
      ),
    apply: async () => {
      if (present().length === 0) return;
      const lock = lockFolder(await sqliteDriver(), data_dir);
      try {
        for (const file of FILES.slice(0, 3)) remove(path.join(data_dir, file));
      } finally {
        lock.close();
      }
      for (const file of FILES.slice(3)) remove(path.join(data_dir, file));
    },
    close: async () => {},
  };
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (cause) {
    throw new StoreError('unavailable', 'A file of the data folder cannot be removed.', { cause });
  }
}
