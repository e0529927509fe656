/** What a group finds under the lock: documents, tombstones, receipts, parents and the floor. */

import assert from 'node:assert/strict';
import { ZERO_HLC, type Hlc } from '../../src/protocol/pure/hlc.ts';
import { isTombstone } from '../../src/core/ports/group-rules.ts';
import type { StoredDocument, Tombstone } from '../../src/core/ports/records.ts';
import type { GroupLoad, GroupSnapshot } from '../../src/core/ports/store.ts';
import { BUDGET_MS, contractCase, type OpenStore, type World } from './contract-world.ts';
import { emptyPlan, hashOf, receiptKey } from './plan-builder.ts';

const ABSENT = '20200101T000000.000Z-0000-gone' as Hlc;

/** Registers the cases of the load. */
export function loadContract(name: string, open: OpenStore): void {
  contractCase(
    `[ST-1] ${name}: the snapshot holds the head and the store's time`,
    open,
    headAndTime,
  );
  contractCase(`[ST-8] ${name}: documents are loaded whatever their scope`, open, anyScope);
  contractCase(`[ST-8] ${name}: tombstones are loaded from the scope only`, open, ownTombstones);
  contractCase(`[ST-8] ${name}: parents are retained rows of the scope only`, open, ownParents);
  contractCase(`[ST-7] ${name}: receipts are loaded for the named scopes only`, open, namedScopes);
  contractCase(`[ST-8] ${name}: the floor is loaded only when it is needed`, open, floorWhenNeeded);
  contractCase(`[ST-8] ${name}: a repeated key is loaded once`, open, repeatedKeys);
}

/** What a group with this load sees; nothing is written. */
async function look(world: World, scope: string, load: Partial<GroupLoad>): Promise<GroupSnapshot> {
  const { outcome } = await world.store.commitGroup(scope, {
    load: { receipts: [], documents: [], ...load },
    budget_ms: BUDGET_MS,
    decide: (snapshot) => ({ plan: emptyPlan(snapshot), outcome: snapshot }),
  });
  return outcome;
}

function wanted(doc_id: string, parent_version: Hlc | null = null) {
  return { collection: 'tasks', doc_id, parent_version };
}

async function headAndTime(world: World): Promise<void> {
  const scope = world.name('time');
  const before = await look(world, scope, {});
  assert.ok(before.now_ms > Date.UTC(2025, 0, 1) && Number.isInteger(before.now_ms));
  const { outcome } = await world.commit(scope, [{ doc_id: world.name('t'), data: {} }]);
  const after = await look(world, scope, {});
  assert.deepEqual(after.head, outcome.plan.head);
  assert.ok(after.now_ms >= before.now_ms);
  assert.equal(after.floor, undefined);
}

async function anyScope(world: World): Promise<void> {
  const owner = world.name('owner');
  const doc_id = world.name('owned');
  await world.commit(owner, [{ doc_id, data: { a: [1, { b: null }] } }]);
  const seen = await look(world, world.name('stranger'), {
    documents: [wanted(doc_id), { ...wanted(doc_id), collection: 'notes' }],
  });
  assert.deepEqual(
    seen.documents.map((document) => [document.scope_id, document.collection, document.hash]),
    [[owner, 'tasks', hashOf({ a: [1, { b: null }] })]],
  );
  assert.deepEqual(seen.documents[0]?.data, { a: [1, { b: null }] });
  assert.equal(seen.documents[0]?.read_only, false);
}

async function ownTombstones(world: World): Promise<void> {
  const owner = world.name('owner');
  const doc_id = world.name('deleted');
  await world.commit(owner, [{ doc_id, data: {} }]);
  const { outcome } = await world.commit(owner, [{ doc_id, data: null }]);
  const own = await look(world, owner, { documents: [wanted(doc_id)] });
  // Beside the collection, or as the marked document itself.
  const inPlace = own.documents.filter(isTombstone);
  assert.deepEqual(own.documents.length, inPlace.length);
  const known = ({ version, change_version, client_id }: Tombstone | StoredDocument) => ({
    ...{ doc_id, version, change_version, client_id },
  });
  assert.deepEqual(
    [...own.tombstones, ...inPlace].map(known),
    outcome.plan.tombstones.put.map(known),
  );
  const other = await look(world, world.name('stranger'), { documents: [wanted(doc_id)] });
  assert.deepEqual(other.tombstones, []);
}

