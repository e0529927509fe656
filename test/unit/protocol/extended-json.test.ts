/** Documents at their bounds, and which numbers keep their stored type. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { BSON } from 'mongodb';
import {
  canonicalDecimal,
  type CheckedDocument,
  checkDocument,
  isDocumentFault,
} from '../../../src/protocol/pure/extended-json.ts';
import {
  ARRAY_ITEMS_MAX,
  DEPTH_MAX,
  DOCUMENT_KEYS_MAX,
  KEY_LENGTH_MAX,
} from '../../../src/protocol/pure/limits.ts';

function codeOf(value: unknown): string {
  const checked = checkDocument(value);
  return isDocumentFault(checked) ? checked.code : 'accepted';
}

function nested(levels: number, wrap: (inner: unknown) => unknown, leaf: unknown = 1): unknown {
  let value: unknown = leaf;
  for (let i = 0; i < levels; i += 1) value = wrap(value);
  return value;
}

test('[EJ-6] a document nests 32 levels of objects or arrays, and not 33', () => {
  assert.equal(DEPTH_MAX, 32);
  const object = (inner: unknown): unknown => ({ a: inner });
  assert.equal(codeOf(nested(32, object)), 'accepted');
  assert.equal(codeOf(nested(33, object)), 'nesting_too_deep');
  const array = (inner: unknown): unknown => [inner];
  assert.equal(codeOf({ a: nested(31, array) }), 'accepted');
  assert.equal(codeOf({ a: nested(32, array) }), 'nesting_too_deep');
});

test('[EJ-6] a typed value does not count as a level', () => {
  const object = (inner: unknown): unknown => ({ a: inner });
  assert.equal(codeOf(nested(32, object, { $numberLong: '1' })), 'accepted');
});

test('[EJ-6] a hostile depth is refused without a stack overflow', () => {
  const array = (inner: unknown): unknown => [inner];
  assert.equal(codeOf({ a: nested(100_000, array) }), 'nesting_too_deep');
});

test('[EJ-6] 2,000 keys over all levels, and not 2,001', () => {
  assert.equal(DOCUMENT_KEYS_MAX, 2_000);
  const keys = (count: number): [string, number][] =>
    Array.from({ length: count }, (_, index) => [`k${index}`, index]);
  assert.equal(codeOf(Object.fromEntries(keys(2_000))), 'accepted');
  assert.equal(codeOf(Object.fromEntries(keys(2_001))), 'invalid_data');
  const inner = Object.fromEntries(keys(999));
  assert.equal(codeOf({ a: inner, b: [inner] }), 'accepted');
  assert.equal(codeOf({ a: inner, b: [inner], c: 1 }), 'invalid_data');
});

test('[EJ-6] 100,000 items in an array, and not one more', () => {
  assert.equal(codeOf({ a: new Array(ARRAY_ITEMS_MAX).fill(null) }), 'accepted');
  assert.equal(codeOf({ a: new Array(ARRAY_ITEMS_MAX + 1).fill(null) }), 'invalid_data');
});

test('[EJ-6] keys of 256 characters, and not 257', () => {
  assert.equal(codeOf({ ['k'.repeat(KEY_LENGTH_MAX)]: 1 }), 'accepted');
  assert.equal(codeOf({ ['k'.repeat(KEY_LENGTH_MAX + 1)]: 1 }), 'invalid_key');
});

test('[EJ-5] a prototype key is refused at depth 1 and 20 and changes no prototype', () => {
  const text = (depth: number): string =>
    `${'{"a":'.repeat(depth - 1)}{"__proto__":{"polluted":true}}${'}'.repeat(depth - 1)}`;
  for (const depth of [1, 20]) assert.equal(codeOf(JSON.parse(text(depth))), 'invalid_key');
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('[EJ-5] names of object methods are ordinary keys', () => {
  for (const key of [
    'constructor',
    'toString',
    'hasOwnProperty',
    'toJSON',
    'then',
    'length',
    '_id',
  ]) {
    assert.equal(codeOf({ [key]: 'x' }), 'accepted');
  }
});

test('[EJ-7] the largest safe integers are plain; beyond them a wrapper is needed', () => {
  for (const n of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.1, 1e-300, 4.5]) {
    assert.equal(codeOf({ n }), 'accepted');
  }
  for (const n of [2 ** 53, -(2 ** 53), 1e300]) assert.equal(codeOf({ n }), 'unsafe_integer');
  assert.equal(codeOf(JSON.parse('{"n":9007199254740993}')), 'unsafe_integer');
  assert.equal(codeOf(JSON.parse('{"n":1e400}')), 'invalid_number');
  assert.equal(codeOf({ n: { $numberLong: '9007199254740993' } }), 'accepted');
});

test('[EJ-7] a plain negative zero is stored as 0', () => {
  const { data } = checkDocument(JSON.parse('{"n":-0,"list":[-0]}')) as CheckedDocument;
  assert.ok(Object.is(data['n'], 0));
  assert.ok(Object.is((data['list'] as number[])[0], 0));
});

test('[EJ-4] items of long arrays count with the digits of their index', () => {
  for (const length of [9, 10, 11, 100, 101, 1_001]) {
    const document = { list: Array.from({ length }, (_, i) => i % 3 === 0) };
    const { bytes } = checkDocument(document) as CheckedDocument;
    assert.equal(bytes, BSON.calculateObjectSize(document), `${length} items`);
  }
});

test('[EJ-7] a value that JSON cannot carry is refused, not dropped', () => {
  for (const value of [undefined, () => 1, Symbol('x'), 1n]) {
    assert.equal(codeOf({ a: value }), 'invalid_data');
  }
});

test('[EJ-8] a small $numberLong is plain on the wire and keeps its stored type at its own path only', () => {
  const checked = checkDocument({
    a: { $numberLong: '5' },
    b: 5,
    'a/b': { $numberLong: '6' },
    list: [
      { $numberLong: '7' },
      7,
      { x: { $numberLong: '8' }, y: { $numberLong: '9007199254740993' } },
    ],
    'list/1': 1,
  }) as CheckedDocument;
  assert.deepEqual(checked.data, {
    a: 5,
    b: 5,
    'a/b': 6,
    list: [7, 7, { x: 8, y: { $numberLong: '9007199254740993' } }],
    'list/1': 1,
  });
  assert.deepEqual(checked.typed, {
    a: { $numberLong: '5' },
    b: 5,
    'a/b': { $numberLong: '6' },
    list: [
      { $numberLong: '7' },
      7,
      { x: { $numberLong: '8' }, y: { $numberLong: '9007199254740993' } },
    ],
    'list/1': 1,
  });
});

test('[EJ-8] keys that hold a slash cannot lend their type to another path', () => {
  const cases = [
    { 'a/b': { $numberLong: '1' }, a: { b: 2 } },
    { a: { b: { $numberLong: '1' } }, 'a/b': 2 },
    { 'a~1b': { $numberLong: '1' }, 'a/b': 2 },
    { 'a~b': { $numberLong: '1' }, 'a~0b': 2, 'a~01b': 3 },
    { 'l/0': { $numberLong: '1' }, l: [2] },
  ];
  for (const sent of cases) {
    const checked = checkDocument(sent) as CheckedDocument;
    assert.deepEqual(checked.typed, sent, JSON.stringify(sent));
  }
});

test('[EJ-1] checking does not change what was sent', () => {
  const sent = { d: { $date: '2026-05-02T12:00:00Z' }, n: -0, l: { $numberLong: '1' } };
  const copy = structuredClone(sent);
  checkDocument(sent);
  assert.deepEqual(sent, copy);
});

test('[EJ-2] decimals take the spelling that Decimal128 prints, and keep trailing zeros', () => {
  const canonical: [string, string][] = [
    ['1.50', '1.50'],
    ['0012.5', '12.5'],
    ['1e3', '1E+3'],
    ['100E-2', '1.00'],
    ['0.000001', '0.000001'],
    ['0.0000001', '1E-7'],
    ['-0.0', '-0.0'],
    ['0E+3', '0E+3'],
    ['9999999999999999999999999999999999E+6111', '9.999999999999999999999999999999999E+6144'],
    ['1E-6176', '1E-6176'],
    ['Infinity', 'Infinity'],
  ];
  for (const [sent, expected] of canonical) assert.equal(canonicalDecimal(sent), expected, sent);
});

test('[EJ-2] a decimal that would be rounded, or is none, is refused', () => {
  const refused = [
    '',
    '-',
    '.5',
    '5.',
    '+1',
    '1 ',
    '1e',
    '0x10',
    'nan',
    '-NaN',
    'inf',
    '1_000',
    '12345678901234567890123456789012345',
    '1E-6177',
    '1E+6112',
    `1${'0'.repeat(300)}`,
    '1E+99999999',
  ];
  for (const text of refused) assert.equal(canonicalDecimal(text), undefined, text);
});

test('[EJ-1] a fault names the place and says what to do', () => {
  const fault = checkDocument({ list: [{ a: { $where: 'x' } }] });
  assert.ok(isDocumentFault(fault));
  assert.equal(fault.path, '/list/0/a');
  assert.match(fault.message, /Extended JSON/);
});
