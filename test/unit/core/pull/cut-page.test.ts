/** Pages of whole bundles. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { cutPage } from '../../../../src/core/pull/cut-page.ts';
import { closePullLine, type PullChange } from '../../../../src/protocol/pull.ts';
import { chain, hlc } from '../../../support/engine/records.ts';

function cut(
  bundles: readonly (readonly string[])[],
  options: { limit?: number; max_bytes?: number; visible?: string[]; rows?: number } = {},
) {
  const { limit = 100, max_bytes = 1e6, visible = ['tasks', 'notes'], rows } = options;
  const page = cutPage(chain(bundles).slice(0, rows), {
    limit,
    max_bytes,
    visible: new Set(visible),
  });
  if (page === undefined) return undefined;
  const changes = page.rows.map(
    ({ row, bundle_end }) => JSON.parse(closePullLine(row.line, bundle_end)) as PullChange,
  );
  return { ...page, changes, ids: changes.map(({ doc_id }) => doc_id).join(' ') };
}

test('[PL-4] a page runs to the end of the bundle in which its limit is reached', () => {
  const bundles = [['tasks'], ['tasks', 'tasks', 'tasks'], ['tasks']];
  assert.equal(cut(bundles, { limit: 1 })?.ids, 'd1');
  assert.equal(cut(bundles, { limit: 2 })?.ids, 'd1 d2 d3 d4');
  assert.equal(cut(bundles, { limit: 4 })?.ids, 'd1 d2 d3 d4');
  assert.equal(cut(bundles, { limit: 5 })?.ids, 'd1 d2 d3 d4 d5');
  assert.equal(cut(bundles)?.last_seq, 5);
});

test('[PL-4] a bundle that was not read to its end is left for the next page', () => {
  const bundles = [['tasks'], ['tasks', 'tasks']];
  assert.equal(cut(bundles, { rows: 2 })?.ids, 'd1');
  assert.equal(cut(bundles, { rows: 2 })?.last_version, hlc(1));
  assert.equal(cut([['tasks', 'tasks']], { rows: 1 }), undefined);
  assert.equal(cut([]), undefined);
});

test('[PL-4] a page ends before the bundle that exceeds its bytes, but is never empty for it', () => {
  const bundles = [['tasks'], ['tasks'], ['tasks']];
  const line = chain(bundles)[0]!.line.length;
  assert.equal(cut(bundles, { max_bytes: 1 })?.ids, 'd1');
  assert.equal(cut(bundles, { max_bytes: 2 * line })?.ids, 'd1 d2');
  assert.equal(cut(bundles, { max_bytes: 2 * line - 1 })?.ids, 'd1');
  const hidden = [['notes'], ['notes'], ['tasks']];
  assert.equal(
    cut(hidden, { max_bytes: line, visible: ['tasks'] })?.ids,
    'd3',
    'hidden rows cost nothing',
  );
});

test('[PL-5] the last delivered row of each bundle says so, also behind a filter', () => {
  const bundles = [['tasks', 'notes'], ['notes'], ['notes', 'tasks', 'tasks', 'notes']];
  const ends = (visible: string[]) =>
    cut(bundles, { visible })?.changes.map(({ doc_id, bundle_end }) => [doc_id, bundle_end]);
  assert.deepEqual(ends(['tasks']), [
    ['d1', true],
    ['d5', false],
    ['d6', true],
  ]);
  assert.deepEqual(ends(['tasks', 'notes']), [
    ['d1', false],
    ['d2', true],
    ['d3', true],
    ['d4', false],
    ['d5', false],
    ['d6', false],
    ['d7', true],
  ]);
});

test('[PL-7] hidden rows are scanned: a page may be empty and still move on', () => {
  const page = cut([['notes'], ['notes', 'notes']], { visible: ['tasks'] });
  assert.deepEqual([page?.changes.length, page?.last_seq, page?.last_version], [0, 3, hlc(3)]);
  const counted = cut([['notes'], ['tasks'], ['notes'], ['tasks']], {
    visible: ['tasks'],
    limit: 1,
  });
  assert.equal(counted?.last_seq, 2, 'limit counts delivered rows');
});

test('[PL-9] reset rows of visible collections are named and never delivered', () => {
  const bundles = [['tasks'], ['!tasks', '!notes'], ['!tasks'], ['tasks']];
  const page = cut(bundles);
  assert.deepEqual(page?.reset, ['tasks', 'notes']);
  assert.equal(page?.ids, 'd1 d5');
  assert.deepEqual(cut(bundles, { visible: ['notes'] })?.reset, ['notes']);
  assert.deepEqual(cut(bundles, { limit: 1 })?.reset, [], 'the page ends before them');
  const mixed = cut([['tasks', '!tasks']]);
  assert.equal(mixed?.changes[0]?.bundle_end, true);
});
