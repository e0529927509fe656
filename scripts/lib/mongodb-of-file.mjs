/**
 * Preloaded into every test process (`--import`): a test file that names SYNC_TEST_MONGODB_URI gets a
 * MongoDB of its own, and SYNC_TEST_MONGODB_URI is its address. What one file leaves behind (an open
 * transaction of a killed process, a database that is being dropped) cannot slow or stop another one.
 * The runner asks for it with SYNC_TEST_MONGODB=own; processes that a test starts do not see that.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';

const { SYNC_TEST_MONGODB, NODE_TEST_CONTEXT } = process.env;

if (isMainThread && SYNC_TEST_MONGODB === 'own' && NODE_TEST_CONTEXT !== undefined) {
  delete process.env.SYNC_TEST_MONGODB;
  delete process.env.NODE_OPTIONS;
  if (names(process.argv[1], 'SYNC_TEST_MONGODB_URI')) {
    const { startMongo } = await import('../mongodb.mjs');
    const name = `${path.basename(process.argv[1], '.js')}.txt`;
    const server = await startMongo({ stallFile: path.join(process.env.SYNC_TEST_STALLS, name) });
    process.env.SYNC_TEST_MONGODB_URI = server.uri;
  }
}

/** True when a built file, or a part that it shares with others, holds the text. */
function names(file, text) {
  const seen = new Set([path.resolve(file)]);
  for (const one of seen) {
    const source = readFileSync(one, 'utf8');
    if (source.includes(text)) return true;
    for (const [, part] of source.matchAll(/\b(?:from|import)\s*"(\.\/[^"]+)"/g)) {
      seen.add(path.resolve(path.dirname(one), part));
    }
  }
  return false;
}
