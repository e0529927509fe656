/** [ST-8]: reads of heads, rows, documents and receipts, and the canary of another scope. */

import assert from 'node:assert/strict';
import type { JsonObject } from '../../src/protocol/pure/canonical-json.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import { openPullLine } from '../../src/protocol/pull.ts';
import type { OplogRow, ScopeHead } from '../../src/core/ports/records.ts';
import { contractCase, type OpenStore, type World } from './contract-world.ts';
import { receiptKey } from './plan-builder.ts';

/** Content that must come back byte for byte. */
export const RICH: JsonObject = {
  title: 'Käse "quoted" \\ \n 日本 \u{1f600} \u0000',
  done: false,
  none: null,
  count: 9_007_199_254_740_991,
  small: 1e-7,
  nested: { list: [1, 2.5, [], {}, 'x'], empty: {} },
  at: { $date: '2026-01-02T03:04:05.678Z' },
  ref: { $oid: '0123456789abcdef01234567' },
  price: { $numberDecimal: '12.50' },
  big: { $numberLong: '9223372036854775807' },
  nan: { $numberDouble: 'NaN' },
  bytes: { $binary: { base64: 'AQID', subType: '00' } },
};

/** Registers the cases of the plain reads. */
export function readsContract(name: string, open: OpenStore): void {
  contractCase(`[ST-8] ${name}: a scope that was never written has no head`, open, noHead);
  contractCase(`[ST-8] ${name}: readScope finds the place of a row`, open, placeOfARow);
  contractCase(`[ST-8] ${name}: rows carry their fields and wire text`, open, rowFields);
  contractCase(`[ST-8] ${name}: a reset row has no document`, open, resetRow);
  contractCase(`[ST-8] ${name}: a range starts after its seq and is bounded`, open, ranges);
  contractCase(`[ST-8] ${name}: a range stops at its bytes`, open, bytesBound);
  contractCase(`[ST-8] ${name}: a range that has enough rows ends with a bundle`, open, enough);
  contractCase(`[ST-8] ${name}: a long range comes whole and in order`, open, longRange);
  contractCase(`[ST-8] ${name}: documents are read back as they were written`, open, readBack);
  contractCase(`[ST-8] ${name}: no read sees another scope`, open, canary);
  contractCase(`[FE-6] ${name}: heads of ten thousand scopes are read at once`, open, manyHeads);
  contractCase(`[ST-8] ${name}: scopes are listed in order`, open, listed);
}

async function noHead(world: World): Promise<void> {
  const scope = world.name('nobody');
  assert.deepEqual(await world.store.readScope(scope, null), { head: null, at: null });
  assert.equal(await world.store.confirmHead(scope), null);
  assert.equal(await world.store.firstRow(scope), null);
  assert.deepEqual(await world.rows(scope), []);
  assert.deepEqual(await world.store.readScope(scope, null), { head: null, at: null });
}

async function placeOfARow(world: World): Promise<void> {
  const scope = world.name('place');
  await world.commit(scope, [{ doc_id: world.name('p1'), data: {} }]);
  await world.commit(scope, [{ doc_id: world.name('p2'), data: {} }]);
  const [first, second] = await world.rows(scope);
  const head = await world.store.confirmHead(scope);
  assert.equal(head?.head_version, second?.version);
  const found = await world.store.readScope(scope, second?.version as Hlc);
  assert.deepEqual(found, {
    head,
    at: { version: second?.version, prev: first?.version, seq: 2 },
  });
  assert.deepEqual(await world.store.firstRow(scope), {
    version: first?.version,
    prev: '',
    seq: 1,
  });
  const missing = '20200101T000000.000Z-0000-gone' as Hlc;
  assert.deepEqual(await world.store.readScope(scope, missing), { head, at: null });
}

function asRead(row: OplogRow | undefined) {
  assert.ok(row);
  const { version, prev, seq, bundle_seq, ordinal, bundle_rows } = row;
  const { collection, doc_id, operation, origin } = row;
  return {
    ...{ version, prev, seq, bundle_seq, ordinal, bundle_rows },
    ...{ collection, doc_id, operation, origin, line: openPullLine(row) },
  };
}

