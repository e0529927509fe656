/** Round trips, counted by the driver's command monitoring: the same for one change and for many. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlannedChange } from '../contract/plan-builder.ts';
import { request, world } from '../support/engine/engine-world.ts';
import { groupOf, openWatched } from './mongo-world.ts';

const SCOPE = 'scope-1';
const MANY = 500;

function changesOf(count: number, round: string): PlannedChange[] {
  return Array.from({ length: count }, (_, i) => ({
    collection: i % 2 === 0 ? 'tasks' : 'notes',
    doc_id: `d${i}`,
    data: { round, i },
    mutation_id: `${round}-${i}`,
  }));
}

test('[PU-18] a push takes 4 round trips and one per collection, for 2 changes and for 500', async () => {
  const { store, takeStarted, close } = await openWatched();
  try {
    await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(1, 'first')));
    takeStarted();
    for (const [count, round] of [
      [2, 'create-2'],
      [MANY, 'create-many'],
      [MANY, 'update-many'],
    ] as const) {
      await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(count, round)));
      assert.deepEqual(takeStarted(), [
        'findAndModify',
        'aggregate',
        'find',
        'find',
        'bulkWrite',
        'commitTransaction',
      ]);
    }
    const deletions = changesOf(MANY, 'delete').map((change) => ({ ...change, data: null }));
    await store.commitGroup(SCOPE, groupOf(SCOPE, deletions));
    assert.equal(takeStarted().length, 6);
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 1 + 2 + 3 * MANY);
  } finally {
    await close();
  }
});

test('[PU-18] before 8.0 a push takes at most 10 round trips and 2 per collection', async () => {
  const { store, takeStarted, close } = await openWatched({ clientBulkWrite: false });
  try {
    await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(4, 'first')));
    for (const round of ['a', 'b']) {
      takeStarted();
      await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(MANY, round)));
      const started = takeStarted();
      assert.ok(started.length <= 14, started.join(' '));
      assert.ok(!started.includes('bulkWrite'));
    }
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 4 + 2 * MANY);
  } finally {
    await close();
  }
});

test('[PL-12] a pull takes two round trips, for one row and for 500', async () => {
  const { store, takeStarted, close } = await openWatched();
  try {
    const first = await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(1, 'first')));
    await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(MANY, 'many')));
    const since = first.outcome.plan.head.head_version;
    assert.ok(since !== '');
    for (const max_rows of [1, 1_500]) {
      takeStarted();
      const { at } = await store.readScope(SCOPE, since);
      assert.equal(at?.seq, 1);
      const range = { scope_id: SCOPE, after_seq: 1, max_rows, max_bytes: 8_388_608 };
      assert.equal((await store.readRows(range)).length, Math.min(max_rows, MANY));
      assert.deepEqual(takeStarted(), ['aggregate', 'find']);
    }
  } finally {
    await close();
  }
});

test('[SU-4] a status takes two round trips, for one row and for 500', async () => {
  const { store, takeStarted, close } = await openWatched();
  try {
    const { engine } = world({ store });
    const { outcome } = await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(1, 'first')));
    const since = outcome.plan.head.head_version;
    assert.ok(since !== '');
    for (const [count, ahead] of [
      [0, 0],
      [1, 1],
      [MANY, MANY + 1],
    ] as const) {
      const changes = changesOf(count, `round-${count}`);
      if (count > 0) await store.commitGroup(SCOPE, groupOf(SCOPE, changes));
      takeStarted();
      const said = await engine.status(request(), { since });
      assert.equal(said.pending_pull_count, ahead);
      assert.deepEqual(takeStarted(), ['aggregate', 'find']);
    }
  } finally {
    await close();
  }
});

test('[FU-8] a page of a full resync takes two round trips inside a collection', async () => {
  const { store, takeStarted, close } = await openWatched();
  try {
    await store.commitGroup(SCOPE, groupOf(SCOPE, changesOf(MANY, 'many')));
    for (const [limit, count, more] of [
      [1, 1, true],
      [249, 249, true],
      [250, 250, false],
      [1_000, 250, false],
    ] as const) {
      takeStarted();
      const walk = store.openWalk(SCOPE);
      await walk.head();
      const batch = await walk.documents({ collection: 'tasks', after: null, limit });
      await walk.close();
      assert.deepEqual([batch.count, batch.more], [count, more]);
      assert.deepEqual(takeStarted(), ['find', 'find']);
    }
  } finally {
    await close();
  }
});
