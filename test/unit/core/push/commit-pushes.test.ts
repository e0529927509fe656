/** How a group is committed: one attempt for all, its members alone when that fails, in time. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { commitPushes, type PushJob } from '../../../../src/core/push/commit-pushes.ts';
import { StoreError, type StoreErrorKind } from '../../../../src/core/ports/store.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { VERSION_TAKEN_RETRIES_MAX } from '../../../../src/protocol/pure/limits.ts';
import { change, push } from '../../../support/engine/deciding.ts';
import { type World, world } from '../../../support/engine/engine-world.ts';
import { SCOPE } from '../../../support/engine/records.ts';

function jobs(over: World, ids: readonly string[], budgets: readonly number[] = []): PushJob[] {
  return ids.map((doc_id, i) => ({
    push: push([change({ doc_id })]),
    changes: 1,
    bytes: 10,
    deadline_at: over.clock.mono + (budgets[i] ?? 10_000),
    isGone: () => false,
  }));
}

/** Per push: version order of its first result, or the code and reason it failed with. */
async function commit(over: World, waiting: readonly PushJob[]) {
  const outcomes = await commitPushes(over.core, SCOPE, waiting);
  assert.equal(outcomes.length, waiting.length);
  return outcomes.map((one) => {
    if (one.ok) return one.value.outcome.results[0]?.status;
    const error = one.error as { code?: string; details?: { reason?: string }; message: string };
    return [error.code ?? error.message, error.details?.reason].filter(Boolean).join(' ');
  });
}

function failing(...kinds: readonly (StoreErrorKind | Error)[]): World {
  const over = world();
  over.store.failures.push(
    ...kinds.map((kind) => (kind instanceof Error ? kind : new StoreError(kind, 'static text'))),
  );
  return over;
}

test('[PU-12] a group is one commit and one event, with the head after it', async () => {
  const over = world();
  const outcomes = await commitPushes(over.core, SCOPE, jobs(over, ['a', 'b']));
  const [first, second] = outcomes;
  assert.ok(first?.ok && second?.ok);
  const head = over.store.heads.get(SCOPE);
  assert.deepEqual([first.value.head, first.value.head_bundle_seq], [head?.head_version, 2]);
  assert.deepEqual([first.value.outcome.bundle_seq, second.value.outcome.bundle_seq], [1, 2]);
  assert.deepEqual(over.store.groups, [{ scope_id: SCOPE, budget_ms: 10_000 }]);
  assert.deepEqual(over.events, [
    {
      event: 'group.committed',
      scope_id: SCOPE,
      pushes: 2,
      rows: 2,
      attempts: 1,
      head: head?.head_version,
      head_lead_ms: 0,
    },
  ]);
});

test('[PU-17] the head of a scope without rows is the zero version', async () => {
  const over = world();
  const nothing = { ...jobs(over, ['a'])[0]!, push: push([change({ doc_id: '' })]) };
  const [only] = await commitPushes(over.core, SCOPE, [nothing]);
  assert.ok(only?.ok && only.value.head === ZERO_HLC && only.value.head_bundle_seq === 0);
});

test('[PU-12] what a group loads names every admitted change and every mutation once', async () => {
  const over = world();
  const loads: unknown[] = [];
  const { store } = over.core;
  const spied = {
    ...over.core,
    store: new Proxy(store, {
      get: (target, name) =>
        name === 'commitGroup'
          ? (scope: string, group: Parameters<typeof store.commitGroup>[1]) => {
              loads.push(group.load);
              return target.commitGroup(scope, group);
            }
          : Reflect.get(target, name),
    }),
  };
  const sent = push(
    [
      change({ mutation_id: 'm2', parent_mutation_id: 'm1' }),
      change({ mutation_id: 'm2', parent_mutation_id: 'm1' }),
      change({ doc_id: '' }),
    ],
    { scope_ids: [SCOPE, 'scope-2'] },
  );
  await commitPushes(spied, SCOPE, [{ ...jobs(over, ['a'])[0]!, push: sent }]);
  const identity = { scope_ids: [SCOPE, 'scope-2'], actor_id: 'actor-1', client_id: 'client-m' };
  const document = { collection: 'tasks', doc_id: 't1', parent_version: null };
  assert.deepEqual(loads, [
    {
      receipts: ['m2', 'm1'].map((mutation_id) => ({ ...identity, mutation_id })),
      documents: [document, document],
    },
  ]);
});

