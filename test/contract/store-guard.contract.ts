/** [ST-6] and [ST-7]: what a plan expects is checked, and receipts are unique. */

import assert from 'node:assert/strict';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import type { WriteGuard } from '../../src/core/ports/store.ts';
import { contractCase, type OpenStore, rejectsWith, type World } from './contract-world.ts';
import { ACTOR, CLIENT, hashOf, loadOf, planBundle, receiptKey } from './plan-builder.ts';

/** How long a group that can never be written keeps trying, ms. */
const SHORT_BUDGET_MS = 150;
const FOREIGN = '20200101T000000.000Z-0000-other' as Hlc;

/** Registers the cases of guards and receipts. */
export function guardContract(name: string, open: OpenStore): void {
  contractCase(`[ST-6] ${name}: a document that must not exist is kept`, open, mustNotExist);
  contractCase(`[ST-6] ${name}: a changed version is never overwritten`, open, changedVersion);
  contractCase(`[ST-6] ${name}: changed content is never overwritten`, open, changedHash);
  contractCase(`[ST-6] ${name}: a changed document is never dropped`, open, changedDrop);
  contractCase(`[ST-6] ${name}: a matching guard lets the write through`, open, matching);
  contractCase(`[ST-6] ${name}: another scope's document is never written`, open, otherScope);
  contractCase(`[ST-7] ${name}: a stored receipt is never written again`, open, uniqueReceipt);
  contractCase(`[ST-7] ${name}: receipts are found over several scopes`, open, severalScopes);
  contractCase(`[ST-7] ${name}: the parts of a key are not joined`, open, partsOfAKey);
}

interface Attempt {
  readonly guard: WriteGuard | null;
  readonly data: { readonly stolen: true } | null;
}

async function assertRefused(world: World, attempt: Attempt): Promise<void> {
  const scope = world.name(`guard-${attempt.data === null}-${JSON.stringify(attempt.guard)}`);
  const doc_id = world.name('d');
  await world.commit(scope, [{ doc_id: scope + doc_id, data: { mine: true } }]);
  const change = { ...attempt, doc_id: scope + doc_id, mutation_id: 'm-1' };
  const stolen = world.store.commitGroup(scope, {
    ...world.group(scope, [change]),
    budget_ms: SHORT_BUDGET_MS,
  });
  await rejectsWith(stolen, 'deadline', 'failed');
  assert.equal((await world.rows(scope)).length, 1);
  const [document] = await world.store.readDocuments(scope, [
    { collection: 'tasks', doc_id: scope + doc_id },
  ]);
  assert.deepEqual(document?.data, { mine: true });
  assert.deepEqual(await world.store.findReceipts([receiptKey([scope], 'm-1')]), []);
  assert.deepEqual(await world.lines(scope, 'tombstones', { limit: 5 }), []);
}

function mustNotExist(world: World): Promise<void> {
  return assertRefused(world, { guard: null, data: { stolen: true } });
}

function changedVersion(world: World): Promise<void> {
  const guard = { version: FOREIGN, hash: hashOf({ mine: true }) };
  return assertRefused(world, { guard, data: { stolen: true } });
}

async function changedHash(world: World): Promise<void> {
  const scope = world.name('hash');
  const doc_id = world.name('hash-d');
  const { outcome } = await world.commit(scope, [{ doc_id, data: { mine: true } }]);
  const version = outcome.plan.rows[0]?.version ?? null;
  const guard = { version, hash: hashOf({ other: true }) };
  const change = { doc_id, data: { stolen: true }, guard };
  const stolen = world.store.commitGroup(scope, {
    ...world.group(scope, [change]),
    budget_ms: SHORT_BUDGET_MS,
  });
  await rejectsWith(stolen, 'deadline', 'failed');
  const [document] = await world.store.readDocuments(scope, [{ collection: 'tasks', doc_id }]);
  assert.deepEqual(document?.data, { mine: true });
}

function changedDrop(world: World): Promise<void> {
  const guard = { version: FOREIGN, hash: hashOf({ mine: true }) };
  return assertRefused(world, { guard, data: null });
}

