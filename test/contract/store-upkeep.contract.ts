/** Setup, retention and health: the part of the port that operators see. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRUNE_SLICE_ROWS } from '../../src/protocol/pure/limits.ts';
import { SCHEMA_LEVEL } from '../../src/protocol/version.ts';
import type { ExpiryBounds } from '../../src/core/ports/store.ts';
import {
  CONTRACT_LAYOUT,
  contractCase,
  type OpenedStore,
  type OpenStore,
  type World,
} from './contract-world.ts';
import { receiptKey } from './plan-builder.ts';

const COLLECTIONS = [
  'sync_meta',
  'sync_scopes',
  'sync_oplog',
  'sync_receipts',
  'sync_conflicts',
  'sync_tombstones',
  'sync_migrations',
  'sync_clients',
];

const DAY_MS = 86_400_000;
/** A moment of the suite's old rows, and one after it. */
const OLD_MS = Date.UTC(2024, 0, 1);
const LATER_MS = OLD_MS + DAY_MS;

/** Registers the cases of upkeep. */
export function upkeepContract(name: string, open: OpenStore): void {
  setupCase(`[ST-2] ${name}: a setup plan writes nothing`, open, planOnly);
  setupCase(`[ST-2] ${name}: setup is idempotent and keeps the identity`, open, setupTwice);
  setupCase(`[ST-2] ${name}: a changed catalogue is noted`, open, changedCatalogue);
  contractCase(`[ST-1] ${name}: prune goes up to its seq, oldest first`, open, prune);
  contractCase(`[ST-1] ${name}: expiry takes old rows in slices`, open, expiry);
  contractCase(`[ST-1] ${name}: a tombstone outlives the rows of its document`, open, stones);
  contractCase(`[ST-7] ${name}: receipts expire by their own time`, open, receipts);
  contractCase(`[ST-8] ${name}: counts, clients and health`, open, health);
}

function setupCase(title: string, open: OpenStore, body: (opened: OpenedStore) => Promise<void>) {
  test(title, async () => {
    for (let run = 0; run < 2; run += 1) {
      const opened = await open();
      try {
        await body(opened);
      } finally {
        await opened.close();
      }
    }
  });
}

async function planOnly({ store }: OpenedStore): Promise<void> {
  assert.equal(await store.readMeta(), null);
  const plan = await store.planSetup(CONTRACT_LAYOUT);
  for (const wanted of COLLECTIONS) {
    const step = plan.find((one) => one.kind === 'collection' && one.name === wanted);
    assert.equal(step?.action, 'create', wanted);
  }
  assert.equal(await store.readMeta(), null);
  assert.deepEqual(await store.planSetup(CONTRACT_LAYOUT), plan);
  const checks = await store.checkLayout(CONTRACT_LAYOUT);
  assert.ok(checks.some((check) => !check.ok));
}

async function setupTwice({ store }: OpenedStore): Promise<void> {
  const applied = await store.applySetup(CONTRACT_LAYOUT);
  assert.ok(applied.every((step) => step.action === 'create' || step.action === 'present'));
  const meta = await store.readMeta();
  assert.deepEqual(meta, {
    schema_level: SCHEMA_LEVEL,
    epoch: CONTRACT_LAYOUT.new_epoch,
    cursor_key: CONTRACT_LAYOUT.new_cursor_key,
    catalogue_hash: CONTRACT_LAYOUT.catalogue_hash,
  });
  const again = { ...CONTRACT_LAYOUT, new_epoch: 'epoch-2', new_cursor_key: 'cd'.repeat(32) };
  const plan = await store.planSetup(again);
  assert.deepEqual([...new Set(plan.map((step) => step.action))], ['present']);
  const repeated = await store.applySetup(again);
  assert.deepEqual([...new Set(repeated.map((step) => step.action))], ['present']);
  assert.deepEqual(await store.readMeta(), meta);
  const checks = await store.checkLayout(again);
  assert.deepEqual(
    checks.filter((check) => !check.ok),
    [],
  );
  assert.ok(checks.length > 0);
}

async function changedCatalogue({ store }: OpenedStore): Promise<void> {
  await store.applySetup(CONTRACT_LAYOUT);
  const changed = { ...CONTRACT_LAYOUT, catalogue_hash: 'catalogue-2' };
  const plan = await store.planSetup(changed);
  const changes = plan.filter((step) => step.action === 'change');
  assert.deepEqual(
    changes.map((step) => step.kind),
    ['meta'],
  );
  await store.applySetup(changed);
  assert.equal((await store.readMeta())?.catalogue_hash, 'catalogue-2');
  assert.equal((await store.readMeta())?.epoch, CONTRACT_LAYOUT.new_epoch);
}

async function prune(world: World): Promise<void> {
  const scope = world.name('prune');
  for (let i = 0; i < 4; i += 1) {
    await world.commit(scope, [{ doc_id: world.name(`p${i}`), data: { i } }]);
  }
  const rows = await world.rows(scope);
  const { head } = await world.store.readScope(scope, null);
  assert.equal(await world.store.prune(scope, 2), 2);
  const first = await world.store.firstRow(scope);
  assert.deepEqual(first, { version: rows[2]?.version, prev: rows[1]?.version, seq: 3 });
  assert.equal(await world.store.prune(scope, 2), 0);
  assert.equal(await world.store.prune(scope, 4), 2);
  assert.equal(await world.store.firstRow(scope), null);
  assert.deepEqual((await world.store.readScope(scope, null)).head, head);
  assert.equal((await world.lines(scope, 'documents', { limit: 10 })).length, 4);
  await world.commit(scope, [{ doc_id: world.name('p4'), data: {} }]);
  assert.equal((await world.store.firstRow(scope))?.seq, 5);
}

