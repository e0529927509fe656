/** `inspect --follow` on MongoDB: the feed shows rows at once, and an outage ends nothing. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import {
  freshFolder,
  jsonLines,
  type Place,
  push,
  pushOf,
  run,
  SECRET,
  serve,
  start,
  tokenOf,
} from './support/command.ts';

const FILE = `collections: [tasks]\nauto_init: true\nauth: {secret: ${SECRET}}\n`;

/** A follower whose output can be waited for. */
function follow(t: TestContext, place: Place) {
  const child = start(t, ['inspect', '--since', '0', '--follow'], place);
  const text = { out: '', err: '' };
  child.stdout?.on('data', (part) => {
    text.out += part;
  });
  child.stderr?.on('data', (part) => {
    text.err += part;
  });
  return {
    text,
    rows: () => jsonLines(text.out.slice(0, text.out.lastIndexOf('\n') + 1)),
    async untilShown(doc_id: string): Promise<void> {
      while (!this.rows().some((row) => row['doc_id'] === doc_id)) {
        await once(child.stdout as NodeJS.ReadableStream, 'data');
      }
    },
    async untilSaid(pattern: RegExp): Promise<void> {
      while (!pattern.test(text.err)) await once(child.stderr as NodeJS.ReadableStream, 'data');
    },
    async interrupt(): Promise<number> {
      const ended = once(child, 'close');
      child.kill('SIGINT');
      return (await ended)[0] as number;
    },
  };
}

function middle(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] as number;
}

if (process.env.SYNC_TEST_MONGODB_URI) {
  test('[FE-7] mongo: a follower shows a row when the database tells it, not at the next look', async (t) => {
    const database = await freshDatabase();
    t.after(() => database.drop());
    const env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name };
    const place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }), env };
    const server = await serve(t, place);
    const token = await tokenOf(place);
    const follower = follow(t, place);
    await push(server.url, token, pushOf('first'));
    await follower.untilShown('first');
    const times: number[] = [];
    // Each push comes right after a row was shown: looks alone would need their whole pause for it.
    for (let i = 0; i < 7; i += 1) {
      await push(server.url, token, pushOf(`d-${i}`));
      const pushed = performance.now();
      await follower.untilShown(`d-${i}`);
      times.push(performance.now() - pushed);
    }
    assert.ok(middle(times) < 250, `shown after ${times.map(Math.round).join(', ')} ms`);
    assert.equal(await follower.interrupt(), 130);
  });

  test('[FE-7] mongo: a follower outlives a database that is killed and comes back', async (t) => {
    const storagePath = freshFolder(t);
    const first = await startOwnMongo({ storagePath, syncOnCommit: true });
    t.after(() => rmSync(storagePath, { recursive: true, force: true }));
    const port = Number(new URL(first.uri).port);
    const env = { MONGODB_URI: first.uri, MONGODB_DATABASE: 'app' };
    const place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }), env };
    const server = await serve(t, place);
    const token = await tokenOf(place);
    const follower = follow(t, place);
    for (let i = 0; i < 5; i += 1) await push(server.url, token, pushOf(`before-${i}`));
    await follower.untilShown('before-4');
    process.kill(first.pid as number, 'SIGKILL');
    await first.stop();
    await follower.untilSaid(/does not answer/);
    const second = await startOwnMongo({ storagePath, syncOnCommit: true, port });
    t.after(() => second.stop());
    for (let i = 0; i < 5; i += 1) {
      // The server needs a moment, too, until it has found the database again.
      while (!(await push(server.url, token, pushOf(`after-${i}`)).then(yes, no))) {}
    }
    await follower.untilShown('after-4');
    const { stdout } = await run(t, ['inspect', '--since', '0'], place);
    assert.deepEqual(follower.rows(), jsonLines(stdout));
    assert.equal(follower.text.err.match(/does not answer/g)?.length, 1, follower.text.err);
    assert.equal(await follower.interrupt(), 130);
  });

  test('[FE-7] mongo: a follower whose database is gone ends at once when it is told to', async (t) => {
    const own = await startOwnMongo({ testCommands: true });
    t.after(() => own.stop());
    const env = { MONGODB_URI: own.uri, MONGODB_DATABASE: 'app' };
    const place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }), env };
    const server = await serve(t, place);
    const follower = follow(t, place);
    await push(server.url, await tokenOf(place), pushOf('first'));
    await follower.untilShown('first');
    process.kill(own.pid as number, 'SIGKILL');
    await follower.untilSaid(/does not answer/);
    const started = performance.now();
    assert.equal(await follower.interrupt(), 130);
    assert.ok(performance.now() - started < 2_000);
  });
}

const yes = () => true;
const no = () => false;
