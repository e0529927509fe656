/** The demo that a reader can run, run: real documents end equal to the byte on both stores. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { HAS_MONGODB } from '../support/process/store-place.ts';

const DOCUMENTS_MIN = 6_000;
const MONGO = { MONGODB_URI: process.env['SYNC_TEST_MONGODB_URI'] };

describe('embedded: demo', () => {
  test('[PR-26] npm run demo -- --store embedded: imported files reach two devices', async () => {
    const story = await runDemo(['--store', 'embedded'], {});
    checkDigests(story, 1 + 2);
    assert.match(story, /dry run, nothing was written: 3153 read, 3153 imported/);
    assert.match(story, /3376 read, 3376 repeated/);
    assert.match(story, /All are equal to the byte\./);
  });

  test('[FU-3] [PR-12] the story "meet": three devices, a restart and a pruned log', async () => {
    checkMeeting(await runDemo(['--store', 'embedded', '--story', 'meet'], {}));
  });
});

describe('mongo: demo', { skip: !HAS_MONGODB }, () => {
  test('[PR-25] [PR-27] npm run demo: a database is adopted beside its application, and given back', async () => {
    const story = await runDemo(['--store', 'mongo'], MONGO);
    checkDigests(story, 1 + 2);
    const [, same, untouched] = /(\d+) of the (\d+) documents that nobody edited/.exec(story) ?? [];
    assert.ok(same === untouched && Number(same) > DOCUMENTS_MIN - 1_000, story);
    assert.match(story, /collections, indexes and options are as before init/);
    assert.match(story, /\n {3}(?!0 )\d+ writes of the application reached the devices/);
    assert.match(story, /\n {3}(?!0 )\d+ conflicts were won by the later edit/);
    assert.match(story, /"\$numberDecimal":"5\.00"},"nearest_airport":{"\$oid":/);
    assert.match(story, /nothing of offline-sync is left\./);
  });

  test('[FU-3] [PR-13] the story "meet" on MongoDB', async () => {
    checkMeeting(await runDemo(['--store', 'mongo', '--story', 'meet'], MONGO));
  });
});

async function runDemo(
  args: readonly string[],
  env: Record<string, string | undefined>,
): Promise<string> {
  const script = path.resolve('scripts/demo.mjs');
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [story, complaints] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  assert.equal(child.exitCode, 0, `${story}\n${complaints}`);
  return story;
}

/** The same digest for the store and every client. */
function checkDigests(story: string, count: number): void {
  const digests = [...story.matchAll(/([0-9a-f]{64}) (\d+) documents/g)];
  assert.equal(digests.length, count, story);
  assert.equal(new Set(digests.map(([, digest]) => digest)).size, 1, story);
  assert.ok(Number(digests[0]?.[2]) >= DOCUMENTS_MIN, story);
}

function checkMeeting(story: string): void {
  checkDigests(story, 1 + 3);
  assert.match(story, /the server answered history_pruned; cleo caught up by full resync/);
  assert.match(story, /All are equal to the byte\./);
}
