/** Laws of documents on the wire, checked against the BSON library that the production store uses. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BSON, Decimal128 } from 'mongodb';
import {
  canonicalJson,
  type Json,
  type JsonObject,
} from '../../src/protocol/pure/canonical-json.ts';
import {
  canonicalDecimal,
  type CheckedDocument,
  checkDocument,
  isDocumentFault,
  utf8Length,
} from '../../src/protocol/pure/extended-json.ts';
import { checkLaw } from '../support/law.ts';
import { throughBson } from '../support/wire-bson.ts';

const LONG_MAX = 2n ** 63n - 1n;
const text = fc.string({ unit: 'binary', maxLength: 12 });
const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .map((name) => name.replace(/[.\0]/g, '_').replace(/^\$/, '_'))
  .filter((name) => name !== '__proto__' && name !== '_bsontype');
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(0, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53 - 1),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value))
    .map((value) => (value === 0 ? 0 : value)),
);
const plainLeaf: fc.Arbitrary<Json> = fc.oneof(fc.constant(null), fc.boolean(), number, text);
const decimalText = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.stringMatching(/^\d{1,36}$/),
    fc.option(fc.stringMatching(/^\d{1,8}$/)),
    fc.option(fc.tuple(fc.constantFrom('e', 'E'), fc.integer({ min: -6_200, max: 6_200 }))),
  )
  .map(
    ([sign, whole, fraction, power]) =>
      `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${power === null ? '' : power.join('')}`,
  );
const hugeDouble = fc
  .double({ min: 2 ** 53, noNaN: true, noDefaultInfinity: true })
  .map((value) => String(Number.isInteger(value) ? value : 2 ** 60));
const bytes = fc.uint8Array({ maxLength: 12 }).map((value) => Buffer.from(value));
const wrapper: fc.Arbitrary<Json> = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => ({ $date: date.toISOString() })),
  fc.stringMatching(/^[0-9a-fA-F]{24}$/).map((hex) => ({ $oid: hex })),
  fc.bigInt({ min: -LONG_MAX - 1n, max: LONG_MAX }).map((long) => ({ $numberLong: String(long) })),
  fc.integer().map((long) => ({ $numberLong: String(long) })),
  decimalText
    .filter((value) => canonicalDecimal(value) !== undefined)
    .map((d) => ({ $numberDecimal: d })),
  fc.constantFrom('NaN', 'Infinity', '-Infinity').map((d) => ({ $numberDecimal: d })),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0').map((d) => ({ $numberDouble: d })),
  hugeDouble.map((d) => ({ $numberDouble: d })),
  fc.uuid().map((uuid) => ({ $uuid: uuid.toUpperCase() })),
  fc
    .tuple(bytes, fc.constantFrom('00', '0', '1', '05', '80', 'FF'))
    .map(([data, subType]) => ({ $binary: { base64: data.toString('base64'), subType } })),
);

function documentOf(leaf: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  const { node } = fc.letrec<{ node: Json }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('node'), { maxLength: 4 }),
      fc.dictionary(key, tie('node'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  return fc.dictionary(key, node, { maxKeys: 6, noNullPrototype: true });
}

const plainDocument = documentOf(plainLeaf);
const anyDocument = documentOf(fc.oneof(plainLeaf, wrapper));

function accept(value: unknown): CheckedDocument {
  const checked = checkDocument(value);
  assert.ok(!isDocumentFault(checked), JSON.stringify(checked));
  return checked;
}

test('[EJ-4] a plain document keeps its content and has the size that BSON gives it', (t) => {
  checkLaw(
    t,
    fc.property(plainDocument, (document) => {
      const sent = JSON.parse(JSON.stringify(document)) as JsonObject;
      const checked = accept(sent);
      assert.equal(canonicalJson(checked.data), canonicalJson(document));
      assert.equal(checked.typed, null);
      assert.equal(checked.bytes, BSON.calculateObjectSize(sent));
    }),
  );
});

test('[EJ-3] the canonical form is accepted as it is, and so is the typed copy', (t) => {
  checkLaw(
    t,
    fc.property(anyDocument, (document) => {
      const checked = accept(document);
      const again = accept(checked.data);
      assert.deepEqual(again.data, checked.data);
      assert.equal(again.typed, null);
      if (checked.typed === null) assert.equal(again.bytes, checked.bytes);
      else assert.deepEqual(accept(checked.typed), checked);
    }),
  );
});

test('[EJ-2] a store reads back exactly the canonical form, in the size that was counted', (t) => {
  checkLaw(
    t,
    fc.property(anyDocument, (document) => {
      const { data, typed, bytes: size } = accept(document);
      const stored = throughBson(typed ?? data);
      assert.equal(canonicalJson(stored.data), canonicalJson(data));
      assert.equal(stored.bytes, size);
    }),
  );
});

test('[EJ-2] a canonical decimal is what Decimal128 prints, and prints as itself', (t) => {
  checkLaw(
    t,
    fc.property(decimalText, (sent) => {
      const canonical = canonicalDecimal(sent);
      if (canonical === undefined) return;
      assert.equal(canonical, Decimal128.fromString(sent).toString(), sent);
      assert.equal(canonicalDecimal(canonical), canonical);
    }),
    3_000,
  );
});

test('[EJ-2] every decimal that a store can hold is accepted as it prints', (t) => {
  const stored = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((value) => new Decimal128(value))
    .filter((decimal) => decimal.toString().replace(/E.*|\D|^0+/g, '').length <= 34);
  checkLaw(
    t,
    fc.property(stored, (decimal) => {
      const printed = decimal.toString();
      assert.equal(canonicalDecimal(printed), printed);
    }),
    3_000,
  );
});

test('[EJ-4] the counted length of a text is its UTF-8 length', (t) => {
  checkLaw(
    t,
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      assert.equal(utf8Length(value), Buffer.byteLength(value));
    }),
    1_000,
  );
});

test('[EJ-1] base64 is accepted exactly in its canonical spelling', (t) => {
  const shaped = fc.stringMatching(/^[A-Za-z0-9+/=_-]{0,9}$/);
  checkLaw(
    t,
    fc.property(
      fc.oneof(
        shaped,
        bytes.map((data) => data.toString('base64')),
      ),
      (base64) => {
        const checked = checkDocument({ b: { $binary: { base64, subType: '00' } } });
        const canonical = Buffer.from(base64, 'base64').toString('base64') === base64;
        assert.equal(isDocumentFault(checked), !canonical, base64);
      },
    ),
    2_000,
  );
});

test('[EJ-5] whatever JSON arrives, checking answers and what it accepts is stable', (t) => {
  const hostileKey = fc.constantFrom(
    '__proto__',
    '_bsontype',
    '$where',
    '$date',
    'a.b',
    '',
    'a',
    'toString',
  );
  const leaf = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('\ud800', 1e21, 2 ** 53));
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc
        .array(fc.tuple(fc.oneof(hostileKey, fc.string()), tie('tree')), { maxLength: 3 })
        .map(jsonObject),
    ),
  }));
  checkLaw(
    t,
    fc.property(tree, (value) => {
      const checked = checkDocument(value);
      if (isDocumentFault(checked)) return;
      assert.deepEqual(accept(checked.data).data, checked.data);
      assert.equal(Object.getPrototypeOf(checked.data), Object.prototype);
    }),
    2_000,
  );
});

/** An object as JSON.parse makes it: `__proto__` is an own key. */
function jsonObject(entries: readonly (readonly [string, unknown])[]): unknown {
  return JSON.parse(
    `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')}}`,
  );
}
