/** [ST-1] to [ST-5]: order, atomicity, durability and the lock of a scope. */

import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SyncStore } from '../../src/core/ports/store.ts';
import {
  BUDGET_MS,
  contractCase,
  deferred,
  type OpenStore,
  rejectsWith,
  type World,
} from './contract-world.ts';
import { emptyPlan, loadOf, planBundle, receiptKey, versionAfter } from './plan-builder.ts';

/** Registers the cases of `commitGroup`. */
export function commitContract(name: string, open: OpenStore): void {
  contractCase(`[ST-1] ${name}: commit order is version order and seq order`, open, ordered);
  contractCase(`[ST-1] ${name}: scopes keep heads of their own`, open, twoScopes);
  contractCase(`[ST-1] ${name}: store objects on the same data share one order`, open, shared);
  contractCase(`[ST-2] ${name}: readers see a bundle whole or not at all`, open, wholeBundles);
  contractCase(`[ST-2] ${name}: an empty plan leaves no trace`, open, emptyLeavesNothing);
  contractCase(`[ST-2] ${name}: a throwing decide leaves no trace`, open, throwing);
  contractCase(`[ST-2] ${name}: a rejected promise of decide leaves no trace`, open, rejecting);
  contractCase(`[ST-2] ${name}: a taken version refuses the whole group`, open, takenVersion);
  contractCase(`[ST-2] ${name}: a plan without rows keeps the head`, open, receiptsOnly);
  contractCase(`[ST-2] ${name}: a group without time left is not decided`, open, noTimeLeft);
  contractCase(`[ST-3] ${name}: a resolved group is there for every read`, open, visibleAtOnce);
  contractCase(`[ST-4] ${name}: while one decide is held the next is not called`, open, held);
  contractCase(`[ST-4] ${name}: reads go on while a decide is held`, open, readsWhileHeld);
  contractCase(`[ST-5] ${name}: the outcome is the last decision's`, open, lastDecision);
}

async function ordered(world: World): Promise<void> {
  const scope = world.name('order');
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      world.commit(scope, [
        { doc_id: world.name(`a${i}`), data: { i } },
        { doc_id: world.name(`b${i}`), data: { i } },
      ]),
    ),
  );
  await assertChain(world, scope, 40);
}

async function assertChain(world: World, scope: string, count: number): Promise<void> {
  const rows = await world.rows(scope);
  assert.deepEqual(
    rows.map((row) => row.seq),
    Array.from({ length: count }, (_, i) => i + 1),
  );
  rows.forEach((row, i) => {
    const before = rows[i - 1];
    assert.equal(row.prev, before?.version ?? '');
    assert.ok(before === undefined || row.version > before.version);
    assert.equal(row.bundle_seq - (before?.bundle_seq ?? 0), row.ordinal === 0 ? 1 : 0);
  });
  const { head } = await world.store.readScope(scope, null);
  const last = rows.at(-1);
  assert.equal(head?.head_version, last?.version);
  assert.equal(head?.head_seq, last?.seq);
  assert.equal(head?.head_bundle_seq, last?.bundle_seq);
  assert.equal(head?.scope_id, scope);
}

async function twoScopes(world: World): Promise<void> {
  const scopes = [world.name('one'), world.name('two')];
  await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      world.commit(scopes[i % 2] as string, [{ doc_id: world.name(`d${i}`), data: { i } }]),
    ),
  );
  for (const scope of scopes) await assertChain(world, scope, 6);
}

async function shared(world: World): Promise<void> {
  const alone = world.store.capabilities.transactions !== 'replica_set';
  assert.equal(world.second === undefined, alone);
  const other = world.second === undefined ? world.store : await world.second();
  const stores = [world.store, other];
  const scope = world.name('shared');
  await Promise.all(
    Array.from({ length: 16 }, (_, i) =>
      world.commit(scope, [{ doc_id: world.name(`d${i}`), data: { i } }], {
        store: stores[i % 2] as SyncStore,
      }),
    ),
  );
  await assertChain(world, scope, 16);
}