function bounds(before: number, changed: Partial<ExpiryBounds> = {}): ExpiryBounds {
  return {
    oplog_before_ms: before,
    receipts_before_ms: before,
    tombstones_before_ms: before,
    conflicts_before_ms: before,
    ...changed,
  };
}

/** Runs slices to the end; the sizes of the slices. */
async function slices(world: World, expiry: ExpiryBounds): Promise<number[]> {
  const sizes: number[] = [];
  for (;;) {
    const size = await world.store.pruneExpired(expiry);
    if (size === 0) return sizes;
    sizes.push(size);
  }
}

async function expiry(world: World): Promise<void> {
  const scopes = [world.name('old-1'), world.name('old-2')];
  for (const scope of scopes) {
    const old = Array.from({ length: 400 }, (_, i) => ({ doc_id: `${scope}-${i}`, data: { i } }));
    await world.commit(scope, old, { at_ms: OLD_MS });
    await world.commit(scope, [{ doc_id: `${scope}-new`, data: {} }]);
  }
  const own = world.store.capabilities.retention === 'own';
  assert.deepEqual(await slices(world, bounds(OLD_MS)), []);
  const sizes = await slices(world, bounds(LATER_MS));
  assert.ok(sizes.every((size) => size <= PRUNE_SLICE_ROWS));
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    own ? 800 : 0,
  );
  for (const scope of scopes) {
    const rows = await world.rows(scope);
    assert.equal(rows.length, own ? 1 : 401);
    assert.equal(rows.at(-1)?.seq, 401);
    assert.equal((await world.lines(scope, 'documents', { limit: 500 })).length, 401);
  }
}

async function stones(world: World): Promise<void> {
  const scope = world.name('stones');
  const doc_id = world.name('stone');
  const others = Array.from({ length: PRUNE_SLICE_ROWS }, (_, i) => ({
    doc_id: `${doc_id}-${i}`,
    data: {},
  }));
  await world.commit(scope, [{ doc_id, data: {} }, ...others], { at_ms: OLD_MS });
  await world.commit(scope, [{ doc_id, data: null }], { at_ms: OLD_MS });
  const count = async () => (await world.lines(scope, 'tombstones', { limit: 5 })).length;
  const own = world.store.capabilities.retention === 'own';
  assert.deepEqual(await slices(world, bounds(LATER_MS, { oplog_before_ms: OLD_MS })), []);
  assert.equal(await count(), 1);
  assert.equal(await world.store.pruneExpired(bounds(LATER_MS)), own ? PRUNE_SLICE_ROWS : 0);
  assert.equal(await count(), 1, 'its own row is still retained');
  const rowsGone = await slices(world, bounds(LATER_MS, { tombstones_before_ms: null }));
  assert.deepEqual(rowsGone, own ? [2] : []);
  assert.equal(await count(), 1, 'tombstones are kept for ever');
  assert.deepEqual(await slices(world, bounds(LATER_MS)), own ? [1] : []);
  assert.equal(await count(), own ? 0 : 1);
}

async function receipts(world: World): Promise<void> {
  const scope = world.name('receipts');
  const old = {
    doc_id: world.name('a'),
    data: {},
    mutation_id: 'm-old',
    conflict_id: world.name('c'),
  };
  await world.commit(scope, [old], { at_ms: OLD_MS });
  await world.commit(scope, [{ doc_id: world.name('b'), data: {}, mutation_id: 'm-new' }]);
  const found = async () => {
    const keys = ['m-old', 'm-new'].map((id) => receiptKey([scope], id));
    return (await world.store.findReceipts(keys)).map((receipt) => receipt.mutation_id).sort();
  };
  const own = world.store.capabilities.retention === 'own';
  const kept = { oplog_before_ms: OLD_MS, conflicts_before_ms: OLD_MS };
  assert.deepEqual(await slices(world, bounds(LATER_MS, kept)), own ? [1] : []);
  assert.deepEqual(await found(), own ? ['m-new'] : ['m-new', 'm-old']);
  const conflicts = { oplog_before_ms: OLD_MS };
  assert.deepEqual(await slices(world, bounds(LATER_MS, conflicts)), own ? [1] : []);
  await world.store.prune(scope, 1);
}

async function health(world: World): Promise<void> {
  const { store } = world;
  const before = await store.countOplog();
  const scope = world.name('health');
  for (let i = 0; i < 3; i += 1) {
    await world.commit(scope, [{ doc_id: world.name(`h${i}`), data: {} }]);
  }
  assert.equal(await store.countOplog(), before + 3);
  assert.equal(await store.countUnmigrated('tasks'), 0);
  const client = { scope_id: scope, client_id: 'client-1', actor_id: 'actor-1' };
  await store.recordClient(client);
  await store.recordClient({ ...client, actor_id: 'actor-2' });
  await store.ping();
}
