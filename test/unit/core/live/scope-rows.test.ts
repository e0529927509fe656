/** The memory of a scope: joins, places, bundle ends, letting go. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ScopeRows } from '../../../../src/core/live/scope-rows.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { chain, hlc } from '../../../support/engine/records.ts';

const START = { version: ZERO_HLC, seq: 0 };

function memory(...bundles: string[][]) {
  const rows = new ScopeRows(START);
  for (const row of chain(bundles)) assert.equal(rows.offer(row), 'joined');
  return rows;
}

test('[LD-2] a row joins, is known, or leaves a gap', () => {
  const rows = new ScopeRows(START);
  const [one, two, three, four] = chain([['a', 'a'], ['a'], ['a']]);
  assert.equal(rows.offer(two!), 'gap');
  assert.equal(rows.offer(one!), 'joined');
  assert.equal(rows.offer(one!), 'known');
  assert.deepEqual([rows.tip.seq, rows.end.seq], [0, 1], 'half a bundle is not shown');
  assert.equal(rows.offer(two!), 'joined');
  assert.equal(rows.tip.seq, 2);
  assert.equal(rows.offer(four!), 'gap');
  assert.equal(rows.offer({ ...three!, prev: hlc(1) }), 'gap', 'another predecessor');
  assert.equal(rows.offer({ ...three!, seq: 4 }), 'gap', 'another place');
  assert.equal(rows.offer(three!), 'joined');
});

test('[LD-1] a place is held by its version, not by its number alone', () => {
  const rows = memory(['a'], ['a'], ['a']);
  assert.equal(rows.holds({ version: hlc(2), seq: 2 }), true);
  assert.equal(rows.holds({ version: hlc(2, 1), seq: 2 }), false);
  assert.equal(rows.holds({ version: '', seq: 0 }), true);
  assert.equal(rows.holds({ version: hlc(4), seq: 4 }), false);
  assert.deepEqual(
    [rows.find(hlc(3))?.seq, rows.find(ZERO_HLC)?.seq, rows.find(hlc(9))],
    [3, 0, undefined],
  );
});

test('[LD-6] what is let go is no longer held, and the floor is the row before what is left', () => {
  const rows = memory(['a'], ['a', 'a'], ['a']);
  rows.trim(2, 1e6);
  assert.deepEqual([rows.floor.seq, rows.floor.version], [2, hlc(2)]);
  assert.equal(rows.holds({ version: hlc(1), seq: 1 }), false);
  assert.equal(rows.holds({ version: hlc(2), seq: 2 }), true);
  assert.equal(rows.after({ version: hlc(2), seq: 2 })?.row.seq, 3);
  const { bytes } = rows;
  rows.trim(2, bytes - 1);
  assert.equal(rows.floor.seq, 3);
  rows.trim(0, 0);
  assert.deepEqual([rows.bytes, rows.tip.seq, rows.floor.seq], [0, 4, 4]);
});

test('[LD-3] the last row of a bundle that is shown', () => {
  const rows = memory(['a'], ['a', 'b', 'a', 'b'], ['b']);
  const at = (seq: number) => rows.after({ version: hlc(seq - 1), seq: seq - 1 })!.row;
  const last = (seq: number, name: string) =>
    rows.lastShown(at(seq), ({ collection }) => collection === name)?.row.seq;
  assert.deepEqual([last(2, 'a'), last(3, 'a'), last(5, 'a'), last(2, 'b')], [4, 4, undefined, 5]);
});