async function wholeBundles(world: World): Promise<void> {
  const scope = world.name('whole');
  const changes = Array.from({ length: 40 }, (_, i) => ({
    doc_id: world.name(`d${i}`),
    data: { i },
  }));
  let done = false;
  const writing = world.commit(scope, changes).finally(() => {
    done = true;
  });
  const seen: number[] = [];
  while (!done) {
    seen.push((await world.rows(scope)).length);
    await nextTurn();
  }
  await writing;
  assert.deepEqual([...new Set([0, ...seen, 40])], [0, 40]);
}

async function emptyLeavesNothing(world: World): Promise<void> {
  const scope = world.name('empty');
  const committed = await world.store.commitGroup(scope, {
    load: { receipts: [], documents: [] },
    budget_ms: BUDGET_MS,
    decide: (snapshot) => ({ plan: emptyPlan(snapshot), outcome: snapshot.head }),
  });
  assert.equal(committed.written, false);
  assert.deepEqual(committed.outcome, absentHead(scope));
  await assertUntouched(world, scope);
}

function absentHead(scope_id: string) {
  return {
    scope_id,
    head_version: '',
    head_seq: 0,
    head_bundle_seq: 0,
    hlc_p: 0,
    hlc_c: 0,
    chain_start: '',
  };
}

async function assertUntouched(world: World, scope: string): Promise<void> {
  const { head } = await world.store.readScope(scope, null);
  assert.deepEqual(head ?? absentHead(scope), absentHead(scope));
  assert.deepEqual(await world.rows(scope), []);
  assert.deepEqual(await world.lines(scope, 'documents', { limit: 10 }), []);
  assert.deepEqual(await world.store.findReceipts([receiptKey([scope], 'm-1')]), []);
}

async function throwing(world: World): Promise<void> {
  const scope = world.name('throwing');
  const fault = new RangeError('a bug in decide');
  const failing = world.store.commitGroup(scope, {
    load: { receipts: [], documents: [] },
    budget_ms: BUDGET_MS,
    decide: () => {
      throw fault;
    },
  });
  await assert.rejects(failing, (error) => error === fault);
  await assertUntouched(world, scope);
  await world.commit(scope, [{ doc_id: world.name('next'), data: {} }]);
  await assertChain(world, scope, 1);
}

async function rejecting(world: World): Promise<void> {
  const scope = world.name('rejecting');
  const fault = new RangeError('a bug in an asynchronous decide');
  const failing = world.store.commitGroup(scope, {
    load: { receipts: [], documents: [] },
    budget_ms: BUDGET_MS,
    decide: () => Promise.reject(fault),
  });
  await assert.rejects(failing, (error) => error === fault);
  await assertUntouched(world, scope);
  await world.commit(scope, [{ doc_id: world.name('next'), data: {} }]);
  await assertChain(world, scope, 1);
}

async function takenVersion(world: World): Promise<void> {
  const taken = await world.commit(world.name('first'), [{ doc_id: world.name('a'), data: {} }]);
  const first_version = taken.outcome.plan.rows[0]?.version;
  assert.ok(first_version);
  const scope = world.name('second');
  const change = { doc_id: world.name('b'), data: {}, mutation_id: 'm-1' };
  await rejectsWith(world.commit(scope, [change], { first_version }), 'version_taken');
  await assertUntouched(world, scope);
}

async function receiptsOnly(world: World): Promise<void> {
  const scope = world.name('receipts');
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  const before = await world.store.readScope(scope, null);
  const change = { doc_id: world.name('a'), data: {}, mutation_id: 'm-1', conflict_id: scope };
  const repeat = async () => {
    const { written } = await world.store.commitGroup(scope, {
      load: loadOf(scope, [change]),
      budget_ms: BUDGET_MS,
      decide: (snapshot) => {
        const { receipts, conflicts } = planBundle(snapshot, [change]);
        const fresh = snapshot.receipts.length === 0 ? receipts : [];
        return { plan: { ...emptyPlan(snapshot), receipts: fresh, conflicts }, outcome: null };
      },
    });
    assert.equal(written, true);
  };
  await repeat();
  await repeat();
  assert.deepEqual(await world.store.readScope(scope, null), before);
  assert.equal((await world.rows(scope)).length, 1);
  assert.equal((await world.store.findReceipts([receiptKey([scope], 'm-1')])).length, 1);
}

