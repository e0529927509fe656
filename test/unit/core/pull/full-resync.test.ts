/** Full resync over a store in memory: low-water head, pages, tombstones, cursors. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { StoreError } from '../../../../src/core/ports/store.ts';
import type { FullQuery } from '../../../../src/protocol/full.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import {
  fill,
  pullQuery,
  pushTo,
  request,
  versionOf,
  type World,
  world,
} from '../../../support/engine/engine-world.ts';
import { SCOPE } from '../../../support/engine/records.ts';

interface Line {
  readonly type?: 'end';
  readonly collection: string;
  readonly doc_id: string;
  readonly data: unknown;
  readonly deleted: boolean;
  readonly version: string;
}

async function full(over: World, query: Partial<FullQuery> = {}, context = request()) {
  const answer = await over.engine.full(context, {
    collections: ['tasks', 'notes'],
    cursor: undefined,
    limit: 1_000,
    trailer: false,
    ...query,
  });
  const text = answer.chunks.join('');
  assert.ok(text === '' || text.endsWith('\n'), 'lines are whole');
  const lines = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
  return { ...answer, lines, ids: lines.map((one) => one.doc_id).join(' ') };
}

async function filled(...bundles: readonly (readonly string[])[]): Promise<World> {
  const over = world();
  await fill(over, bundles);
  over.store.calls.length = 0;
  return over;
}

test('[FU-5] every document comes with its version, deleted ones as tombstones', async () => {
  const over = await filled(['tasks/b', 'tasks/a', 'notes/c']);
  await pushTo(over, [{ doc_id: 'a', operation: 'delete', parent_version: versionOf(over, 2) }]);
  const { lines, cursor, count } = await full(over);
  assert.deepEqual(lines, [
    {
      collection: 'tasks',
      doc_id: 'b',
      data: { id: 'tasks/b' },
      deleted: false,
      version: versionOf(over, 1),
    },
    {
      collection: 'tasks',
      doc_id: 'a',
      data: null,
      deleted: true,
      operation: 'delete',
      version: versionOf(over, 4),
    },
    {
      collection: 'notes',
      doc_id: 'c',
      data: { id: 'notes/c' },
      deleted: false,
      version: versionOf(over, 3),
    },
  ]);
  assert.equal(cursor, null);
  assert.equal(count, 3);
});

test('[FU-1] the head is read before the first page and is the same on every page', async () => {
  const over = await filled(['tasks/a', 'tasks/b'], ['notes/c']);
  const low = versionOf(over, 3);
  const first = await full(over, { limit: 1 });
  assert.deepEqual(over.store.calls, ['walk.head', 'walk.documents', 'walk.close']);
  assert.deepEqual([first.ids, first.last_seq, first.head], ['a', low, low]);
  await pushTo(over, [
    { doc_id: 'a', data: { changed: true }, parent_version: versionOf(over, 1) },
  ]);
  const second = await full(over, { limit: 1, cursor: first.cursor ?? '' });
  assert.deepEqual([second.ids, second.last_seq], ['b', low]);
  assert.equal(second.head, versionOf(over, 4));
  const third = await full(over, { limit: 1, cursor: second.cursor ?? '' });
  assert.deepEqual([third.ids, third.last_seq, third.cursor], ['c', low, third.cursor]);
  const end = third.cursor === null ? third : await full(over, { cursor: third.cursor });
  assert.equal(end.cursor, null);
});

test('[FU-3] a walk followed by a pull gives the state at the head (invariant 16)', async () => {
  const over = await filled(['tasks/a', 'tasks/b', 'tasks/c'], ['notes/d']);
  const state = new Map<string, unknown>();
  let cursor: string | null | undefined;
  let since = ZERO_HLC;
  let round = 0;
  do {
    const page = await full(over, { limit: 1, cursor: cursor ?? undefined });
    for (const one of page.lines) state.set(`${one.collection}/${one.doc_id}`, one.data);
    ({ cursor, last_seq: since } = page);
    round += 1;
    if (round === 1) await pushTo(over, [{ doc_id: 'a', data: { n: 1 } }, { doc_id: 'aa' }]);
    if (round === 2)
      await pushTo(over, [{ doc_id: 'b', operation: 'delete', change_version: null }]);
  } while (cursor !== null);
  const answer = await over.engine.pull(request(), pullQuery({ since }));
  assert.ok(answer.kind === 'page');
  for (const text of answer.changes) {
    const one = JSON.parse(text) as Line;
    state.set(`${one.collection}/${one.doc_id}`, one.data);
  }
  for (const { collection, doc_id, data } of over.store.documents.values()) {
    assert.deepEqual(state.get(`${collection}/${doc_id}`), data);
  }
  for (const { collection, doc_id } of over.store.tombstones.values()) {
    assert.equal(state.get(`${collection}/${doc_id}`) ?? null, null);
  }
});

test('[FU-2] a page waits for a head that is behind its walk, then gives up with 503', async () => {
  const over = await filled(['tasks/a', 'tasks/b'], ['tasks/c']);
  const { cursor } = await full(over, { limit: 1 });
  const newest = over.store.heads.get(SCOPE)!;
  const older = { ...newest, head_version: versionOf(over, 2) };
  over.store.heads.set(SCOPE, older);
  over.clock.onSleep = () => {
    if (over.clock.slept.length === 3) over.store.heads.set(SCOPE, newest);
  };
  assert.equal((await full(over, { cursor: cursor ?? '', limit: 1 })).ids, 'b');
  assert.deepEqual(over.clock.slept, [50, 50, 50]);
  over.clock.slept.length = 0;
  over.clock.onSleep = () => undefined;
  over.store.heads.set(SCOPE, older);
  await assert.rejects(full(over, { cursor: cursor ?? '' }), {
    code: 'service_unavailable',
    details: { reason: 'head_behind_walk' },
  });
  assert.equal(over.clock.slept.length, 20);
  over.store.heads.delete(SCOPE);
  await assert.rejects(full(over, { cursor: cursor ?? '' }), { code: 'service_unavailable' });
  assert.equal(over.store.calls.at(-1), 'walk.close', 'a failed page closes its walk');
});

test('[FU-1] a scope without a head is walked from the zero version', async () => {
  const { last_seq, head, head_bundle_seq, cursor, chunks } = await full(world());
  assert.deepEqual(
    { last_seq, head, head_bundle_seq, cursor, chunks },
    { last_seq: ZERO_HLC, head: ZERO_HLC, head_bundle_seq: 0, cursor: null, chunks: [] },
  );
});

test('[FU-5] a page crosses parts and collections, in the order in which they were asked for', async () => {
  const over = await filled(['tasks/a', 'tasks/b', 'notes/c', 'notes/cc', 'notes/d']);
  await pushTo(over, [
    { doc_id: 'a', operation: 'delete', parent_version: versionOf(over, 1) },
    { collection: 'notes', doc_id: 'd', operation: 'delete', parent_version: versionOf(over, 5) },
  ]);
  const ids = async (limit: number, collections = ['tasks', 'notes']) => {
    const pages: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await full(over, { limit, collections, cursor: cursor ?? undefined });
      pages.push(page.ids);
      cursor = page.cursor;
    } while (cursor !== null);
    return pages;
  };
  assert.deepEqual(await ids(9), ['b a c cc d']);
  assert.deepEqual(await ids(9, ['notes', 'tasks']), ['c cc d b a']);
  assert.deepEqual((await ids(1)).slice(0, 5), ['b', 'a', 'c', 'cc', 'd']);
  assert.deepEqual((await ids(3)).slice(0, 2), ['b a c', 'cc d']);
  assert.deepEqual(await ids(9, ['notes']), ['c cc d']);
});

test('[FU-5] each part is walked from its own beginning, wherever the page before it ended', async () => {
  const over = await filled(['tasks/b', 'tasks/c', 'notes/a']);
  const gone = ['a', 'x', 'y'].map((doc_id) => ({ doc_id, operation: 'delete' as const }));
  await pushTo(over, gone);
  const seen: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await full(over, { limit: 1, cursor: cursor ?? undefined });
    seen.push(page.ids);
    cursor = page.cursor;
  } while (cursor !== null);
  assert.deepEqual(seen.slice(0, 6), ['b', 'c', 'a', 'x', 'y', 'a']);
});

test('[FU-5] a short batch ends the page; its cursor goes on behind it', async () => {
  const over = await filled(['tasks/a', 'tasks/b', 'tasks/c']);
  over.store.batch_lines = 2;
  const first = await full(over, { limit: 3 });
  assert.equal(first.ids, 'a b');
  over.store.batch_lines = 9;
  assert.equal((await full(over, { limit: 3, cursor: first.cursor ?? '' })).ids, 'c');
});

test('[FU-5] a page begins no further part once it holds much text', async () => {
  const over = await filled(['tasks/a', 'notes/b']);
  const stored = [...over.store.documents.entries()][0]!;
  over.store.documents.set(stored[0], { ...stored[1], data: { text: 'x'.repeat(8_388_608) } });
  const first = await full(over);
  assert.equal(first.ids, 'a');
  assert.equal((await full(over, { cursor: first.cursor ?? '' })).ids, 'b');
});

test('[FU-5] unmigrated documents and other scopes are not walked', async () => {
  const over = await filled(['tasks/a']);
  await pushTo(over, [{ doc_id: 'x' }, { doc_id: 'y', operation: 'delete' }], {
    scope_id: 'scope-2',
  });
  assert.equal((await full(over)).ids, 'a');
  assert.equal((await full(over, {}, request({ scope_id: 'scope-2' }))).ids, 'x y');
});

test('[FU-4] a cursor serves its own scope, collections and epoch only', async () => {
  const over = await filled(['tasks/a', 'tasks/b', 'tasks/c']);
  const cursor = (await full(over, { limit: 1 })).cursor ?? '';
  const reason = async (query: Partial<FullQuery>, context = request()) => {
    const error = await full(over, { cursor, ...query }, context).catch((e: unknown) => e);
    assert.ok(error instanceof Error && 'code' in error && error.code === 'cursor_invalid');
    return (error as unknown as { details: { reason: string } }).details.reason;
  };
  assert.equal(await reason({}, request({ scope_id: 'scope-2' })), 'tampered');
  assert.equal(await reason({ collections: ['notes', 'tasks'] }), 'tampered');
  assert.equal(await reason({ collections: ['tasks'] }), 'tampered');
  const calls = over.store.calls.length;
  for (const bad of ['x', '.', 'a.b.c', `${cursor}.x`, '.x', 'x.', 'a'.repeat(2_000)]) {
    assert.equal(await reason({ cursor: bad }), 'malformed');
  }
  const [payload, signature] = cursor.split('.') as [string, string];
  for (const place of [0, 10, payload.length - 1]) {
    const other = payload[place] === 'A' ? 'B' : 'A';
    const changed = payload.slice(0, place) + other + payload.slice(place + 1);
    assert.equal(await reason({ cursor: `${changed}.${signature}` }), 'tampered');
  }
  assert.equal(await reason({ cursor: `${payload}.${signature.slice(0, -1)}` }), 'tampered');
  assert.equal(await reason({ cursor: `${payload}.${signature}A` }), 'tampered');
  assert.equal(over.store.calls.length, calls, 'nothing is read for a bad cursor');
  over.clock.wall += 86_400_000 - 1;
  assert.equal((await full(over, { cursor })).ids, 'b c');
  over.clock.wall += 1;
  assert.equal(await reason({}), 'expired');
});

test('[FU-4] a later page does not lengthen the life of the walk, and another key or epoch ends it', async () => {
  const over = await filled(['tasks/a', 'tasks/b', 'tasks/c']);
  const first = await full(over, { limit: 1 });
  over.clock.wall += 86_000_000;
  const second = await full(over, { limit: 1, cursor: first.cursor ?? '' });
  over.clock.wall += 400_000;
  await assert.rejects(full(over, { cursor: second.cursor ?? '' }), { code: 'cursor_invalid' });
  const { meta } = over.core;
  for (const changed of [{ epoch: 'epoch-2' }, { cursor_key: 'cd'.repeat(32) }]) {
    const other = world({ meta: { ...meta, ...changed } });
    const failed = full(other, { cursor: first.cursor ?? '' });
    await assert.rejects(failed, { code: 'cursor_invalid', details: { reason: 'tampered' } });
  }
});

test('[FU-4] ids of any alphabet fit into a cursor', async () => {
  const widest = '\uffee'.repeat(255);
  const over = await filled([`tasks/${widest}`, `tasks/${widest}\uffef`]);
  const { cursor } = await full(over, { limit: 1 });
  assert.ok(cursor !== null && cursor.length <= 1_536);
  assert.equal((await full(over, { cursor })).ids, `${widest}\uffef`);
});

test('[FU-6] the trailer counts the lines before it and names cursor and head', async () => {
  const over = await filled(['tasks/a', 'tasks/b']);
  const { lines, cursor, last_seq, count } = await full(over, { limit: 1, trailer: true });
  assert.deepEqual(lines[1], { type: 'end', count: 1, cursor, last_seq });
  assert.equal(count, 1);
  const last = await full(over, { trailer: true });
  assert.deepEqual(last.lines[2], { type: 'end', count: 2, cursor: null, last_seq });
});

test('[PL-6] a full resync of an unknown collection is refused before any read', async () => {
  const over = world();
  for (const name of ['unknown', 'forbidden']) {
    const failed = full(over, { collections: ['tasks', name] });
    await assert.rejects(failed, { code: 'collection_forbidden' });
  }
  assert.deepEqual(over.store.calls, []);
});

test('[FU-6] a store that fails is a 503 and closes the walk; each page emits one event', async () => {
  const over = await filled(['tasks/a', 'tasks/b']);
  over.events.length = 0;
  const { cursor } = await full(over, { limit: 1 });
  await full(over, { cursor: cursor ?? '' });
  assert.deepEqual(
    over.events.map((event) => event.event === 'full.page' && [event.first, event.documents]),
    [
      [true, 1],
      [false, 1],
    ],
  );
  over.store.before = (call) => {
    if (call === 'walk.documents') throw new StoreError('unavailable', 'down');
  };
  await assert.rejects(full(over), { code: 'database_unavailable' });
  assert.equal(over.store.calls.at(-1), 'walk.close');
});
