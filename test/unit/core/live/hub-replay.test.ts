/** The hub: what happens while a page is given out, and hints about rows that no memory holds. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { LIVE_LIMITS } from '../../../../src/core/live/live-limits.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { commit, follow, liveWorld, Reader, settle } from '../../../support/engine/live-world.ts';
import { hlc, SCOPE } from '../../../support/engine/records.ts';

const seqsOf = (reader: Reader) => reader.frames.map(({ row }) => row.seq);
const hintsOf = (reader: Reader) => reader.hints.map(({ last_version }) => last_version);

/** Until also a replay of several pages is over. */
async function settleAll(): Promise<void> {
  for (let round = 0; round < 10; round += 1) await settle();
}

test('[LD-1] a reader that takes each row of a page at once gets it once', async () => {
  const world = liveWorld({ seed_rows: 2 });
  for (let i = 0; i < 8; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  reader.onChange = () => reader.subscription?.resume();
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  assert.deepEqual(seqsOf(reader), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('[LD-1] a reader that goes in the middle of a page gets nothing after it', async () => {
  const world = liveWorld({ seed_rows: 2 });
  for (let i = 0; i < 8; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  reader.onChange = () => {
    if (reader.frames.length === 2) reader.leave();
  };
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  assert.deepEqual([seqsOf(reader), reader.faults], [[1, 2], []]);
});

test('[LD-3] the end of a bundle is looked for once, however many rows it has', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader, { collections: ['tasks'] });
  await settle();
  const half = 1_000;
  const names = Array.from({ length: 2 * half }, (_, i) => (i < half ? 'tasks' : 'notes'));
  let looks = 0;
  const rows = commit(world, names).map((row) =>
    Object.defineProperty({ ...row }, 'collection', {
      get() {
        looks += 1;
        return row.collection;
      },
    }),
  );
  world.hub.tell(SCOPE, rows);
  assert.equal(reader.rows.length, half);
  assert.deepEqual(
    reader.frames.filter(({ bundle_end }) => bundle_end).map(({ row }) => row.seq),
    [half],
  );
  assert.ok(looks < names.length * 4, `${looks} looks at ${names.length} rows`);
});

test('[LD-8] a row between the page and the memory is hinted at', async () => {
  const world = liveWorld({ seed_rows: 2 });
  // More than the rows that one page looks through.
  for (let i = 0; i < 5_100; i += 1) commit(world, ['notes']);
  commit(world, ['tasks']);
  for (let i = 0; i < 5; i += 1) commit(world, ['notes']);
  const reader = new Reader();
  follow(world.hub, reader, { mode: 'hints', since: hlc(3), collections: ['tasks'] });
  await settleAll();
  assert.deepEqual(hintsOf(reader), [hlc(5_101)]);
  assert.equal(reader.log.at(-1), `caught_up ${hlc(5_106)}`);
});

test('[LD-8] the newest bundle is hinted at also when the memory is empty', async () => {
  const world = liveWorld({ seed_rows: 10, seed_bytes: 300, replay_rows: 3 });
  for (let i = 0; i < 20; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  follow(world.hub, reader, { mode: 'hints', since: hlc(1) });
  await settleAll();
  assert.deepEqual(hintsOf(reader), [hlc(20)]);
});

test('[LD-8] pages are not read when a newer row is in memory', async () => {
  const world = liveWorld({ seed_rows: 2, replay_rows: 3 });
  for (let i = 0; i < 20; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  follow(world.hub, reader, { mode: 'hints', since: hlc(1) });
  await settleAll();
  assert.deepEqual(hintsOf(reader), [hlc(20)]);
  assert.equal(world.store.ranges.length, 2, 'the memory, and one page');
});

test('[LD-8] what a reader has that is ahead of the memory is not hinted at', async () => {
  const world = liveWorld();
  for (let i = 0; i < 3; i += 1) commit(world, ['tasks']);
  follow(world.hub, new Reader());
  await settle();
  commit(world, ['tasks']);
  const reader = new Reader();
  follow(world.hub, reader, { mode: 'hints', since: hlc(4) });
  await settle();
  assert.equal(reader.log.at(-1), `caught_up ${hlc(4)}`);
  await world.hub.look();
  await settle();
  assert.deepEqual(reader.hints, []);
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  assert.deepEqual(hintsOf(reader), [hlc(5)]);
});

test('[LD-8] a reader that became full while its page was read is hinted at when it takes again', async () => {
  const world = liveWorld({ seed_rows: 2 });
  for (let i = 0; i < 20; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  world.store.before = (call) => {
    if (call === 'readRows' && world.store.ranges.length === 2) reader.room = 0;
  };
  follow(world.hub, reader, { mode: 'hints', since: hlc(1) });
  await settle();
  assert.deepEqual([reader.hints, reader.faults], [[], []]);
  reader.take();
  assert.deepEqual(hintsOf(reader), [hlc(20)]);
});

test('[LD-7] pages that only readers who left had asked for are not read', async () => {
  const world = liveWorld({ seed_rows: 1, replay_reads: 2 });
  for (let i = 0; i < 40; i += 1) commit(world, ['tasks']);
  follow(world.hub, new Reader());
  await settle();
  let goOn = () => {};
  const slow = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  world.store.before = (call) => (call === 'readRows' ? slow : undefined);
  world.store.ranges.length = 0;
  const readers = Array.from({ length: 20 }, () => new Reader());
  for (const [i, reader] of readers.entries()) follow(world.hub, reader, { since: hlc(i + 1) });
  const last = new Reader();
  follow(world.hub, last, { since: hlc(19) });
  await settle();
  for (const reader of readers) reader.leave();
  goOn();
  await settleAll();
  assert.equal(last.rows.length, 21);
  assert.equal(world.store.ranges.length, 3, 'two that had begun, and one for who is left');
});

test('[LD-7] a page that is taken in parts is read once while it is kept, and again later', async () => {
  const world = liveWorld({ seed_rows: 1, replay_rows: 10 });
  const names = Array.from({ length: 7 }, (_, i) => (i < 4 ? 'tasks' : 'notes'));
  for (let i = 0; i < 4; i += 1) commit(world, names);
  const reader = new Reader();
  reader.room = 3;
  follow(world.hub, reader, { since: ZERO_HLC, collections: ['tasks'] });
  await settle();
  world.store.ranges.length = 0;
  for (const room of [2, 1, 4]) {
    reader.take(room);
    await settle();
  }
  assert.equal(reader.rows.length, 10);
  assert.equal(world.store.ranges.length, 0);
  world.clock.pass(LIVE_LIMITS.replay_kept_ms);
  reader.take();
  await settleAll();
  assert.ok(world.store.ranges.length > 0);
  assert.deepEqual(
    reader.log.filter((line) => line.startsWith('change')),
    [1, 2, 3, 4, 8, 9, 10, 11, 15, 16, 17, 18, 22, 23, 24, 25].map(
      (seq) => `change d${seq}${seq % 7 === 4 ? '.' : ''}`,
    ),
  );
  assert.deepEqual(reader.faults, []);
});