async function rowFields(world: World): Promise<void> {
  const scope = world.name('fields');
  const doc_id = world.name('rich/ä "1"');
  const typed = { ...RICH, count: { $numberLong: '9007199254740991' } };
  const first = await world.commit(scope, [
    { doc_id, data: RICH, typed, mutation_id: 'm-1' },
    { doc_id: world.name('plain'), data: {}, collection: 'notes' },
  ]);
  const second = await world.commit(scope, [{ doc_id, data: null, mutation_id: 'm-2' }]);
  const written = [...first.outcome.plan.rows, ...second.outcome.plan.rows];
  assert.deepEqual(await world.rows(scope), written.map(asRead));
}

async function resetRow(world: World): Promise<void> {
  const scope = world.name('reset');
  const { outcome } = await world.commit(scope, [{ doc_id: world.name('x'), data: {} }], {
    resets: ['tasks', 'notes'],
  });
  const rows = await world.rows(scope);
  assert.deepEqual(rows, outcome.plan.rows.map(asRead));
  assert.deepEqual(
    rows.map((row) => [row.operation, row.doc_id === null]),
    [
      ['upsert', false],
      ['reset', true],
      ['reset', true],
    ],
  );
}

async function ranges(world: World): Promise<void> {
  const scope = world.name('range');
  for (let i = 0; i < 3; i += 1) {
    const ids = ['a', 'b', 'c'].map((part) => world.name(`${part}${i}`));
    await world.commit(
      scope,
      ids.map((doc_id) => ({ doc_id, data: { i } })),
    );
  }
  const read = async (after_seq: number, max_rows: number) => {
    const range = { scope_id: scope, after_seq, max_rows, max_bytes: 1_000_000 };
    return (await world.store.readRows(range)).map((row) => row.seq);
  };
  assert.deepEqual(await read(0, 4), [1, 2, 3, 4]);
  assert.deepEqual(await read(4, 2), [5, 6]);
  assert.deepEqual(await read(7, 100), [8, 9]);
  assert.deepEqual(await read(9, 100), []);
  await world.store.prune(scope, 5);
  assert.deepEqual(await read(0, 2), [6, 7]);
}

async function bytesBound(world: World): Promise<void> {
  const scope = world.name('bytes');
  const ids = Array.from({ length: 6 }, (_, i) => world.name(`big${i}`));
  await world.commit(
    scope,
    ids.map((doc_id) => ({ doc_id, data: { text: 'x'.repeat(10_000) } })),
  );
  const read = (max_bytes: number) =>
    world.store.readRows({ scope_id: scope, after_seq: 0, max_rows: 100, max_bytes });
  assert.equal((await read(1)).length, 1);
  const some = await read(25_000);
  assert.ok(some.length >= 2 && some.length <= 3);
  assert.deepEqual(
    some.map((row) => row.seq),
    some.map((_, i) => i + 1),
  );
  assert.equal((await read(1_000_000)).length, 6);
}

async function enough(world: World): Promise<void> {
  const scope = world.name('enough');
  for (let i = 0; i < 3; i += 1) {
    const ids = ['a', 'b', 'c'].map((part) => world.name(`e-${part}${i}`));
    await world.commit(
      scope,
      ids.map((doc_id) => ({ doc_id, data: { i } })),
    );
  }
  const read = (enough_rows: number, max_rows: number) =>
    world.store.readRows({
      scope_id: scope,
      after_seq: 0,
      max_rows,
      enough_rows,
      max_bytes: 1_000_000,
    });
  for (const enough_rows of [1, 2, 3, 4]) {
    const rows = await read(enough_rows, 9);
    const last = rows.at(-1);
    assert.ok(rows.length >= enough_rows && rows.length <= 9);
    assert.equal(last?.ordinal, 2, 'a bundle is read to its end');
  }
  assert.equal((await read(4, 5)).length, 5);
}

async function longRange(world: World): Promise<void> {
  const scope = world.name('long');
  const ids = Array.from({ length: 300 }, (_, i) => world.name(`long-${i}`));
  const { outcome } = await world.commit(
    scope,
    ids.map((doc_id) => ({ doc_id, data: { doc_id } })),
  );
  const rows = await world.rows(scope);
  assert.deepEqual(rows, outcome.plan.rows.map(asRead));
  const lines = await world.lines(scope, 'documents', { limit: 200 });
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { doc_id: string }).doc_id),
    [...ids].sort(),
  );
}

