/** Barrier rows through the real store: they join the chain, and their receipts keep them single. */

import assert from 'node:assert/strict';
import { RESET_AUTHOR, writeResets } from '../../src/core/foreign/write-resets.ts';
import { HybridClock } from '../../src/core/hybrid-clock.ts';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { contractCase, type OpenStore, type World } from './contract-world.ts';

/** Registers the cases of barrier rows. */
export function resetsContract(name: string, open: OpenStore): void {
  contractCase(`[EP-3] ${name}: barriers are written once per run`, open, onceEach);
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
      client_id: RESET_AUTHOR,
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
