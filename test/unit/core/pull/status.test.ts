/** Status over a store in memory: what it says, what it reads, and that it judges as a pull does. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { StoreError } from '../../../../src/core/ports/store.ts';
import type { SyncError } from '../../../../src/protocol/errors.ts';
import type { PullChange } from '../../../../src/protocol/pull.ts';
import { type Hlc, hlcAfter, ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import type { ScopeStatus } from '../../../../src/protocol/scope-status.ts';
import {
  fill,
  pullQuery,
  request,
  versionOf,
  type World,
  world,
} from '../../../support/engine/engine-world.ts';
import { hlc, SCOPE } from '../../../support/engine/records.ts';

const NOTHING: ScopeStatus = {
  needs_sync: null,
  head_version: ZERO_HLC,
  head_bundle_seq: 0,
  floor_version: null,
  pending_pull_count: null,
  capped: false,
  pending_bundles: null,
  full_resync_required: false,
  reason: null,
  server_timestamp: '2026-05-02T12:00:00.000Z',
};

async function filled(...bundles: readonly (readonly string[])[]): Promise<World> {
  const over = world();
  await fill(over, bundles);
  over.store.calls.length = 0;
  return over;
}

function status(over: World, since: Hlc | null = null, context = request()) {
  return over.engine.status(context, { since });
}

/** As many one-row bundles as asked for, without the cost of pushing them. */
async function long(rows: number): Promise<World> {
  const over = await filled(['tasks/first']);
  const [row] = over.store.rows;
  const head = over.store.heads.get(SCOPE);
  assert.ok(row !== undefined && head !== undefined);
  for (let seq = 2; seq <= rows; seq += 1) {
    const version = hlc(seq);
    over.store.rows.push({ ...row, version, seq, prev: hlc(seq - 1), bundle_seq: seq });
  }
  over.store.heads.set(SCOPE, {
    ...head,
    head_version: hlc(rows),
    head_seq: rows,
    head_bundle_seq: rows,
  });
  return over;
}

test('[SU-1] a scope that does not exist is at the zero version, and a status does not create it', async () => {
  const over = world();
  assert.deepEqual(await status(over), NOTHING);
  assert.deepEqual(await status(over, ZERO_HLC), {
    ...NOTHING,
    needs_sync: false,
    pending_pull_count: 0,
    pending_bundles: 0,
  });
  assert.equal(over.store.heads.size, 0);
  assert.deepEqual(over.store.calls, ['readScope', 'readScope']);
});

test('[SU-1] head, number of bundles, first row and time of the scope', async () => {
  const over = await filled(['tasks/a'], ['notes/b', 'tasks/c'], ['tasks/d']);
  over.store.drop(SCOPE, 1);
  assert.deepEqual(await status(over), {
    ...NOTHING,
    head_version: versionOf(over, 4),
    head_bundle_seq: 3,
    floor_version: versionOf(over, 2),
    server_timestamp: '2026-05-02T12:00:03.000Z',
  });
});

test('[SU-2] what is ahead of a client: all, some, nothing', async () => {
  const over = await filled(['tasks/a'], ['notes/b', 'tasks/c'], ['tasks/d']);
  for (const [since, needs_sync, pending_pull_count, pending_bundles] of [
    [ZERO_HLC, true, 4, 3],
    [versionOf(over, 1), true, 3, null],
    [versionOf(over, 3), true, 1, null],
    [versionOf(over, 4), false, 0, 0],
  ] as const) {
    const { needs_sync: needs, ...said } = await status(over, since);
    assert.deepEqual(
      [needs, said.pending_pull_count, said.capped, said.pending_bundles],
      [needs_sync, pending_pull_count, false, pending_bundles],
    );
    assert.deepEqual([said.full_resync_required, said.reason], [false, null]);
  }
});

test('[SU-2] rows are counted up to 1,000, and beyond that the answer says so', async () => {
  for (const [rows, capped] of [
    [999, false],
    [1_000, false],
    [1_001, true],
  ] as const) {
    const over = await long(rows);
    const said = await status(over, ZERO_HLC);
    assert.deepEqual(
      [said.pending_pull_count, said.capped, said.pending_bundles],
      [Math.min(rows, 1_000), capped, rows],
    );
  }
});

test('[SU-3] a quiet client whose own row was pruned can go on', async () => {
  const over = await filled(['tasks/a'], ['tasks/b'], ['tasks/c']);
  const two = versionOf(over, 2);
  over.store.drop(SCOPE, 2);
  const said = await status(over, two);
  assert.deepEqual(
    [said.needs_sync, said.pending_pull_count, said.full_resync_required],
    [true, 1, false],
  );
});

test('[SU-3] each reason, after the head was confirmed and everything was read again', async () => {
  const over = await filled(['tasks/a'], ['tasks/b'], ['tasks/c'], ['tasks/d']);
  const one = versionOf(over, 1);
  over.store.drop(SCOPE, 2);
  for (const [since, reason] of [
    [hlcAfter(versionOf(over, 4)), 'cursor_ahead'],
    [one, 'history_pruned'],
    [ZERO_HLC, 'history_pruned'],
    [hlcAfter(versionOf(over, 3)), 'chain_broken'],
  ] as const) {
    over.store.calls.length = 0;
    const said = await status(over, since);
    assert.deepEqual([said.full_resync_required, said.reason], [true, reason]);
    assert.deepEqual([said.needs_sync, said.pending_pull_count], [true, null]);
    const look = ['readScope', 'firstRow'];
    assert.deepEqual(over.store.calls, [...look, 'confirmHead', ...look]);
  }
  over.store.drop(SCOPE, 4);
  const { reason, floor_version } = await status(over, one);
  assert.deepEqual([reason, floor_version], ['history_pruned', null], 'nothing is retained');
});