async function readBack(world: World): Promise<void> {
  const scope = world.name('back');
  const keys = [
    { collection: 'tasks', doc_id: world.name('one') },
    { collection: 'notes', doc_id: world.name('two') },
  ];
  await world.commit(
    scope,
    keys.map((key) => ({ ...key, data: RICH })),
  );
  const missing = { collection: 'tasks', doc_id: world.name('missing') };
  const found = await world.store.readDocuments(scope, [...keys, missing]);
  assert.deepEqual(found.map((one) => one.doc_id).sort(), keys.map((one) => one.doc_id).sort());
  for (const document of found) {
    assert.equal(JSON.stringify(document.data), JSON.stringify(RICH));
  }
  assert.deepEqual(await world.store.readDocuments(scope, []), []);
}

async function canary(world: World): Promise<void> {
  const owner = world.name('owner');
  const spy = world.name('spy');
  const kept = world.name('kept');
  await world.commit(owner, [
    { doc_id: kept, data: { canary: true }, mutation_id: 'm-1' },
    { doc_id: world.name('dropped'), data: {} },
  ]);
  await world.commit(owner, [{ doc_id: world.name('dropped'), data: null }]);
  await world.commit(spy, [{ doc_id: world.name('own'), data: {} }]);
  const { store } = world;
  const { head } = await store.readScope(owner, null);
  assert.equal((await store.readScope(spy, head?.head_version as Hlc)).at, null);
  assert.equal((await store.readScope(spy, null)).head?.scope_id, spy);
  assert.equal((await world.rows(spy)).length, 1);
  const [own] = await world.rows(spy);
  assert.equal((await store.firstRow(spy))?.version, own?.version);
  assert.deepEqual(await store.readDocuments(spy, [{ collection: 'tasks', doc_id: kept }]), []);
  assert.deepEqual(await store.findReceipts([receiptKey([spy], 'm-1')]), []);
  assert.equal((await world.lines(spy, 'documents', { limit: 10 })).length, 1);
  assert.deepEqual(await world.lines(spy, 'tombstones', { limit: 10 }), []);
  assert.equal(await store.prune(spy, 1_000), 1);
  assert.equal((await world.rows(owner)).length, 3);
  assert.equal((await world.lines(owner, 'documents', { limit: 10 })).length, 1);
  assert.equal((await world.lines(owner, 'tombstones', { limit: 10 })).length, 1);
}

async function manyHeads(world: World): Promise<void> {
  const written = ['first', 'middle', 'last'].map((part) => world.name(`heads-${part}`));
  for (const scope of written) await world.commit(scope, [{ doc_id: `${scope}-d`, data: {} }]);
  const [first, middle, last] = written as [string, string, string];
  const absent = (from: number) =>
    Array.from({ length: 4_999 }, (_, i) => world.name(`nobody-${from + i}`).padEnd(200, 'x'));
  const wanted = [first, ...absent(0), middle, middle, ...absent(5_000), last, first];
  const heads = await world.store.readHeads(wanted);
  const expected = await Promise.all(written.map((scope) => world.store.confirmHead(scope)));
  const byScope = (one: ScopeHead, two: ScopeHead) => (one.scope_id < two.scope_id ? -1 : 1);
  assert.deepEqual([...heads].sort(byScope), (expected as ScopeHead[]).sort(byScope));
  assert.deepEqual(await world.store.readHeads([]), []);
}

async function listed(world: World): Promise<void> {
  const scopes = ['c', 'a', 'b'].map((part) => world.name(`list-${part}`));
  for (const scope of scopes) await world.commit(scope, [{ doc_id: `${scope}-d`, data: {} }]);
  const ordered = [...scopes].sort();
  const before = world.name('list-');
  assert.deepEqual(await world.store.listScopes(before, 2), ordered.slice(0, 2));
  assert.deepEqual(await world.store.listScopes(ordered[1] as string, 1), [ordered[2]]);
  assert.ok((await world.store.listScopes(null, 1_000)).includes(ordered[0] as string));
}
