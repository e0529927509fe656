/** Where a pull starts, why it cannot, and whether rows join. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { chainFault, startOf } from '../../../../src/core/pull/staleness.ts';
import { scanRows } from '../../../../src/core/pull/plan-page.ts';
import type { RowPosition } from '../../../../src/core/ports/store.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { chain, head, hlc } from '../../../support/engine/records.ts';

const HEAD = head(hlc(20));

/** A retained row; its predecessor is one millisecond older. */
function row(seq: number): RowPosition {
  return { version: hlc(seq), prev: seq === 1 ? '' : hlc(seq - 1), seq };
}

function start(since: number | 'zero', facts: Partial<Parameters<typeof startOf>[0]> = {}) {
  const from = since === 'zero' ? ZERO_HLC : hlc(since);
  const found = startOf({ since: from, head: HEAD, at: null, first: null, ...facts });
  return found.kind === 'after' ? found.seq : found.kind === 'stale' ? found.reason : 'current';
}

test('[PL-3] a client at the head is current however old it is (invariant 15)', () => {
  assert.equal(start(20), 'current');
  assert.equal(start(20, { first: row(90) }), 'current');
  assert.equal(start('zero', { head: null }), 'current', 'an absent head is the zero version');
  assert.equal(start('zero', { head: head() }), 'current');
});

test('[PL-3] a client above the head is from another history', () => {
  assert.equal(start(21), 'cursor_ahead');
  assert.equal(start(1, { head: null }), 'cursor_ahead');
  assert.equal(start(21, { at: row(21) }), 'cursor_ahead', 'the head decides, not the row');
});

test('[PL-3] below the head a client starts after its own row, or from the beginning', () => {
  assert.equal(start(7, { at: row(7), first: row(1) }), 7);
  assert.equal(start('zero'), 0);
  assert.equal(start('zero', { first: row(9) }), 0);
});

test('[PL-3] without its own row a client starts where the first retained row names it', () => {
  assert.equal(start(7, { first: row(8) }), 7, 'a quiet scope whose newest row was pruned');
  assert.equal(start(6, { first: row(8) }), 'history_pruned');
  assert.equal(start(7), 'history_pruned', 'nothing is retained');
  assert.equal(start(9, { first: row(8) }), 'chain_broken', 'inside the retained range');
  assert.equal(start(7, { first: { ...row(8), prev: hlc(7, 0, 'zzzz') } }), 'history_pruned');
});

test('[PL-2] rows are served when the first joins and each names the one before', () => {
  const rows = chain([['tasks'], ['tasks', 'notes'], ['tasks']], 5);
  assert.equal(chainFault(rows, hlc(4), 4), undefined);
  assert.equal(chainFault(rows.slice(0, 1), hlc(4), 4), undefined);
  assert.equal(chainFault(chain([['tasks']]), ZERO_HLC, 0), undefined, 'nothing joins zero');
});

test('[PL-2] a gap is pruned history, a wrong name is a broken chain', () => {
  const rows = chain([['tasks'], ['tasks'], ['tasks'], ['tasks']], 5);
  assert.equal(chainFault([], hlc(4), 4), 'history_pruned');
  assert.equal(chainFault(rows.slice(1), hlc(4), 4), 'history_pruned');
  assert.equal(chainFault(rows, ZERO_HLC, 0), 'history_pruned');
  assert.equal(chainFault(rows, hlc(3), 4), 'chain_broken');
  assert.equal(chainFault(rows, hlc(4, 0, 'zzzz'), 4), 'chain_broken');
  const [a, b, c, d] = rows as [
    (typeof rows)[0],
    (typeof rows)[0],
    (typeof rows)[0],
    (typeof rows)[0],
  ];
  assert.equal(chainFault([a, c, d], hlc(4), 4), 'history_pruned');
  assert.equal(chainFault([a, b, { ...c, prev: hlc(4) }], hlc(4), 4), 'chain_broken');
  assert.equal(chainFault([a, b, c, { ...d, prev: hlc(6) }], hlc(4), 4), 'chain_broken');
});

test('[PL-4] a filter reads further, because it may skip rows', () => {
  assert.equal(scanRows(1, false), 1_001);
  assert.equal(scanRows(1_000, false), 2_000);
  assert.equal(scanRows(1, true), 5_000);
});