async function matching(world: World): Promise<void> {
  const scope = world.name('match');
  const doc_id = world.name('match-d');
  const created = await world.commit(scope, [{ doc_id, data: { n: 1 } }]);
  const guard = { version: created.outcome.plan.head.head_version as Hlc, hash: hashOf({ n: 1 }) };
  await world.commit(scope, [{ doc_id, data: { n: 2 }, guard }]);
  const [document] = await world.store.readDocuments(scope, [{ collection: 'tasks', doc_id }]);
  const { head } = await world.store.readScope(scope, null);
  assert.deepEqual(document, {
    collection: 'tasks',
    doc_id,
    scope_id: scope,
    version: head?.head_version,
    change_version: head?.head_version,
    hash: hashOf({ n: 2 }),
    actor_id: ACTOR,
    client_id: CLIENT,
    data: { n: 2 },
    read_only: false,
  });
  await world.commit(scope, [{ doc_id, data: null }]);
  assert.deepEqual(await world.store.readDocuments(scope, [{ collection: 'tasks', doc_id }]), []);
}

async function otherScope(world: World): Promise<void> {
  const owner = world.name('owner');
  const doc_id = world.name('owned');
  const created = await world.commit(owner, [{ doc_id, data: { mine: true } }]);
  const guard = {
    version: created.outcome.plan.head.head_version as Hlc,
    hash: hashOf({ mine: true }),
  };
  const thief = world.name('thief');
  for (const data of [{ stolen: true }, null]) {
    const theft = world.store.commitGroup(thief, {
      ...world.group(thief, [{ doc_id, data, guard }]),
      budget_ms: SHORT_BUDGET_MS,
    });
    await rejectsWith(theft, 'deadline', 'failed');
  }
  const [document] = await world.store.readDocuments(owner, [{ collection: 'tasks', doc_id }]);
  assert.deepEqual(document?.data, { mine: true });
  assert.deepEqual(await world.rows(thief), []);
}

async function uniqueReceipt(world: World): Promise<void> {
  const scope = world.name('unique');
  const first = { doc_id: world.name('u1'), data: { n: 1 }, mutation_id: 'm-1' };
  await world.commit(scope, [first]);
  const again = { doc_id: world.name('u2'), data: { n: 2 }, mutation_id: 'm-1' };
  let calls = 0;
  const repeated = world.store.commitGroup(scope, {
    load: loadOf(scope, [again]),
    budget_ms: SHORT_BUDGET_MS,
    decide: (snapshot) => {
      calls += 1;
      assert.equal(snapshot.receipts.length, 1);
      return { plan: planBundle(snapshot, [again]), outcome: null };
    },
  });
  await rejectsWith(repeated, 'deadline', 'failed');
  assert.ok(calls >= 1);
  const found = await world.store.findReceipts([receiptKey([scope], 'm-1')]);
  assert.deepEqual(
    found.map((receipt) => receipt.doc_id),
    [first.doc_id],
  );
  assert.equal((await world.rows(scope)).length, 1);
}

async function severalScopes(world: World): Promise<void> {
  const scopes = ['a', 'b', 'c'].map((part) => world.name(part));
  for (const scope of scopes) {
    await world.commit(scope, [{ doc_id: `${scope}-d`, data: {}, mutation_id: 'm-1' }]);
  }
  const [a, b] = scopes as [string, string, string];
  const found = await world.store.findReceipts([
    receiptKey([a, b], 'm-1'),
    receiptKey([a, b], 'm-2'),
  ]);
  assert.deepEqual(found.map((receipt) => receipt.scope_id).sort(), [a, b]);
  const [receipt] = found.filter((one) => one.scope_id === a);
  const [row] = await world.rows(a);
  assert.deepEqual(receipt, {
    ...receipt,
    actor_id: ACTOR,
    client_id: CLIENT,
    mutation_id: 'm-1',
    hash: hashOf({}),
    collection: 'tasks',
    doc_id: `${a}-d`,
    result: {
      status: 'accepted',
      resolution: 'applied',
      new_version: row?.version,
      server_version: row?.version,
      bundle_seq: 1,
    },
  });
}

async function partsOfAKey(world: World): Promise<void> {
  const scope = world.name('parts');
  await world.commit(scope, [{ doc_id: world.name('p'), data: {}, mutation_id: 'x/y' }]);
  const key = receiptKey([scope], 'x/y');
  const others = [
    { ...key, client_id: `${key.client_id}/x`, mutation_id: 'y' },
    { ...key, actor_id: 'someone' },
    { ...key, client_id: 'another' },
    { ...key, mutation_id: 'X/Y' },
  ];
  assert.deepEqual(await world.store.findReceipts(others), []);
  assert.equal((await world.store.findReceipts([...others, key])).length, 1);
}
