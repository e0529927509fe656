/** Pages that readers share: never across scopes or filters, never an answer about the head. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { LIVE_LIMITS, type LiveLimits } from '../../../../src/core/live/live-limits.ts';
import { type ReplayPage, ReplayPages } from '../../../../src/core/live/replay-pages.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { world } from '../../../support/engine/engine-world.ts';
import { commit, settle } from '../../../support/engine/live-world.ts';
import { hlc, SCOPE } from '../../../support/engine/records.ts';

const ALL = ['tasks', 'notes'];

function pagesOver(limits: Partial<LiveLimits> = {}) {
  const made = world();
  const pages = new ReplayPages(made.core, made.clock, { ...LIVE_LIMITS, ...limits });
  const read = (scope_id = SCOPE, since = ZERO_HLC, collections: readonly string[] = ALL) =>
    pages.read({ scope_id, since, collections });
  return { ...made, pages, read };
}

const ids = (page: ReplayPage | undefined) =>
  page?.kind === 'rows' ? page.frames.map(({ row }) => `${row.collection}/${row.doc_id}`) : page;

test('[LD-7] a page is kept for a while, by scope, place and collections', async () => {
  const over = pagesOver();
  commit(over, ['tasks', 'notes'], 'red');
  commit(over, ['notes'], 'blue');
  assert.deepEqual(ids(await over.read('red')), ['tasks/d1', 'notes/d2']);
  assert.deepEqual(ids(await over.read('blue')), ['notes/d1'], 'never across scopes');
  assert.deepEqual(ids(await over.read('red', ZERO_HLC, ['notes'])), ['notes/d2']);
  assert.deepEqual(ids(await over.read('red', hlc(1))), ['notes/d2']);
  const reads = over.store.ranges.length;
  await Promise.all([over.read('red'), over.read('red')]);
  assert.equal(over.store.ranges.length, reads);
  over.clock.pass(LIVE_LIMITS.replay_kept_ms);
  await over.read('red');
  assert.equal(over.store.ranges.length, reads + 1);
});

test('[LD-7] nothing new, a stale place and a failure are asked again', async () => {
  const over = pagesOver();
  commit(over, ['tasks']);
  assert.deepEqual(ids(await over.read(SCOPE, hlc(1))), []);
  commit(over, ['tasks']);
  assert.deepEqual(ids(await over.read(SCOPE, hlc(1))), ['tasks/d2']);
  assert.equal((await over.read(SCOPE, hlc(3)))?.kind, 'stale');
  commit(over, ['tasks']);
  assert.equal((await over.read(SCOPE, hlc(3)))?.kind, 'rows');
  over.store.before = () => {
    throw new Error('gone');
  };
  await assert.rejects(over.read(SCOPE, hlc(2)));
  over.store.before = () => undefined;
  assert.deepEqual(ids(await over.read(SCOPE, hlc(2))), ['tasks/d3']);
});

test('[LD-7] only so many pages are read at once, and the others get their turn', async () => {
  const over = pagesOver({ replay_reads: 2 });
  for (let i = 0; i < 10; i += 1) commit(over, ['tasks']);
  let open = 0;
  let most = 0;
  over.store.before = async (call) => {
    if (call !== 'readRows') return;
    open += 1;
    most = Math.max(most, open);
    await settle();
    open -= 1;
  };
  const found = await Promise.all(
    Array.from({ length: 9 }, (_, i) => over.read(SCOPE, hlc(i + 1))),
  );
  assert.equal(most, 2);
  assert.deepEqual(
    found.map((page) => page?.kind === 'rows' && page.frames.length),
    [9, 8, 7, 6, 5, 4, 3, 2, 1],
  );
});

test('[LD-7] kept pages stay within their bytes', async () => {
  const over = pagesOver({ replay_kept_bytes: 1 });
  commit(over, ['tasks']);
  await over.read();
  const reads = over.store.ranges.length;
  await over.read();
  assert.equal(over.store.ranges.length, reads + 1);
});
