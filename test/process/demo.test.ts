/** The demo that a reader can run, run: real documents end equal to the byte on both stores. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { HAS_MONGODB } from '../support/process/store-place.ts';

const DOCUMENTS_MIN = 6_000;
const PEOPLE = 3;

describe('embedded: demo', () => {
  test('[FU-3] [PR-12] npm run demo: movies and airports end byte-equal', async () => {
    checkStory(await runDemo('embedded', {}));
  });
});

describe('mongo: demo', { skip: !HAS_MONGODB }, () => {
  test('[FU-3] [PR-13] npm run demo -- --store mongo: movies and airports end byte-equal', async () => {
    checkStory(await runDemo('mongo', { MONGODB_URI: process.env['SYNC_TEST_MONGODB_URI'] }));
  });
});

async function runDemo(store: string, env: Record<string, string | undefined>): Promise<string> {
  const script = path.resolve('scripts/demo.mjs');
  const child = spawn(process.execPath, [script, '--store', store], {
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

/** The same digest four times: the store and three clients, after a resync out of a pruned log. */
function checkStory(story: string): void {
  const digests = [...story.matchAll(/([0-9a-f]{64}) (\d+) documents/g)];
  assert.equal(digests.length, 1 + PEOPLE, story);
  assert.equal(new Set(digests.map(([, digest]) => digest)).size, 1, story);
  assert.ok(Number(digests[0]?.[2]) >= DOCUMENTS_MIN, story);
  assert.match(story, /the server answered history_pruned; cleo caught up by full resync/);
  assert.match(story, /All are equal to the byte\./);
}
