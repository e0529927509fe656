/** The same SQLite driver as the product's, opened with the same durability, without the product. */

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Opens a database in WAL mode with `synchronous=FULL`. */
export function openDatabase(file) {
  const { DatabaseSync } = driver();
  const db = new DatabaseSync(file);
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;');
  return db;
}

function driver() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 13)
    ? require('node:sqlite')
    : require('@photostructure/sqlite');
}
