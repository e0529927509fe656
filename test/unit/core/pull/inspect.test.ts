import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../../../src/core/ports/system.ts';
import {
  type InspectOptions,
  type InspectStore,
  inspectRows,
} from '../../../../src/core/pull/inspect.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { at, Scopes } from './inspected-scopes.ts';

const still: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => {} };

async function shown(
  store: InspectStore,
  options: Partial<InspectOptions> = {},
): Promise<string[]> {
  const texts: string[] = [];
  const all = { since: ZERO_HLC, filter: {}, follow: false, ...options };
  for await (const item of inspectRows(store, still, all)) {
    if (item.kind === 'waiting') texts.push('waiting');
    else
      texts.push(
        item.kind === 'row' ? `${item.row.doc_id}` : `${item.scope_id} gap ${item.first ?? 'all'}`,
      );
  }
  return texts;
}

test('[IN-1] rows of all scopes come in version order', async () => {
  const store = new Scopes();
  store.add('a', 1, 4, 5);
  store.add('b', 2, 3, 9);
  store.add('c', 7);
  assert.deepEqual(await shown(store), ['a1', 'b2', 'b3', 'a4', 'a5', 'c7', 'b9']);
});

test('[IN-1] more scopes than one page of ids, and more rows than one read', async () => {
  const store = new Scopes();
  for (let i = 0; i < 1_001; i += 1) store.add(`s${String(i).padStart(4, '0')}`, i);
  store.add('long', ...Array.from({ length: 450 }, (_, i) => 10_000 + i));
  assert.equal((await shown(store)).length, 1_451);
});

test('[IN-2] the first row above since is found by halving', async () => {
  const store = new Scopes();
  store.add('a', ...Array.from({ length: 1_024 }, (_, i) => 2 * i));
  for (const [since, first] of [
    [-1, 'a0'],
    [0, 'a2'],
    [1, 'a2'],
    [1_022, 'a1024'],
    [2_045, 'a2046'],
  ] as const) {
    assert.equal((await shown(store, { since: at(since), limit: 1 }))[0], first, `${since}`);
  }
  store.reads = 0;
  await shown(store, { since: at(1_000), limit: 1 });
  assert.ok(store.reads <= 12, `${store.reads} reads`);
  assert.deepEqual(await shown(store, { since: at(2_046) }), []);
});

test('[IN-3] rows that are gone are announced, and only when they would have been shown', async () => {
  const store = new Scopes();
  store.add('a', 1, 2, 3, 4);
  store.pruned.set('a', 2);
  assert.deepEqual(await shown(store), [`a gap ${at(3)}`, 'a3', 'a4']);
  assert.deepEqual(await shown(store, { since: at(1) }), [`a gap ${at(3)}`, 'a3', 'a4']);
  assert.deepEqual(await shown(store, { since: at(2) }), ['a3', 'a4']);
  store.pruned.set('a', 4);
  assert.deepEqual(await shown(store, { since: at(3) }), ['a gap all']);
  assert.deepEqual(await shown(store, { since: at(4) }), []);
});

test('[IN-3] a prune between two reads is announced', async () => {
  const store = new Scopes();
  store.add('a', ...Array.from({ length: 300 }, (_, i) => i));
  const seen: string[] = [];
  for await (const item of inspectRows(store, still, {
    since: ZERO_HLC,
    filter: {},
    follow: false,
  })) {
    if (item.kind === 'gap') seen.push(`gap ${item.first}`);
    else if (item.kind === 'row' && seen.push(item.row.doc_id as string) === 1)
      store.pruned.set('a', 250);
  }
  assert.equal(seen[200], `gap ${at(250)}`);
  assert.equal(seen.at(-1), 'a299');
});

test('[IN-4] filters hide rows, and the limit counts what is shown', async () => {
  const store = new Scopes();
  store.add('a', 1, 2, 3, 4, 5, 6);
  store.add('b', 7);
  assert.deepEqual(await shown(store, { filter: { collections: new Set(['even']) } }), [
    'a2',
    'a4',
    'a6',
  ]);
  assert.deepEqual(await shown(store, { filter: { operations: new Set(['delete']) } }), [
    'a3',
    'a6',
  ]);
  assert.deepEqual(await shown(store, { filter: { scope_id: 'b' } }), ['b7']);
  assert.deepEqual(await shown(store, { filter: { doc_id: 'a5' } }), ['a5']);
  assert.deepEqual(await shown(store, { filter: { collections: new Set(['even']) }, limit: 2 }), [
    'a2',
    'a4',
  ]);
  assert.deepEqual(await shown(store, { filter: { scope_id: 'none' } }), []);
});

test('[IN-5] following shows new rows and new scopes once, until it is stopped', async () => {
  const store = new Scopes();
  store.add('a', 1, 2);
  const stop = new AbortController();
  let looks = 0;
  const clock: Clock = {
    ...still,
    async sleep() {
      looks += 1;
      if (looks === 1) store.add('a', 3);
      if (looks === 2) store.add('b', 4, 5);
      if (looks === 4) stop.abort();
    },
  };
  const seen: string[] = [];
  const options = { since: at(1), filter: {}, follow: true, signal: stop.signal };
  for await (const item of inspectRows(store, clock, options)) {
    if (item.kind === 'row') seen.push(item.row.doc_id as string);
  }
  assert.deepEqual(seen, ['a2', 'a3', 'b4', 'b5']);
});

test('[IN-5] a row that is hidden by the filter is not read again while following', async () => {
  const store = new Scopes();
  store.add('a', 1, 2, 3);
  const stop = new AbortController();
  let looks = 0;
  const clock: Clock = {
    ...still,
    async sleep() {
      looks += 1;
      if (looks === 3) stop.abort();
    },
  };
  const options = {
    since: ZERO_HLC,
    filter: { doc_id: 'none' },
    follow: true,
    signal: stop.signal,
  };
  for await (const item of inspectRows(store, clock, options)) assert.fail(item.kind);
  assert.equal(store.reads, 1);
});
