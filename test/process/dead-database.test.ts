/** Stopping a server whose database was killed: it says what it can and ends. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startOwnMongo } from '../support/mongodb.ts';
import { LiveDevice } from '../support/process/live-device.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { COLLECTIONS, ServerProcess } from '../support/process/server-process.ts';
import { HAS_MONGODB, mongoPlace } from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { push } from '../support/process/wire.ts';

const SCOPE = 'dead';
/** From the signal to the end of the process, on a busy machine; the driver waits 5 s, ms. */
const ENDS_WITHIN_MS = 2_000;

async function stopWithout(
  t: TestContext,
  { gone_ms, env }: { readonly gone_ms: number; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const mongo = await startOwnMongo({ syncOnCommit: true });
  t.after(() => mongo.stop());
  const { settings: store } = await mongoPlace(t, mongo);
  const server = await ServerProcess.start({ store, cwd: scratchFolder(t), env });
  t.after(() => server.kill());
  const token = await tokenFor('ann', SCOPE);
  const device = new LiveDevice(null);
  device.connect({ url: server.url, token, transport: 'websocket' });
  await device.until(() => device.caughtUp);
  await push({ url: server.url, token, client_id: 'c' }, [
    {
      collection: 'notes',
      operation: 'upsert',
      doc_id: crypto.randomUUID(),
      parent_version: null,
      data: {},
      mutation_id: crypto.randomUUID(),
    },
  ]);
  process.kill(mongo.pid as number, 'SIGKILL');
  await pause(gone_ms);
  const signalled = performance.now();
  await server.stop();
  const ms = Math.round(performance.now() - signalled);
  t.diagnostic(`the server ended after ${ms} ms`);
  assert.ok(ms < ENDS_WITHIN_MS, `the server ended after ${ms} ms`);
}

describe('mongo: a server whose database was killed', { skip: !HAS_MONGODB }, () => {
  for (const gone_ms of [0, 1_000]) {
    test(`[ST-9] ends soon after SIGTERM, ${gone_ms} ms after the kill`, (t) =>
      stopWithout(t, { gone_ms, env: {} }));
  }
  test('[ST-9] ends as soon while capture looks for the database', (t) => {
    const policy = { scope_field: 'team', capture: 'adopt' };
    const collections = Object.fromEntries(COLLECTIONS.map((name) => [name, policy]));
    const env = { SYNC_COLLECTIONS: JSON.stringify(collections) };
    return stopWithout(t, { gone_ms: 1_000, env });
  });
});
