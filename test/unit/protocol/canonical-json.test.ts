/** Canonical JSON: what it leaves out and what it refuses. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { canonicalJson, type Json } from '../../../src/protocol/pure/canonical-json.ts';

test('[CJ-2] negative zero is 0; NaN and the infinities are refused at any depth', () => {
  assert.equal(canonicalJson([-0, 0]), '[0,0]');
  for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.throws(() => canonicalJson({ a: [{ b: number }] }), RangeError);
  }
});

test('[CJ-1] an undefined member is left out, as JSON.stringify does', () => {
  assert.equal(canonicalJson({ a: undefined, b: 1 } as unknown as Json), '{"b":1}');
  assert.equal(canonicalJson({ b: 1, a: undefined } as unknown as Json), '{"b":1}');
});

test('[CJ-3] HTML signs, separators and characters above ASCII are not escaped', () => {
  assert.equal(canonicalJson('<a href="x">&amp;\u2028€😀'), '"<a href=\\"x\\">&amp;\u2028€😀"');
});
