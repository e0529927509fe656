/**
 * Barrier rows through the real store: they join the chain, their receipts keep them single, and what
 * is owed is remembered until it stands.
 */

import assert from 'node:assert/strict';
import { RESET_AUTHOR, RESET_CLIENT, writeResets } from '../../src/core/foreign/write-resets.ts';
import { HybridClock } from '../../src/core/hybrid-clock.ts';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { beginHistory, payResets } from '../../src/core/upkeep/new-history.ts';
import { CONTRACT_LAYOUT, contractCase, type OpenStore, type World } from './contract-world.ts';

/** Registers the cases of barrier rows. */
export function resetsContract(name: string, open: OpenStore): void {
  contractCase(`[EP-3] ${name}: barriers are written once per run`, open, onceEach);
  contractCase(`[EP-1] ${name}: a new history is finished by the next run`, open, newHistory);
  contractCase(`[EP-4] ${name}: an added collection owes its barriers`, open, addedCollection);
  contractCase(`[EP-2] ${name}: a scope without a head gets its barrier too`, open, freshScope);
}

function core(store: SyncStore) {
  return { store, system: nodeSystem, hybridClock: new HybridClock(nodeSystem, '') };
}

async function onceEach(world: World): Promise<void> {
  const scope = world.name('resets');
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  const wish = {
    scopes: [scope],
    collections: ['tasks', 'notes'],
    run: world.name('run'),
    origin: 'migrate' as const,
  };
  const writes = await Promise.all([1, 2].map(() => writeResets(core(world.store), wish)));
  assert.equal(
    writes.reduce((sum, rows) => sum + rows, 0),
    2,
    'two callers write two rows together',
  );
  const rows = await world.rows(scope);
  assert.deepEqual(
    rows.slice(1).map(({ operation, collection, doc_id, origin }) => ({
      operation,
      collection,
      doc_id,
      origin,
    })),
    wish.collections.map((collection) => ({
      operation: 'reset',
      collection,
      doc_id: null,
      origin: 'migrate',
    })),
  );
  assert.equal(rows[1]?.prev, rows[0]?.version);
  const [receipt] = await world.store.findReceipts([
    {
      scope_ids: [scope],
      actor_id: RESET_AUTHOR,
      client_id: RESET_CLIENT,
      mutation_id: `reset:notes:${wish.run}`,
    },
  ]);
  assert.equal(receipt?.result.new_version, rows[2]?.version);
}

async function freshScope(world: World): Promise<void> {
  const scope = world.name('fresh-resets');
  const wish = { scopes: [scope], collections: ['tasks'], run: 'r', origin: 'migrate' as const };
  assert.equal(await writeResets(core(world.store), wish), 1);
  const [row] = await world.rows(scope);
  assert.equal(row?.seq, 1);
  assert.equal(row?.prev, '');
  assert.equal((await world.store.readScope(scope, null)).head?.head_version, row?.version);
}

async function newHistory(world: World): Promise<void> {
  const { store } = world;
  const scope = world.name('history');
  await world.commit(scope, [{ doc_id: world.name('a'), data: {} }]);
  const collections = ['tasks', 'notes'];
  // Killed right after its first step.
  await store.renewEpoch(world.name('epoch-a'), collections);
  const owed = await store.readMeta();
  assert.equal(owed?.epoch, world.name('epoch-a'));
  assert.deepEqual(owed?.pending_resets, [{ run: world.name('epoch-a'), collections }]);
  const resumed = await beginHistory(core(store), { epoch: world.name('epoch-b'), collections });
  assert.deepEqual([resumed.resumed, resumed.epoch], [true, world.name('epoch-a')]);
  assert.equal((await world.rows(scope)).length, 3);
  const fresh = await beginHistory(core(store), { epoch: world.name('epoch-b'), collections });
  assert.deepEqual([fresh.resumed, fresh.epoch], [false, world.name('epoch-b')]);
  assert.equal((await world.rows(scope)).length, 5);
  const after = await store.readMeta();
  assert.equal(after?.epoch, world.name('epoch-b'));
  assert.equal(after?.pending_resets, undefined);
  assert.equal(await payResets(core(store)), 0);
}

async function addedCollection(world: World): Promise<void> {
  const { store } = world;
  const scope = world.name('added');
  const notes = { collection: 'notes', doc_id: world.name('n'), data: {} };
  await world.commit(scope, [notes]);
  const without = (...names: string[]) => ({
    ...CONTRACT_LAYOUT,
    collections: CONTRACT_LAYOUT.collections.filter(({ name }) => !names.includes(name)),
    catalogue_hash: world.name(`without ${names.join()}`),
    new_epoch: world.name(`run without ${names.join()}`),
  });
  await store.applySetup(without('notes', 'keys'));
  assert.equal((await store.readMeta())?.pending_resets, undefined);
  // `keys` comes back as well, but holds nothing that anybody could have passed over.
  await store.applySetup(without());
  const run = world.name('run without ');
  assert.deepEqual((await store.readMeta())?.pending_resets, [{ run, collections: ['notes'] }]);
  await store.applySetup(without());
  await payResets(core(store));
  assert.equal((await store.readMeta())?.pending_resets, undefined);
  const last = (await world.rows(scope)).at(-1);
  assert.deepEqual([last?.operation, last?.collection], ['reset', 'notes']);
}