async function ownParents(world: World): Promise<void> {
  const owner = world.name('owner');
  const doc_id = world.name('child');
  const { outcome } = await world.commit(owner, [{ doc_id, data: {} }]);
  const version = outcome.plan.rows[0]?.version as Hlc;
  const own = await look(world, owner, { documents: [wanted(doc_id, version)] });
  assert.deepEqual(own.parents, [{ version, collection: 'tasks', doc_id, change_version: null }]);
  assert.equal(own.floor, undefined);
  const other = await look(world, world.name('stranger'), { documents: [wanted(doc_id, version)] });
  assert.deepEqual(other.parents, []);
  const absent = await look(world, owner, { documents: [wanted(doc_id, ABSENT)] });
  assert.deepEqual(absent.parents, []);
}

async function namedScopes(world: World): Promise<void> {
  const [one, two, three] = ['1', '2', '3'].map((part) => world.name(part)) as [
    string,
    string,
    string,
  ];
  for (const scope of [one, two, three]) {
    await world.commit(scope, [{ doc_id: `${scope}-d`, data: {}, mutation_id: 'm-1' }]);
  }
  const seen = await look(world, one, { receipts: [receiptKey([two, three], 'm-1')] });
  assert.deepEqual(seen.receipts.map((receipt) => receipt.scope_id).sort(), [two, three]);
  assert.deepEqual((await look(world, one, { receipts: [receiptKey([], 'm-1')] })).receipts, []);
}

async function floorWhenNeeded(world: World): Promise<void> {
  const scope = world.name('floor');
  const doc_id = world.name('gone');
  const empty = await look(world, scope, { documents: [wanted(doc_id, ABSENT)] });
  assert.equal(empty.floor, null);
  const first = await world.commit(scope, [{ doc_id: world.name('f1'), data: {} }]);
  await world.commit(scope, [{ doc_id: world.name('f2'), data: {} }]);
  const rows = await world.rows(scope);
  const needed = await look(world, scope, { documents: [wanted(doc_id, ABSENT)] });
  assert.equal(needed.floor, first.outcome.plan.head.head_version);
  const known = await look(world, scope, { documents: [wanted(world.name('f1'), ABSENT)] });
  assert.equal(known.floor, undefined);
  const create = await look(world, scope, { documents: [wanted(doc_id)] });
  assert.equal(create.floor, undefined);
  await world.store.prune(scope, 1);
  const pruned = await look(world, scope, { documents: [wanted(doc_id, ZERO_HLC)] });
  assert.equal(pruned.floor, rows[1]?.version);
  await world.store.prune(scope, 2);
  const bare = await look(world, scope, { documents: [wanted(doc_id, ZERO_HLC)] });
  assert.equal(bare.floor, null);
}

async function repeatedKeys(world: World): Promise<void> {
  const scope = world.name('repeated');
  const doc_id = world.name('twice');
  const gone = world.name('gone-twice');
  const { outcome } = await world.commit(scope, [
    { doc_id, data: {}, mutation_id: 'm-1' },
    { doc_id: gone, data: null },
  ]);
  const version = outcome.plan.rows[0]?.version as Hlc;
  const key = receiptKey([scope], 'm-1');
  const seen = await look(world, scope, {
    receipts: [key, key],
    documents: [wanted(doc_id, version), wanted(doc_id, version), wanted(gone), wanted(gone)],
  });
  const { documents, tombstones, parents, receipts } = seen;
  assert.deepEqual(
    [documents, tombstones, parents, receipts].map((found) => found.length),
    [1, 1, 1, 1],
  );
}
