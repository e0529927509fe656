/** Laws of canonical JSON: one text per content, whatever the order in which keys arrived. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { canonicalJson, type Json } from '../../src/protocol/pure/canonical-json.ts';
import { checkLaw } from '../support/law.ts';

/** What JSON can carry: negative zero is written as 0. */
function withoutNegativeZero(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

const json = fc.jsonValue({ maxDepth: 4 }).map((value) => withoutNegativeZero(value as Json));

/** The same value with the keys of every object in another order. */
function reordered(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(reordered);
  const copy: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value).reverse()) {
    Object.defineProperty(copy, key, {
      value: reordered(item as Json),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

test('[CJ-6] canonical text parses to the same value and is its own canonical text', (t) => {
  checkLaw(
    t,
    fc.property(json, (value) => {
      const text = canonicalJson(value);
      assert.equal(JSON.stringify(JSON.parse(text)).length, text.length);
      assert.equal(canonicalJson(JSON.parse(text) as Json), text);
      assert.deepEqual(JSON.parse(text), value);
    }),
  );
});

test('[CJ-6] two values have one canonical text exactly when they are equal', (t) => {
  checkLaw(
    t,
    fc.property(json, json, (a, b) => {
      assert.equal(canonicalJson(reordered(a)), canonicalJson(a));
      const same = JSON.stringify(reordered(a)) === JSON.stringify(reordered(b));
      if (same) assert.equal(canonicalJson(a), canonicalJson(b));
      if (canonicalJson(a) === canonicalJson(b)) assert.deepEqual(a, b);
    }),
  );
});

test('[CJ-1] keys stand in code-unit order at every level', (t) => {
  const keys = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 4 }), { maxLength: 8 });
  checkLaw(
    t,
    fc.property(keys, (names) => {
      const object = Object.fromEntries(names.map((name, index) => [name, index]));
      const expected = [...names]
        .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        .map((name) => `${JSON.stringify(name)}:${names.indexOf(name)}`);
      assert.equal(canonicalJson(object), `{${expected.join(',')}}`);
    }),
    200,
  );
});

test('[CJ-2] every finite double prints as JSON.stringify prints it and reads back', (t) => {
  checkLaw(
    t,
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = canonicalJson(value);
      assert.equal(text, JSON.stringify(value));
      assert.ok(Number(text) === value, 'the same number; -0 is written as 0');
    }),
    2_000,
  );
});
