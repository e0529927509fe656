/**
 * Watches over a MongoDB that tests started: `node mongodb-watcher.mjs PID FOLDER [URI]`.
 *
 * When the pipe to whoever started it closes, which also happens when that process is killed, it ends the
 * server and removes FOLDER (an empty text: nothing to remove). With a URI it also writes a document every
 * two seconds; a write that takes longer than fifteen makes the server tell what its threads do (SIGUSR1,
 * which `mongodb-install.mjs` arranges), so that a report can name the cause of a standstill.
 */

import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const STALL_MS = 15_000;
const BEAT_MS = 2_000;
/** What the operating system may still write into the folder of a killed server. */
const REMOVE_AFTER_MS = 500;

const [pid, folder, uri] = process.argv.slice(2);

process.stdin.resume();
process.stdin.on('end', () => {
  signal('SIGKILL');
  setTimeout(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  }, REMOVE_AFTER_MS);
});

if (uri) await beat();

function signal(name) {
  try {
    process.kill(Number(pid), name);
  } catch {
    // It ended before us.
  }
}

async function beat() {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 120_000 });
  const beats = client.db('sync_test_watcher').collection('beats');
  for (;;) {
    const stall = setTimeout(() => signal('SIGUSR1'), STALL_MS);
    try {
      await beats.insertOne({ at: new Date() });
    } catch {
      // Cut connections and fail points are part of some tests.
    }
    clearTimeout(stall);
    await sleep(BEAT_MS);
  }
}