test('[SU-3] a stale first look that a second one does not confirm is not believed', async () => {
  const over = await filled(['tasks/a'], ['tasks/b']);
  const [head, two] = [over.store.heads.get(SCOPE), versionOf(over, 2)];
  assert.ok(head !== undefined);
  over.store.heads.set(SCOPE, { ...head, head_version: versionOf(over, 1), head_seq: 1 });
  over.store.before = (call) => {
    if (call === 'confirmHead') over.store.heads.set(SCOPE, head);
  };
  const said = await status(over, two);
  assert.deepEqual([said.needs_sync, said.reason], [false, null]);
  assert.equal(said.head_version, two);
});

test('[SU-3] another epoch is said before anything else is judged, also without a since', async () => {
  const over = await filled(['tasks/a']);
  for (const since of [null, versionOf(over, 1), hlc(9_000)]) {
    over.store.calls.length = 0;
    const said = await status(over, since, request({ epoch: 'epoch-0' }));
    assert.deepEqual(over.store.calls, ['readScope', 'firstRow'], 'no second look is needed');
    assert.deepEqual([said.needs_sync, said.full_resync_required], [true, true]);
    assert.deepEqual([said.reason, said.pending_pull_count], ['epoch_changed', null]);
  }
  const same = await status(over, versionOf(over, 1), request({ epoch: 'epoch-1' }));
  assert.equal(same.full_resync_required, false);
});

test('[SU-3] wherever a client stands and whatever is pruned, a status says what a pull does', async () => {
  const bundles = [['tasks/a'], ['tasks/b', 'notes/c'], ['tasks/d'], ['tasks/e'], ['notes/f']];
  let stale = 0;
  for (let pruned = 0; pruned <= 6; pruned += 1) {
    const over = await filled(...bundles);
    const versions = [1, 2, 3, 4, 5, 6].map((seq) => versionOf(over, seq));
    over.store.drop(SCOPE, pruned);
    for (const since of [ZERO_HLC, ...versions, ...versions.map(hlcAfter)]) {
      const said = await status(over, since);
      const page = await over.engine.pull(request(), pullQuery({ since, limit: 1_000 }));
      if (page.kind === 'stale') {
        stale += 1;
        assert.equal(said.reason, page.body.reason, `${pruned} ${since}`);
      } else {
        assert.equal(said.reason, null, `${pruned} ${since}`);
        assert.equal(said.pending_pull_count, page.changes.length, `${pruned} ${since}`);
        const last = page.changes.at(-1);
        const seen = last === undefined ? since : (JSON.parse(last) as PullChange).version;
        assert.equal(seen, said.head_version);
      }
      assert.equal(said.needs_sync, said.head_version !== since);
    }
  }
  assert.ok(stale > 40, `only ${stale} stale places were tried`);
});

test('[SU-1] a row that is committed between the two reads is not named as the floor', async () => {
  const over = await filled(['tasks/a'], ['tasks/b']);
  const one = over.store.heads.get(SCOPE);
  const [first] = over.store.rows;
  assert.ok(one !== undefined && first !== undefined);
  over.store.before = (call) => {
    if (call !== 'firstRow') return;
    over.store.rows = [{ ...first, version: hlc(9_000), seq: 3, prev: one.head_version }];
  };
  const said = await status(over);
  assert.deepEqual([said.head_version, said.floor_version], [one.head_version, null]);
});

test('[SU-4] a status reads head, position and first row, for 2 rows and for 50,000', async () => {
  for (const rows of [2, 50_000]) {
    const over = await long(rows);
    for (const since of [null, ZERO_HLC, hlc(2), hlc(rows)]) {
      over.store.calls.length = 0;
      await status(over, since);
      assert.deepEqual(over.store.calls, ['readScope', 'firstRow']);
    }
    assert.deepEqual(over.store.ranges, [], 'no row is read with its content');
  }
});

test('[SU-5] another scope does not show', async () => {
  const over = await filled(['tasks/a'], ['tasks/b']);
  const context = request({
    scope_id: 'scope-2',
    identity: { actor_id: 'bob', scope_ids: ['scope-2'] },
  });
  const said = await status(over, null, context);
  assert.deepEqual({ ...said, server_timestamp: NOTHING.server_timestamp }, NOTHING);
  const there = await status(over, versionOf(over, 1), context);
  assert.deepEqual([there.reason, there.head_version], ['cursor_ahead', ZERO_HLC]);
});

test('[SU-1] a store that fails, and a server that drains', async () => {
  const over = await filled(['tasks/a']);
  over.store.before = () => {
    throw new StoreError('unavailable', 'gone');
  };
  await assert.rejects(status(over), (error: SyncError) => error.code === 'database_unavailable');
  over.store.before = () => undefined;
  await over.engine.drain();
  await assert.rejects(status(over), (error: SyncError) => error.code === 'service_unavailable');
});
