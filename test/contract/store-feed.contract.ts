/** The change feed of a store: what it tells, what it keeps quiet about, and how it ends. */

import assert from 'node:assert/strict';
import type { ChangeFeed } from '../../src/core/ports/feed.ts';
import { ToldRows } from '../support/told-rows.ts';
import { contractCase, type OpenStore, rejectsWith, type World } from './contract-world.ts';
import { emptyPlan, loadOf, planBundle } from './plan-builder.ts';
import { RICH } from './store-reads.contract.ts';

/** Registers the cases of the change feed. */
export function feedContract(name: string, open: OpenStore): void {
  contractCase(`[FE-1] ${name}: rows are told as a read gives them`, open, sameRows);
  contractCase(`[FE-1] ${name}: many commits of several scopes are told in order`, open, inOrder);
  contractCase(`[FE-2] ${name}: what is not committed is not told`, open, onlyCommitted);
  contractCase(`[FE-1] ${name}: rows that go are not told`, open, pruned);
  contractCase(`[FE-3] ${name}: nothing is told after close`, open, closed);
  contractCase(
    `[FE-3] ${name}: a listener that throws is ended, the commit stands`,
    open,
    throwing,
  );
  contractCase(`[FE-4] ${name}: two stores on one database hear of each other`, open, eachOther);
  contractCase(`[FE-5] ${name}: the feed ends with its store`, open, endsWithStore);
}

function feedOf(world: World): ChangeFeed {
  assert.ok(world.store.feed, 'a store that is written through has a feed');
  return world.store.feed;
}

async function sameRows(world: World): Promise<void> {
  const scope = world.name('told');
  await world.commit(scope, [{ doc_id: world.name('before'), data: {} }]);
  const told = new ToldRows();
  const feed = await feedOf(world).open(told);
  const doc_id = world.name('rich');
  const typed = { ...RICH, count: { $numberLong: '9007199254740991' } };
  await world.commit(scope, [
    { doc_id, data: RICH, typed, mutation_id: 'm-1' },
    { doc_id: world.name('plain'), data: { n: 1 }, collection: 'notes' },
  ]);
  await world.commit(scope, [{ doc_id, data: null, mutation_id: 'm-2' }], { resets: ['tasks'] });
  const rows = await told.until(scope, 4);
  assert.deepEqual(rows, (await world.rows(scope)).slice(1));
  assert.deepEqual(told.ends, []);
  await feed.close();
}

async function inOrder(world: World): Promise<void> {
  const scopes = ['one', 'two', 'three'].map((part) => world.name(`order-${part}`));
  const told = new ToldRows();
  const feed = await feedOf(world).open(told);
  await Promise.all(
    scopes.map(async (scope) => {
      for (let i = 0; i < 10; i += 1) {
        const ids = ['a', 'b', 'c'].map((part) => `${scope}-${part}${i}`);
        await world.commit(
          scope,
          ids.map((doc_id) => ({ doc_id, data: { i } })),
        );
      }
    }),
  );
  for (const scope of scopes) {
    assert.deepEqual(await told.until(scope, 30), await world.rows(scope));
  }
  assert.ok(told.calls.length < 90, 'rows that come together are told together');
  await feed.close();
}

async function pruned(world: World): Promise<void> {
  const scope = world.name('pruned');
  const told = new ToldRows();
  const feed = await feedOf(world).open(told);
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  const [first] = await told.until(scope, 1);
  assert.equal(await world.store.prune(scope, 1), 1);
  await world.commit(scope, [{ doc_id: world.name('b'), data: {} }]);
  await told.until(scope, 2);
  assert.deepEqual(told.of(scope), [first, ...(await world.rows(scope))]);
  assert.deepEqual(told.ends, []);
  await feed.close();
}

async function onlyCommitted(world: World): Promise<void> {
  const scope = world.name('quiet');
  const told = new ToldRows();
  const feed = await feedOf(world).open(told);
  const changes = [{ doc_id: world.name('never'), data: {} }];
  await world.store.commitGroup(scope, {
    load: loadOf(scope, changes),
    budget_ms: 5_000,
    decide: (snapshot) => ({ plan: emptyPlan(snapshot), outcome: null }),
  });
  const refused = world.store.commitGroup(scope, {
    load: loadOf(scope, changes),
    budget_ms: 5_000,
    decide: () => {
      throw new Error('no decision');
    },
  });
  await assert.rejects(refused, /no decision/);
  const [other] = changes as [(typeof changes)[number]];
  const guarded = [{ ...other, guard: { version: null, hash: 'f'.repeat(64) } }];
  const failed = world.store.commitGroup(scope, {
    load: loadOf(scope, guarded),
    budget_ms: 150,
    decide: (snapshot) => ({ plan: planBundle(snapshot, guarded), outcome: null }),
  });
  await assert.rejects(failed);
  assert.deepEqual(told.calls, []);
  await world.commit(scope, [{ doc_id: world.name('marker'), data: {} }]);
  await told.until(scope, 1);
  assert.deepEqual(told.of(scope), await world.rows(scope));
  await feed.close();
}

async function closed(world: World): Promise<void> {
  const scope = world.name('closed');
  const [early, late] = [new ToldRows(), new ToldRows()];
  const first = await feedOf(world).open(early);
  const second = await feedOf(world).open(late);
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  await Promise.all([early.until(scope, 1), late.until(scope, 1)]);
  await first.close();
  await first.close();
  await world.commit(scope, [{ doc_id: world.name('b'), data: {} }]);
  await late.until(scope, 2);
  assert.equal(early.of(scope).length, 1);
  assert.deepEqual([early.ends, late.ends], [[], []]);
  await second.close();
}

async function throwing(world: World): Promise<void> {
  const scope = world.name('throws');
  const [bad, good] = [new ToldRows(), new ToldRows()];
  const fault = new Error('a listener failed');
  bad.rows = () => {
    throw fault;
  };
  const feeds = [await feedOf(world).open(bad), await feedOf(world).open(good)];
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  assert.equal(await bad.untilEnded(), fault);
  await world.commit(scope, [{ doc_id: world.name('b'), data: {} }]);
  assert.deepEqual(await good.until(scope, 2), await world.rows(scope));
  assert.deepEqual(bad.ends, [fault]);
  for (const feed of feeds) await feed.close();
}

async function eachOther(world: World): Promise<void> {
  if (world.second === undefined) return;
  const scope = world.name('both');
  const other = await world.second();
  const [here, there] = [new ToldRows(), new ToldRows()];
  assert.ok(other.feed);
  const feeds = [await feedOf(world).open(here), await other.feed.open(there)];
  for (const [i, store] of [world.store, other, world.store].entries()) {
    await world.commit(scope, [{ doc_id: world.name(`both-${i}`), data: { i } }], { store });
  }
  const rows = await world.rows(scope);
  assert.deepEqual(await here.until(scope, 3), rows);
  assert.deepEqual(await there.until(scope, 3), rows);
  for (const feed of feeds) await feed.close();
}

async function endsWithStore(world: World): Promise<void> {
  // The store of the case itself is closed by its last round only.
  if (world.round === 1) return;
  const told = new ToldRows();
  const feed = feedOf(world);
  await feed.open(told);
  const closing = world.store.close();
  assert.match(String(await told.untilEnded()), /StoreError/);
  await closing;
  assert.equal(told.ends.length, 1);
  await rejectsWith(feed.open(new ToldRows()), 'unavailable');
}
