/**
 * The demo: real data through the whole product, step by step, with the commands that a user types.
 *
 * `npm run demo [-- --store mongo|embedded] [--story adopt|meet]`. The story `adopt` takes a database
 * that an application already uses, lets two devices work offline on it, and gives it back. `meet`
 * sends three devices through a restart and a pruned log. Without --store it is told on MongoDB,
 * or on the embedded store where there is no MongoDB. Exit code 0 when everything ended equal.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const STORIES = {
  adopt: {
    mongo: () => import('./demo/adopt.mjs'),
    embedded: () => import('./demo/import.mjs'),
  },
  meet: {
    mongo: () => import('./demo/meet.mjs'),
    embedded: () => import('./demo/meet.mjs'),
  },
};

const { store: wanted, story } = readFlags();
const mongo = wanted === 'embedded' ? undefined : await openMongo();
const store = mongo === undefined ? 'embedded' : 'mongo';
const folder = mkdtempSync(path.join(os.tmpdir(), 'offline-sync-demo-'));
try {
  const { tell } = await STORIES[story][store]();
  process.exitCode = (await tell({ folder, mongo })) ? 0 : 1;
} finally {
  await mongo?.stop();
  rmSync(folder, { recursive: true, force: true });
}

function readFlags() {
  const { values } = parseArgs({
    options: { store: { type: 'string' }, story: { type: 'string', default: 'adopt' } },
  });
  const { store, story } = values;
  if (store !== undefined && !['embedded', 'mongo'].includes(store)) {
    usage(`--store is "embedded" or "mongo", not "${store}"`);
  }
  if (!Object.hasOwn(STORIES, story)) usage(`--story is "adopt" or "meet", not "${story}"`);
  return { store, story };
}

function usage(text) {
  process.stderr.write(`error: ${text}\n`);
  process.exit(2);
}

async function openMongo() {
  const { startMongo } = await import('./mongodb.mjs');
  try {
    return await startMongo();
  } catch (error) {
    if (wanted === 'mongo') throw error;
    process.stdout.write(`No MongoDB to be had here (${error.message}).\n`);
    process.stdout.write('The demo is told on the embedded store.\n');
    return undefined;
  }
}
