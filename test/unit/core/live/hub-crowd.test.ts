/** The hub: many readers of one scope, and what reaches a reader in one go. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { commit, follow, liveWorld, Reader, settle } from '../../../support/engine/live-world.ts';
import { SCOPE } from '../../../support/engine/records.ts';

/** Writes down the brackets as well. */
class CorkedReader extends Reader {
  cork(): void {
    this.log.push('cork');
  }

  uncork(): void {
    this.log.push('uncork');
  }
}

function crowdOf(world: ReturnType<typeof liveWorld>, count: number): Reader[] {
  const readers = Array.from({ length: count }, () => new Reader());
  for (const reader of readers) follow(world.hub, reader, { since: ZERO_HLC });
  return readers;
}

test('[LD-12] a crowd is woken in groups, with a turn for others in between; a group that fits is woken at once', async () => {
  const world = liveWorld({ woken_at_once: 2 });
  const readers = crowdOf(world, 5);
  await settle();
  const counts: number[][] = [];
  world.clock.onSleep = () => counts.push(readers.map(({ rows }) => rows.length));
  world.clock.slept.length = 0;
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  assert.deepEqual(
    readers.map(({ rows }) => rows.length),
    [1, 1, 0, 0, 0],
  );
  await settle();
  assert.deepEqual(counts, [
    [1, 1, 0, 0, 0],
    [1, 1, 1, 1, 0],
  ]);
  assert.deepEqual(world.clock.slept, [0, 0]);
  assert.deepEqual(
    readers.map(({ rows }) => rows.length),
    [1, 1, 1, 1, 1],
  );

  for (const reader of readers.slice(2)) reader.leave();
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  assert.deepEqual(
    readers.map(({ rows }) => rows.length),
    [2, 2, 1, 1, 1],
  );
});

test('[LD-12] rows that come and readers that go while a crowd is woken: each row once, in order', async () => {
  const world = liveWorld({ woken_at_once: 2 });
  const readers = crowdOf(world, 7);
  await settle();
  let left = 4;
  world.clock.onSleep = () => {
    left -= 1;
    if (left >= 0) world.hub.tell(SCOPE, commit(world, ['tasks', 'notes']));
    if (left === 2) readers.shift()?.leave();
    if (left === 1) readers.pop()?.leave();
  };
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  await settle();
  await settle();
  assert.equal(readers.length, 5);
  for (const reader of readers) {
    assert.deepEqual(
      reader.rows.map(({ doc_id }) => doc_id),
      Array.from({ length: 9 }, (_, n) => `d${n + 1}`),
    );
    assert.deepEqual(reader.faults, []);
  }
});

test('[LD-7] what a reader gets in one go is bracketed, so that it may leave in one piece', async () => {
  const world = liveWorld({ seed_rows: 2 });
  for (let n = 0; n < 4; n += 1) commit(world, ['tasks']);
  const reader = new CorkedReader();
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  const kinds = reader.log.map((line) => line.split(' ')[0]);
  assert.deepEqual(kinds, [
    ...['cork', 'subscribed', 'uncork'],
    // A page of the store.
    ...['cork', 'change', 'change', 'change', 'change', 'uncork'],
    ...['cork', 'caught_up', 'uncork'],
  ]);
  reader.log.length = 0;
  world.hub.tell(SCOPE, commit(world, ['tasks', 'notes', 'tasks']));
  await settle();
  assert.deepEqual(reader.log, ['cork', 'change d5', 'change d6', 'change d7.', 'uncork']);
});
