/** The hub: seam, gaps, filters, bundles, barriers, hints. */

import assert from 'node:assert/strict';
import test from 'node:test';
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

test('[LD-1] a reader that takes each row at once gets it once', async () => {
  const world = liveWorld();
  for (let i = 0; i < 5; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  reader.onChange = () => reader.subscription?.resume();
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  world.hub.tell(SCOPE, commit(world, ['tasks', 'tasks']));
  assert.deepEqual(
    reader.rows.map(({ doc_id }) => doc_id),
    ['d1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7'],
  );
});

test('[LD-1] live only begins at the head, also when the newest rows are too big for the memory', async () => {
  const world = liveWorld({ seed_rows: 10, seed_bytes: 300 });
  for (let i = 0; i < 10; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  assert.deepEqual(
    reader.rows.map(({ doc_id }) => doc_id),
    ['d11'],
  );
});

test('[LD-2] what is told while a scope is read for the first time is not forgotten', async () => {
  const world = liveWorld();
  const reader = new Reader();
  commit(world, ['tasks']);
  world.store.before = (call) => {
    if (call === 'readRows' && world.store.rows.length === 1) {
      world.hub.tell(SCOPE, commit(world, ['tasks']));
    }
  };
  follow(world.hub, reader);
  await settle();
  assert.deepEqual(
    reader.rows.map(({ doc_id }) => doc_id),
    ['d2'],
  );
});

test('[LD-2] a feed that tells of rows that are not there costs a few reads, and no more', async () => {
  const world = liveWorld();
  const reader = new Reader();
  const rows = commit(world, ['tasks']);
  follow(world.hub, reader);
  await settle();
  world.store.calls.length = 0;
  const [row] = rows;
  world.hub.tell(SCOPE, [{ ...row!, seq: 9, version: hlc(9), prev: hlc(8) }]);
  await settle();
  assert.ok(world.store.calls.length <= 6, world.store.calls.join());
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  await settle();
  assert.deepEqual(
    reader.rows.map(({ doc_id }) => doc_id),
    ['d2'],
  );
});