async function noTimeLeft(world: World): Promise<void> {
  const scope = world.name('late');
  const late = world.store.commitGroup(scope, {
    load: { receipts: [], documents: [] },
    budget_ms: 0,
    decide: () => assert.fail('there was no time left to decide'),
  });
  await rejectsWith(late, 'deadline');
  await assertUntouched(world, scope);
}

async function visibleAtOnce(world: World): Promise<void> {
  const scope = world.name('visible');
  const doc_id = world.name('d');
  for (let i = 1; i <= 5; i += 1) {
    const mutation_id = `m-${i}`;
    await world.commit(scope, [{ doc_id, data: { i }, mutation_id }]);
    const { head } = await world.store.readScope(scope, null);
    assert.equal(head?.head_seq, i);
    assert.equal((await world.rows(scope)).length, i);
    const [document] = await world.store.readDocuments(scope, [{ collection: 'tasks', doc_id }]);
    assert.deepEqual(document?.data, { i });
    assert.equal((await world.store.findReceipts([receiptKey([scope], mutation_id)])).length, 1);
    const [line] = await world.lines(scope, 'documents', { limit: 5 });
    assert.ok(line?.includes(`{"i":${i}}`));
  }
}

/** Waits for round trips of the store: a group that could start would have started meanwhile. */
async function letOthersRun(world: World): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    await world.lines(world.name('nobody'), 'documents', { limit: 1 });
    await nextTurn();
  }
}

async function held(world: World): Promise<void> {
  const scope = world.name('held');
  const gate = deferred<void>();
  const entered = deferred<void>();
  const calls: string[] = [];
  const first = world.store.commitGroup(scope, {
    load: { receipts: [], documents: [] },
    budget_ms: BUDGET_MS,
    decide: async (snapshot) => {
      calls.push('first');
      entered.resolve();
      await gate.promise;
      const plan = planBundle(snapshot, [{ doc_id: world.name('a'), data: {} }]);
      return { plan, outcome: null };
    },
  });
  await entered.promise;
  const other = world.second === undefined ? world.store : await world.second();
  const waiting = [world.store, other].map((store, i) => {
    const group = world.group(scope, [{ doc_id: world.name(`b${i}`), data: {} }]);
    return store.commitGroup(scope, {
      ...group,
      decide: (snapshot, refused) => {
        calls.push('other');
        assert.notEqual(snapshot.head.head_seq, 0);
        return group.decide(snapshot, refused);
      },
    });
  });
  await letOthersRun(world);
  assert.deepEqual(calls, ['first']);
  gate.resolve();
  await Promise.all([first, ...waiting]);
  await assertChain(world, scope, 3);
}

async function readsWhileHeld(world: World): Promise<void> {
  const scope = world.name('reads');
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  const group = world.group(scope, [{ doc_id: world.name('b'), data: {} }]);
  await world.store.commitGroup(scope, {
    ...group,
    decide: async (snapshot, refused) => {
      assert.equal((await world.rows(scope)).length, 1);
      assert.equal((await world.lines(scope, 'documents', { limit: 5 })).length, 1);
      return group.decide(snapshot, refused);
    },
  });
  await assertChain(world, scope, 2);
}

async function lastDecision(world: World): Promise<void> {
  const scope = world.name('last');
  let calls = 0;
  const { outcome, attempts, written } = await world.store.commitGroup(scope, {
    load: { receipts: [], documents: [] },
    budget_ms: BUDGET_MS,
    decide: (snapshot) => {
      calls += 1;
      const version = versionAfter(snapshot.head, snapshot.now_ms, 0);
      const data = { calls };
      const plan = planBundle(snapshot, [{ doc_id: world.name('d'), data }]);
      return { plan, outcome: { calls, version } };
    },
  });
  assert.equal(written, true);
  assert.equal(outcome.calls, calls);
  assert.ok(attempts >= 1 && attempts >= calls);
  const [row] = await world.rows(scope);
  assert.equal(row?.version, outcome.version);
  assert.ok(row?.line.includes(`{"calls":${calls}}`));
}
