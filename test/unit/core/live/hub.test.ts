/** The hub: seam, gaps, filters, bundles, barriers, slow readers, hints. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SLOW_READER_MS } from '../../../../src/core/live/live-limits.ts';
import { StoreError } from '../../../../src/core/ports/store.ts';
import { SyncError } from '../../../../src/protocol/errors.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { commit, follow, liveWorld, Reader, settle } from '../../../support/engine/live-world.ts';
import { hlc, SCOPE } from '../../../support/engine/records.ts';

test('[LD-1] a subscriber gets what it missed, then what is told, each row once and in order', async () => {
  const world = liveWorld();
  commit(world, ['tasks']);
  commit(world, ['tasks', 'notes']);
  const reader = new Reader();
  follow(world.hub, reader, { since: hlc(1) });
  assert.deepEqual(reader.log, [], 'nothing before the caller has its subscription');
  await settle();
  world.hub.tell(SCOPE, commit(world, ['notes']));
  assert.deepEqual(reader.log, [
    `subscribed ${hlc(1)} ${hlc(3)}`,
    'change d2',
    'change d3.',
    `caught_up ${hlc(3)}`,
    'change d4.',
  ]);
  assert.equal(reader.subscription?.position, hlc(4));
});

test('[LD-1] without a since only what comes later is delivered', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  const late = new Reader();
  follow(world.hub, late);
  await settle();
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  assert.deepEqual(
    reader.rows.map(({ doc_id }) => doc_id),
    ['d1', 'd2'],
  );
  assert.deepEqual(
    late.rows.map(({ doc_id }) => doc_id),
    ['d2'],
  );
  assert.equal(reader.log[0], `subscribed ${ZERO_HLC} ${ZERO_HLC}`);
});

test('[LD-2] what the feed leaves out is read from the store, what it repeats is dropped', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  const first = commit(world, ['tasks']);
  commit(world, ['tasks', 'tasks']);
  const third = commit(world, ['tasks']);
  world.hub.tell(SCOPE, third);
  await settle();
  world.hub.tell(SCOPE, first);
  world.hub.tell(SCOPE, third);
  await settle();
  assert.deepEqual(
    reader.rows.map(({ doc_id }) => doc_id),
    ['d1', 'd2', 'd3', 'd4'],
  );
  assert.ok(world.events.some((event) => event.event === 'feed.gap' && event.rows === 4));
});

test('[LD-2] half a bundle waits for its other half; a look at the heads fetches one that never comes', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  const [one, two] = commit(world, ['tasks', 'tasks']);
  world.hub.tell(SCOPE, [one!]);
  await settle();
  assert.equal(reader.rows.length, 0);
  world.hub.tell(SCOPE, [two!]);
  assert.deepEqual(reader.log.slice(2), ['change d1', 'change d2.']);
  const [three] = commit(world, ['tasks', 'tasks']);
  world.hub.tell(SCOPE, [three!]);
  await world.hub.look();
  await settle();
  assert.deepEqual(reader.log.slice(4), ['change d3', 'change d4.']);
});

test('[LD-3] a filter hides rows; the end of a bundle is its last delivered row', async () => {
  const world = liveWorld();
  commit(world, ['tasks', 'notes']);
  const tasks = new Reader();
  const all = new Reader();
  follow(world.hub, tasks, { since: ZERO_HLC, collections: ['tasks'] });
  follow(world.hub, all, { since: ZERO_HLC });
  await settle();
  world.hub.tell(SCOPE, commit(world, ['notes', 'tasks', 'notes']));
  world.hub.tell(SCOPE, commit(world, ['notes']));
  assert.deepEqual(
    tasks.log.filter((line) => line.startsWith('change')),
    ['change d1.', 'change d4.'],
  );
  assert.deepEqual(
    all.log.filter((line) => line.startsWith('change')),
    ['change d1', 'change d2.', 'change d3', 'change d4', 'change d5.', 'change d6.'],
  );
  assert.equal(tasks.subscription?.position, hlc(6), 'hidden rows count as seen');
});

test('[LD-3] a forbidden or unknown collection is refused before anything is delivered', () => {
  const world = liveWorld();
  for (const name of ['forbidden', 'nothing']) {
    assert.throws(
      () => follow(world.hub, new Reader(), { collections: [name] }),
      (error) => error instanceof SyncError && error.code === 'collection_forbidden',
    );
  }
  assert.deepEqual(world.hub.list(SCOPE), []);
});

test('[LD-4] a place that the history does not reach ends with the reason', async () => {
  const world = liveWorld();
  for (let i = 0; i < 5; i += 1) commit(world, ['tasks']);
  world.store.drop(SCOPE, 3);
  const reasons = new Map<string, unknown>();
  for (const [name, fields] of Object.entries({
    pruned: { since: hlc(1) },
    ahead: { since: hlc(99) },
    broken: { since: hlc(4, 7) },
    epoch: { since: hlc(5), context: { epoch: 'another' } },
  })) {
    const reader = new Reader();
    follow(world.hub, reader, fields);
    await settle();
    assert.equal(reader.end?.kind, 'resync', name);
    reasons.set(name, reader.end?.kind === 'resync' ? reader.end.stale.reason : undefined);
    assert.equal(reader.rows.length, 0, name);
  }
  assert.deepEqual(Object.fromEntries(reasons), {
    pruned: 'history_pruned',
    ahead: 'cursor_ahead',
    broken: 'chain_broken',
    epoch: 'epoch_changed',
  });
});

test('[LD-4] a barrier of a delivered collection ends the subscription, of another it is passed over', async () => {
  const world = liveWorld();
  const tasks = new Reader();
  const notes = new Reader();
  follow(world.hub, tasks, { collections: ['tasks'] });
  follow(world.hub, notes, { collections: ['notes'] });
  await settle();
  world.hub.tell(SCOPE, commit(world, ['!notes']));
  world.hub.tell(SCOPE, commit(world, ['tasks', 'notes']));
  assert.deepEqual(
    tasks.rows.map(({ doc_id }) => doc_id),
    ['d2'],
  );
  assert.equal(notes.rows.length, 0);
  assert.ok(notes.end?.kind === 'resync');
  assert.deepEqual(notes.end.stale.details, { reset: ['notes'] });
  assert.equal(notes.end.stale.head, hlc(1));
});

test('[LD-6] a reader that is full is left alone and gets the rest in order when it takes again', async () => {
  const world = liveWorld();
  const reader = new Reader();
  reader.room = 2;
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  for (let i = 0; i < 1_500; i += 1) world.hub.tell(SCOPE, commit(world, ['tasks', 'notes']));
  await settle();
  assert.equal(reader.rows.length, 2);
  for (let i = 0; i < 40; i += 1) {
    reader.take(100);
    await settle();
  }
  const seen = reader.rows.map(({ doc_id }) => Number(doc_id.slice(1)));
  assert.deepEqual(
    seen,
    Array.from({ length: 3_000 }, (_, i) => i + 1),
  );
});

test('[LD-6] a reader that takes nothing for ten seconds is cut off, one that takes a little is not', async () => {
  const world = liveWorld();
  const paused = new Reader();
  const slow = new Reader();
  const idle = new Reader();
  for (const reader of [paused, slow]) {
    reader.room = 0;
    reader.buffered_bytes = 1_000_000;
  }
  for (const reader of [paused, slow, idle]) follow(world.hub, reader);
  await settle();
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  world.hub.sweep();
  for (let second = 0; second < SLOW_READER_MS / 1_000; second += 1) {
    assert.equal(paused.end, undefined, `after ${second} s`);
    world.clock.pass(1_000);
    if (second % 4 === 3) slow.buffered_bytes -= 1;
    world.hub.sweep();
  }
  assert.deepEqual([paused.end?.kind, slow.end, idle.end], ['slow', undefined, undefined]);
  assert.equal(world.hub.list(SCOPE).length, 2);
});

test('[LD-7] subscribers at the same place share one read of the store', async () => {
  const world = liveWorld();
  for (let i = 0; i < 600; i += 1) commit(world, ['tasks']);
  const readers = Array.from({ length: 50 }, () => new Reader());
  for (const reader of readers) follow(world.hub, reader, { since: hlc(1) });
  await settle();
  for (const reader of readers) assert.equal(reader.rows.length, 599);
  const reads = world.store.calls.filter((call) => call === 'readRows').length;
  assert.ok(reads <= 4, `${reads} reads`);
  assert.ok(
    readers.every(({ frames }) => frames[0] === readers[0]?.frames[0]),
    'and one frame',
  );
});

test('[LD-8] hints tell only the newest bundle, with what a pull needs to know', async () => {
  const world = liveWorld();
  commit(world, ['tasks']);
  const reader = new Reader();
  follow(world.hub, reader, { mode: 'hints', since: ZERO_HLC, collections: ['tasks'] });
  await settle();
  assert.deepEqual(reader.hints, [
    { bundle_seq: 1, last_version: hlc(1), client_id: 'client-m', row_count: 1 },
  ]);
  reader.room = 0;
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  world.hub.tell(SCOPE, commit(world, ['tasks', 'notes']));
  world.hub.tell(SCOPE, commit(world, ['notes']));
  reader.take();
  world.hub.tell(SCOPE, commit(world, ['notes']));
  assert.deepEqual(reader.hints.slice(1), [
    { bundle_seq: 3, last_version: hlc(4), client_id: 'client-m', row_count: 2 },
  ]);
});

test('[LD-8] hints about a place outside the memory: checked like a pull, then the newest bundle', async () => {
  const world = liveWorld();
  for (let i = 0; i < 300; i += 1) commit(world, ['tasks']);
  const behind = new Reader();
  follow(world.hub, behind, { mode: 'hints', since: hlc(3) });
  await settle();
  assert.deepEqual(
    behind.hints.map(({ last_version }) => last_version),
    [hlc(300)],
  );
  assert.equal(behind.log.at(-1), `caught_up ${hlc(300)}`);
  world.store.drop(SCOPE, 10);
  const pruned = new Reader();
  follow(world.hub, pruned, { mode: 'hints', since: hlc(4) });
  await settle();
  assert.equal(pruned.end?.kind, 'resync');
  assert.deepEqual(pruned.hints, []);
});

test('[LD-9] a store that fails for a while delays delivery and ends nothing', async () => {
  const world = liveWorld();
  for (let i = 0; i < 400; i += 1) commit(world, ['tasks']);
  let failures = 5;
  world.store.before = () => {
    failures -= 1;
    if (failures >= 0) throw new StoreError('unavailable', 'gone');
  };
  const reader = new Reader();
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  assert.equal(reader.log.length, 0);
  for (let look = 0; look < 6; look += 1) {
    await world.hub.look();
    await settle();
  }
  assert.equal(reader.rows.length, 400);
  failures = 1;
  commit(world, ['tasks']);
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  await settle();
  assert.equal(reader.rows.length, 400);
  await world.hub.look();
  await settle();
  assert.equal(reader.rows.length, 402);
  assert.equal(reader.end, undefined);
});

test('[LD-10] draining ends every subscription and takes no new one', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  await world.hub.drain();
  assert.equal(reader.end?.kind, 'draining');
  assert.throws(
    () => follow(world.hub, new Reader()),
    (error) => error instanceof SyncError && error.code === 'service_unavailable',
  );
});

test('[LD-11] the list of subscribers names those of the scope, with their lag', async () => {
  const world = liveWorld();
  const reader = new Reader();
  reader.room = 1;
  reader.buffered_bytes = 70;
  follow(world.hub, reader, { client_id: 'laptop', collections: ['tasks'] });
  follow(world.hub, new Reader(), {
    context: { scope_id: 'other', identity: { actor_id: 'x', scope_ids: ['other'] } },
  });
  await settle();
  for (let i = 0; i < 3; i += 1) world.hub.tell(SCOPE, commit(world, ['tasks']));
  world.clock.pass(1_500);
  const [one, ...others] = world.hub.list(SCOPE);
  assert.equal(others.length, 0);
  assert.deepEqual(
    { ...one, subscription_id: '' },
    {
      subscription_id: '',
      transport: 'websocket',
      mode: 'rows',
      actor_id: 'actor-1',
      client_id: 'laptop',
      collections: ['tasks'],
      state: 'live',
      position: hlc(1),
      behind_rows: 2,
      buffered_bytes: 70,
      stalled_ms: 1_500,
      sent: 1,
      since_ms: world.clock.now() - 1_500,
    },
  );
  reader.subscription?.close();
  assert.deepEqual(world.hub.list(SCOPE), []);
});
