/** The engine's surface: draining, capabilities, rights, and the memory of clients. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SeenClients } from '../../../src/core/scope/clients.ts';
import { readableCollections } from '../../../src/core/readable.ts';
import { asSyncError, errorCodeOf } from '../../../src/core/store-failure.ts';
import { StoreError } from '../../../src/core/ports/store.ts';
import { SyncError } from '../../../src/protocol/errors.ts';
import { Capabilities } from '../../../src/protocol/status.ts';
import { FakeClock } from '../../support/engine/fake-system.ts';
import { LIMITS, pullQuery, pushTo, request, world } from '../../support/engine/engine-world.ts';

test('[PU-12] a draining engine finishes what runs and refuses what comes', async () => {
  const over = world();
  let open!: () => void;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  over.store.before = (call) => (call === 'commitGroup' ? gate : undefined);
  const running = pushTo(over, [{}]);
  const waiting = pushTo(over, [{ doc_id: 't2' }]);
  let drained = false;
  const done = over.engine.drain().then(() => {
    drained = true;
  });
  const again = over.engine.drain();
  const refused = { code: 'service_unavailable', details: { reason: 'draining' } };
  await assert.rejects(pushTo(over, [{}]), refused);
  await assert.rejects(over.engine.pull(request(), pullQuery()), refused);
  assert.equal(drained, false);
  open();
  assert.equal((await running).results[0]?.status, 'accepted');
  assert.equal((await waiting).results[0]?.status, 'accepted');
  await done;
  await again;
  await over.engine.drain();
});

test('[PU-12] everybody who waits for a draining engine is told', async () => {
  const over = world();
  let open!: () => void;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  over.store.before = (call) => (call === 'commitGroup' ? gate : undefined);
  const running = pushTo(over, [{}]);
  let drained = 0;
  for (const one of [over.engine.drain(), over.engine.drain()]) {
    void one.then(() => {
      drained += 1;
    });
  }
  open();
  await running;
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(drained, 2);
});

test('[PL-6] capabilities list what the caller may read, with the protocol’s limits and nothing else', () => {
  const secret = { auth: { secret: 'never to be seen' }, mongodb_uri: 'never to be seen' };
  const over = world({
    limits: { ...LIMITS, ...secret },
    access: { authorize: (_, collection, action) => action === 'pull' && collection !== 'owned' },
  });
  const shown = over.engine.capabilities(request());
  assert.deepEqual(shown, {
    protocol_version: '1',
    schema_version: 1,
    app_name: 'tests',
    server_version: '0.0.0',
    server_time: '2026-05-02T12:00:00.000Z',
    epoch: 'epoch-1',
    collections: ['tasks', 'notes', 'fixed'].map((name) => ({
      name,
      id_type: 'string',
      conflict: 'lww',
      on_conflict: 'resolve',
      delete_policy: 'resurrect_on_update',
    })),
    features: {
      push: true,
      pull: true,
      full: true,
      status: true,
      atomic_bundle: true,
      live: true,
    },
    limits: { ...LIMITS },
  });
  assert.deepEqual(Capabilities.parse(shown), shown);
  assert.equal(over.engine.epoch, 'epoch-1');
});

test('[PL-6] reads cover what the caller may read, or exactly what was asked for', () => {
  const { core } = world({
    access: { authorize: (_, collection, action) => action === 'full' || collection === 'tasks' },
  });
  const covered = (collections: readonly string[] | undefined, action: 'pull' | 'full') =>
    readableCollections(core, request(), { collections, action });
  assert.deepEqual(covered(undefined, 'pull'), ['tasks']);
  assert.deepEqual(covered(undefined, 'full'), ['tasks', 'notes', 'owned', 'fixed']);
  assert.deepEqual(covered(['notes', 'tasks'], 'full'), ['notes', 'tasks']);
  assert.throws(() => covered(['tasks', 'unknown'], 'full'), { code: 'collection_forbidden' });
  for (const names of [['tasks', 'notes'], ['unknown']]) {
    assert.throws(() => covered(names, 'pull'), { code: 'collection_forbidden' });
  }
});

function seen(over = new FakeClock()) {
  const recorded: string[] = [];
  const failures: Error[] = [];
  const clients = new SeenClients(
    {
      recordClient: async ({ scope_id, client_id, actor_id }) => {
        recorded.push(`${scope_id}/${client_id}/${actor_id}`);
        const failure = failures.shift();
        if (failure) throw failure;
      },
    },
    over,
  );
  const by = (client_id: string, scope_id = 's') =>
    clients.seen({ scope_id, client_id, actor_id: 'a' });
  return { clock: over, recorded, failures, by };
}

test('[PU-7] a client is recorded at most once a minute, per scope', () => {
  const { by, clock, recorded } = seen();
  by('c');
  clock.pass(59_999);
  by('c');
  by('c', 't');
  by('d');
  assert.deepEqual(recorded, ['s/c/a', 't/c/a', 's/d/a']);
  clock.pass(1);
  by('c');
  assert.equal(recorded.length, 4);
});

test('[PU-7] a record that failed is tried with the next push', async () => {
  const { by, failures, recorded } = seen();
  failures.push(new Error('down'));
  by('c');
  await Promise.resolve();
  await Promise.resolve();
  by('c');
  assert.equal(recorded.length, 2);
});

test('[PU-7] the memory of clients is bounded, the longest unseen goes', () => {
  const { by, recorded } = seen();
  for (let i = 0; i <= 10_000; i += 1) by(`c${i}`);
  recorded.length = 0;
  by('c10000');
  by('c1');
  assert.deepEqual(recorded, []);
  by('c0');
  assert.deepEqual(recorded, ['s/c0/a']);
  const again = seen();
  for (let i = 0; i < 10_000; i += 1) again.by(`c${i}`);
  again.clock.pass(60_000);
  again.by('c0');
  again.by('new');
  again.recorded.length = 0;
  again.by('c0');
  assert.deepEqual(again.recorded, [], 'who came back is not the longest unseen');
});

test('[PU-10] failures of the store become errors that say whether to try again', () => {
  const failed = asSyncError(new StoreError('failed', 'odd'));
  assert.ok(failed instanceof SyncError && failed.code === 'internal' && !failed.details);
  const away = asSyncError(new StoreError('deadline', 'slow'));
  assert.ok(away instanceof SyncError && away.code === 'database_unavailable');
  assert.deepEqual(away.details, { reason: 'deadline' });
  assert.equal(away.retry_after_seconds, 1);
  const bug = new TypeError('a bug');
  assert.equal(asSyncError(bug), bug);
  assert.deepEqual([bug, away, new SyncError('not_found')].map(errorCodeOf), [
    'internal',
    'database_unavailable',
    'not_found',
  ]);
});
