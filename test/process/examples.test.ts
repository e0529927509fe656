/** The examples that readers copy, run as they stand: against the built package, in processes of their own. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { type ClientOptions, SyncClient } from '../../examples/minimal-client.mjs';
import { signToken } from '../../src/auth/sign-token.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { freshDatabase } from '../support/mongodb.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { HAS_MONGODB } from '../support/process/store-place.ts';

const SECRET = 'examples-sign-their-tokens-with-this-one';

type Variables = Readonly<Record<string, string>>;

for (const kind of HAS_MONGODB ? (['embedded', 'mongo'] as const) : (['embedded'] as const)) {
  describe(`${kind}: examples`, () => {
    test('[LB-9] embed-hono.mjs serves the reference client with the session of a cookie', async (t) => {
      const example = await serve(t, 'embed-hono.mjs', await variables(t, kind));
      await syncBetween(example.url, { headers: { cookie: 'session=session-of-ann' } });
      assert.equal(await (await fetch(example.url)).text(), 'the application');
      const stranger = await fetch(`${example.url}/sync/capabilities`);
      assert.equal(stranger.status, 401);
      await example.stop();
    });

    test('[LB-9] embed-http.mjs serves the reference client with a token', async (t) => {
      const env = { ...(await variables(t, kind)), AUTH_SECRET: SECRET };
      const example = await serve(t, 'embed-http.mjs', env);
      const claims = { sub: 'ann', team: 'red' };
      const ttl_seconds = 600;
      const token = await signToken({
        secret: SECRET,
        claims,
        ttl_seconds,
        clock: nodeSystem.clock,
      });
      await syncBetween(example.url, { token });
      assert.equal(await (await fetch(example.url)).text(), 'the application');
      await example.stop();
    });

    test('[LB-9] server-write.mjs writes what a device then syncs', async (t) => {
      const env = await variables(t, kind);
      const job = start(t, 'server-write.mjs', env);
      const [printed] = await Promise.all([
        text(job.stdout as NodeJS.ReadableStream),
        once(job, 'exit'),
      ]);
      assert.equal(job.exitCode, 0, printed);
      const rows = printed
        .trim()
        .split('\n')
        .flatMap((line) => JSON.parse(line) as { doc_id: string }[]);
      const expected = kind === 'mongo' ? ['welcome', 'pay', 'ship'] : ['welcome'];
      assert.deepEqual(
        rows.map(({ doc_id }) => doc_id),
        expected,
      );
      const example = await serve(t, 'embed-hono.mjs', env);
      const device = clientOf(example.url, { headers: { cookie: 'session=session-of-ann' } });
      await device.sync();
      assert.equal(device.get('notes', 'welcome')?.['text'], 'Hello');
      assert.deepEqual(device.get('tasks', 'pay'), kind === 'mongo' ? { paid: 1 } : undefined);
      await example.stop();
    });
  });
}

function clientOf(url: string, more: Partial<ClientOptions>): SyncClient {
  return new SyncClient({ url, collections: ['tasks', 'notes'], ...more });
}

async function syncBetween(url: string, more: Partial<ClientOptions>): Promise<void> {
  const [one, two] = [clientOf(url, more), clientOf(url, more)];
  await one.put('tasks', 't1', { title: 'Buy milk' });
  await one.sync();
  await two.sync();
  await two.put('tasks', 't1', { title: 'Buy bread' });
  await two.sync();
  await one.sync();
  assert.deepEqual(one.get('tasks', 't1'), { title: 'Buy bread' });
}

async function variables(t: TestContext, kind: 'embedded' | 'mongo'): Promise<Variables> {
  if (kind === 'embedded') return { DATA_DIR: path.join(scratchFolder(t), 'data') };
  const database = await freshDatabase();
  t.after(() => database.drop());
  return { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name };
}

function start(t: TestContext, name: string, env: Variables): ChildProcess {
  const child = spawn(process.execPath, [path.resolve('examples', name)], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function serve(
  t: TestContext,
  name: string,
  env: Variables,
): Promise<{ url: string; stop(): Promise<void> }> {
  const child = start(t, name, env);
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [url] = (await once(lines, 'line')) as [string];
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      assert.equal(child.exitCode, 0, 'the example did not end by itself');
    },
  };
}
