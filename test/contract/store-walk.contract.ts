/** [ST-8]: the reads of a full resync: pages in one total order, ready lines, tombstones apart. */

import assert from 'node:assert/strict';
import { fullLine, tombstoneLine } from '../../src/protocol/full.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import { contractCase, type OpenStore, type World } from './contract-world.ts';
import { RICH } from './store-reads.contract.ts';

/** Registers the cases of the walk. */
export function walkContract(name: string, open: OpenStore): void {
  contractCase(`[ST-8] ${name}: pages deliver every document once`, open, everyDocumentOnce);
  contractCase(`[ST-8] ${name}: lines are the wire text`, open, wireText);
  contractCase(`[ST-8] ${name}: every id type pages in one total order`, open, idTypes);
  contractCase(`[ST-8] ${name}: deleted documents move to the tombstones`, open, tombstones);
  contractCase(`[ST-8] ${name}: a walk sees its head and later writes`, open, headOfAWalk);
  contractCase(`[ST-8] ${name}: an empty batch is the end`, open, emptyBatch);
}

async function everyDocumentOnce(world: World): Promise<void> {
  const scope = world.name('once');
  const ids = Array.from({ length: 7 }, (_, i) => world.name(`d${i}`));
  await world.commit(
    scope,
    [...ids].reverse().map((doc_id) => ({ doc_id, data: { doc_id } })),
  );
  await world.commit(scope, [{ doc_id: world.name('n'), data: {}, collection: 'notes' }]);
  for (const limit of [1, 3, 7, 100]) {
    const lines = await world.lines(scope, 'documents', { limit });
    assert.deepEqual(lines.map(idOf), ids);
  }
}

function idOf(line: string): string {
  return (JSON.parse(line) as { doc_id: string }).doc_id;
}

async function wireText(world: World): Promise<void> {
  const scope = world.name('wire');
  const doc_id = world.name('wire/ä "1"');
  const typed = { ...RICH, count: { $numberLong: '9007199254740991' } };
  await world.commit(scope, [{ doc_id, data: { old: true } }]);
  const { outcome } = await world.commit(scope, [{ doc_id, data: RICH, typed }]);
  const version = outcome.plan.head.head_version as Hlc;
  const lines = await world.lines(scope, 'documents', { limit: 10 });
  assert.deepEqual(lines, [fullLine({ collection: 'tasks', doc_id, version, data: RICH })]);
}

async function idTypes(world: World): Promise<void> {
  const { round } = world;
  const ids: Record<string, string[]> = {
    numbers: [-3, 0, 2, 10, 9_007_199_254_740].map((n) => String(n * 10 + round)),
    objects: ['00', '0a', 'ff'].map((part) => `${part}${'0123456789'.repeat(2)}0${round}`),
    keys: ['00', '0a', 'ff'].map((part) => `${part}000000-1111-2222-3333-44444444444${round}`),
    notes: ['A', 'B', 'a', 'b', 'ä', '日', '~'].map((part) => `${part}-${round}`),
  };
  const scope = world.name('types');
  for (const [collection, all] of Object.entries(ids)) {
    await world.commit(
      scope,
      all.map((doc_id) => ({ collection, doc_id, data: { doc_id } })),
    );
    const whole = (await world.lines(scope, 'documents', { collection, limit: 100 })).map(idOf);
    const single = (await world.lines(scope, 'documents', { collection, limit: 1 })).map(idOf);
    assert.deepEqual([...whole].sort(), [...all].sort());
    assert.deepEqual(single, whole);
  }
}

async function tombstones(world: World): Promise<void> {
  const scope = world.name('stones');
  const ids = ['a', 'b', 'c'].map((part) => world.name(`stone-${part}`));
  await world.commit(
    scope,
    ids.map((doc_id) => ({ doc_id, data: {} })),
  );
  const { outcome } = await world.commit(
    scope,
    ids.map((doc_id) => ({ doc_id, data: null })),
  );
  const versions = outcome.plan.rows.map((row) => row.version);
  assert.deepEqual(await world.lines(scope, 'documents', { limit: 2 }), []);
  for (const limit of [1, 2, 10]) {
    assert.deepEqual(
      await world.lines(scope, 'tombstones', { limit }),
      ids.map((doc_id, i) => tombstoneLine('tasks', doc_id, versions[i] as Hlc)),
    );
  }
  await world.commit(scope, [{ doc_id: ids[1] as string, data: { again: true } }]);
  assert.deepEqual((await world.lines(scope, 'tombstones', { limit: 10 })).map(idOf), [
    ids[0],
    ids[2],
  ]);
  assert.deepEqual((await world.lines(scope, 'documents', { limit: 10 })).map(idOf), [ids[1]]);
}

async function headOfAWalk(world: World): Promise<void> {
  const scope = world.name('head');
  const fresh = world.store.openWalk(scope);
  assert.equal(await fresh.head(), null);
  await fresh.close();
  await world.commit(scope, [{ doc_id: world.name('h'), data: {} }]);
  const walk = world.store.openWalk(scope);
  const head = await walk.head();
  assert.deepEqual(head, (await world.store.readScope(scope, null)).head);
  const batch = await walk.documents({ collection: 'tasks', after: null, limit: 10 });
  await walk.close();
  assert.equal(batch.count, 1);
}

async function emptyBatch(world: World): Promise<void> {
  const walk = world.store.openWalk(world.name('nobody'));
  for (const part of ['documents', 'tombstones'] as const) {
    const batch = await walk[part]({ collection: 'tasks', after: null, limit: 10 });
    assert.deepEqual(batch, { text: '', count: 0, last_id: null, more: false });
  }
  await walk.close();
}