test('[PU-13] a group that fails is run again push by push, each with its own fate', async () => {
  for (const kind of ['unavailable', 'failed'] as const) {
    const over = failing(kind, kind);
    const code = kind === 'failed' ? 'internal' : 'database_unavailable unavailable';
    assert.deepEqual(await commit(over, jobs(over, ['a', 'b', 'c'])), [
      code,
      'accepted',
      'accepted',
    ]);
    assert.equal(over.store.groups.length, 4);
    assert.equal(over.events.length, 2);
  }
  const bug = failing(new TypeError('a bug'), new TypeError('a bug'));
  assert.deepEqual(await commit(bug, jobs(bug, ['a', 'b'])), ['a bug', 'accepted']);
});

test('[PU-13] a push that fails alone is not run again', async () => {
  const over = failing('unavailable');
  assert.deepEqual(await commit(over, jobs(over, ['a'])), ['database_unavailable unavailable']);
  assert.equal(over.store.groups.length, 1);
});

test('[PU-10] an unknown commit, a deadline and a lost store fail the group as it is', async () => {
  for (const kind of ['commit_unknown', 'deadline', 'locked'] as const) {
    const over = failing(kind);
    const answer = `database_unavailable ${kind}`;
    assert.deepEqual(await commit(over, jobs(over, ['a', 'b'])), [answer, answer]);
    assert.equal(over.store.groups.length, 1, 'what may be stored is not written again');
    assert.equal(over.store.rows.length, 0);
  }
});

test('[HL-6] a taken version draws a new node id and runs again, at most three times', async () => {
  const over = failing('version_taken', 'version_taken', 'version_taken');
  const before = over.core.hybridClock.node;
  assert.deepEqual(await commit(over, jobs(over, ['a'])), ['accepted']);
  assert.notEqual(over.core.hybridClock.node, before);
  assert.equal(over.store.groups.length, 4);
  assert.ok(over.store.rows[0]?.version.endsWith(over.core.hybridClock.node));
  const kinds = Array<StoreErrorKind>(VERSION_TAKEN_RETRIES_MAX + 1).fill('version_taken');
  const hopeless = failing(...kinds);
  assert.deepEqual(await commit(hopeless, jobs(hopeless, ['a'])), [
    'database_unavailable version_taken',
  ]);
  assert.equal(hopeless.store.groups.length, kinds.length);
});

test('[PU-12] a push past its deadline is answered alone, its group stays a group', async () => {
  const over = world();
  assert.deepEqual(await commit(over, jobs(over, ['a', 'b', 'c'], [5_000, 0, 7_000])), [
    'accepted',
    'service_unavailable deadline',
    'accepted',
  ]);
  assert.deepEqual(
    over.store.groups.map(({ budget_ms }) => budget_ms),
    [7_000],
    'one attempt, with the time of the newest push',
  );
  const late = world();
  assert.deepEqual(await commit(late, jobs(late, ['a', 'b'], [0, -1])), [
    'service_unavailable deadline',
    'service_unavailable deadline',
  ]);
  assert.equal(late.store.groups.length, 0);
});

test('[PU-12] the deadline also ends the attempts after a taken version', async () => {
  const over = failing('version_taken', 'version_taken');
  over.store.before = () => over.clock.pass(6_000);
  assert.deepEqual(await commit(over, jobs(over, ['a'])), ['service_unavailable deadline']);
  assert.deepEqual(
    over.store.groups.map(({ budget_ms }) => budget_ms),
    [10_000, 4_000],
  );
});

test('[PU-13] singles whose time is over while the others run are answered 503', async () => {
  const over = failing('unavailable');
  over.store.before = (call) => {
    if (call === 'commitGroup') over.clock.pass(4_000);
  };
  assert.deepEqual(await commit(over, jobs(over, ['a', 'b', 'c', 'd'])), [
    'accepted',
    'accepted',
    'service_unavailable deadline',
    'service_unavailable deadline',
  ]);
});
