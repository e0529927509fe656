/** The BSON codec: symmetric over everything a push may carry, and honest about everything else. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  Binary,
  BSON,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'mongodb';
import type { Json, JsonObject } from '../../src/protocol/pure/canonical-json.ts';
import { checkDocument, isDocumentFault } from '../../src/protocol/pure/extended-json.ts';
import type { IdType } from '../../src/protocol/pure/ids.ts';
import { decodeId, encodeDocument, encodeId } from '../../src/storage/mongo/bson-codec.ts';
import { decodeDocument, decodeRecord } from '../../src/storage/mongo/bson-reader.ts';
import { checkLaw } from '../support/law.ts';
import { anyDocument } from './wire-documents.ts';

function stored(document: Document): Uint8Array {
  return BSON.serialize(document);
}

function accepted(sent: unknown) {
  const checked = checkDocument(sent);
  assert.ok(!isDocumentFault(checked), JSON.stringify(checked));
  return checked;
}

test('[EJ-2] what is stored reads back as the text that was accepted', (t) => {
  checkLaw(
    t,
    fc.property(anyDocument, (sent) => {
      const { data, typed } = accepted(sent);
      const read = decodeDocument(stored(encodeDocument(typed ?? data)));
      assert.equal(JSON.stringify(read.data), JSON.stringify(data));
      assert.equal(read.read_only, false);
      assert.deepEqual(read.engine, {});
    }),
    2_000,
  );
});

test('[EJ-2] a document that is written again unchanged keeps its bytes', (t) => {
  checkLaw(
    t,
    fc.property(anyDocument, (sent) => {
      const { data, typed } = accepted(sent);
      const bytes = stored(encodeDocument(typed ?? data));
      const read = decodeDocument(bytes);
      assert.deepEqual(stored(encodeDocument(read.data, read)), bytes);
    }),
    1_000,
  );
});

test('[EJ-8] an unchanged number keeps its stored type, a changed one takes the usual one', () => {
  const before = stored({
    price: new Double(5),
    count: Long.fromNumber(5),
    list: [new Double(1), new Int32(2), { n: Long.fromNumber(3) }],
    far: new Double(5e9),
  });
  const read = decodeDocument(before);
  assert.deepEqual(read.data, { price: 5, count: 5, list: [1, 2, { n: 3 }], far: 5e9 });
  const changed = { ...read.data, count: 6, extra: 5 };
  const after = BSON.deserialize(stored(encodeDocument(changed, read)), { promoteValues: false });
  assert.deepEqual(after['price'], new Double(5));
  assert.deepEqual(after['count'], new Int32(6));
  assert.deepEqual(after['extra'], new Int32(5));
  assert.deepEqual(after['far'], new Double(5e9));
  assert.deepEqual(after['list'], [new Double(1), new Int32(2), { n: Long.fromNumber(3) }]);
});

test('[EJ-8] an asked-for long is stored as one, and large integers are longs', () => {
  const { data, typed } = accepted({ small: { $numberLong: '5' }, plain: 5, large: 2 ** 31 });
  assert.ok(typed);
  const after = BSON.deserialize(stored(encodeDocument(typed)), { promoteValues: false });
  assert.deepEqual(after, {
    small: Long.fromNumber(5),
    plain: new Int32(5),
    large: Long.fromNumber(2 ** 31),
  });
  assert.deepEqual(decodeDocument(stored(encodeDocument(typed))).data, data);
});

const FOREIGN: readonly (readonly [string, unknown, Json])[] = [
  ['regex', new BSONRegExp('a+', 'i'), { $regularExpression: { pattern: 'a+', options: 'i' } }],
  ['code', new Code('f()'), { $code: 'f()' }],
  ['code with scope', new Code('f()', { x: 1 }), { $code: 'f()', $scope: { x: 1 } }],
  ['symbol', new BSONSymbol('s'), { $symbol: 's' }],
  ['timestamp', new Timestamp({ t: 7, i: 9 }), { $timestamp: { t: 7, i: 9 } }],
  ['min key', new MinKey(), { $minKey: 1 }],
  ['max key', new MaxKey(), { $maxKey: 1 }],
  ['subtype 6', new Binary(Buffer.from([1, 2]), 6), { $binary: { base64: 'AQI=', subType: '06' } }],
  [
    'short subtype 4',
    new Binary(Buffer.from([1, 2]), 4),
    { $binary: { base64: 'AQI=', subType: '04' } },
  ],
  ['key with a dollar', { $where: 'x' }, { $where: 'x' }],
  ['key with a dot', { 'a.b': 1 }, { 'a.b': 1 }],
  ['empty key', { '': 1 }, { '': 1 }],
];

for (const [name, value, wire] of FOREIGN) {
  test(`[EJ-1] a ${name} is served in a readable form and never written`, () => {
    for (const place of [{ f: value }, { f: [1, { g: value }] }]) {
      const read = decodeDocument(stored({ _id: 1, before: 1, ...place, after: 'x' }));
      assert.equal(read.read_only, true);
      assert.equal(read.data['before'], 1);
      assert.equal(read.data['after'], 'x');
      const { f } = read.data;
      assert.deepEqual(Array.isArray(f) ? (f[1] as JsonObject)['g'] : f, wire);
    }
  });
}

test('[EJ-1] types that the driver can no longer write are read as well', () => {
  const undefinedField = Buffer.from('\x0a\x00\x00\x00\x06u\x00\x08b\x00\x01\x00', 'latin1');
  undefinedField.writeInt32LE(undefinedField.length);
  const read = decodeDocument(undefinedField);
  assert.deepEqual([read.data, read.read_only], [{ u: { $undefined: true }, b: true }, true]);
  const pointer = Buffer.concat([
    Buffer.from('\x00\x00\x00\x00\x0cp\x00\x03\x00\x00\x00ab\x00', 'latin1'),
    Buffer.alloc(12, 1),
    Buffer.from([0]),
  ]);
  pointer.writeInt32LE(pointer.length);
  assert.deepEqual(decodeDocument(pointer).data, {
    p: { $dbPointer: { $ref: 'ab', $id: { $oid: '01'.repeat(12) } } },
  });
});

test('[EJ-1] a date outside the range of dates is served as its milliseconds', () => {
  const bytes = Buffer.from(stored({ d: new Date(0) }));
  bytes.writeBigInt64LE(8_640_000_000_000_001n, 7);
  const read = decodeDocument(bytes);
  assert.deepEqual(read.data, { d: { $date: { $numberLong: '8640000000000001' } } });
  assert.equal(read.read_only, true);
});

test('[EJ-1] "__proto__" of a foreign document stays a field and changes no object', () => {
  const read = decodeDocument(stored(JSON.parse('{"__proto__": {"admin": true}, "a": 1}')));
  assert.equal(read.read_only, true);
  assert.equal((read.data as Record<string, unknown>)['admin'], undefined);
  assert.equal(JSON.stringify(read.data), '{"__proto__":{"admin":true},"a":1}');
});

/** A document with one string, whose bytes are replaced by others of the same length. */
function withBytes(document: Document, text: string, bytes: readonly number[]): Uint8Array {
  const whole = Buffer.from(stored(document));
  whole.set(bytes, whole.indexOf(text));
  return whole;
}

test('[EJ-10] text that is no UTF-8, as other drivers store it, is shown as valid JSON and read-only', () => {
  const surrogate = [0xed, 0xa0, 0x80];
  const long = `${'x'.repeat(30)}???`;
  for (const [document, text] of [
    [{ v: '???' }, '???'],
    [{ v: [long] }, '???'],
    [{ v: { '???': 1 } }, '???'],
    [{ '???': 1 }, '???'],
  ] as const) {
    const read = decodeDocument(withBytes(document, text, surrogate));
    assert.equal(read.read_only, true);
    const json = JSON.stringify(read.data);
    assert.match(json, /\ufffd/);
    assert.deepEqual(JSON.parse(json), read.data);
    assert.deepEqual(decodeDocument(withBytes(document, text, surrogate)).data, read.data);
  }
  assert.equal(decodeDocument(stored({ v: '\ufffd', '\ufffd': 1 })).read_only, false);
  assert.equal(decodeDocument(withBytes({ _id: '???', v: 1 }, '???', surrogate)).read_only, false);
});

test('[EJ-10] members of one name are read-only', () => {
  for (const document of [{ aa: 1, ab: 2 }, { v: { aa: 1, ab: 2 } }, { v: [{ aa: 1, ab: 2 }] }]) {
    const read = decodeDocument(withBytes(document, 'ab', [0x61, 0x61]));
    assert.equal(read.read_only, true);
    assert.equal(JSON.stringify(read.data).match(/"aa":2/g)?.length, 1);
  }
});

test('[EJ-10] a decimal in an unusual encoding is read-only, in the usual one it is not', () => {
  for (const text of ['-0', '0E+3', '-0.00', 'NaN', '1E-6176', '9.99E+6144', '1E+6111']) {
    const read = decodeDocument(stored({ v: Decimal128.fromString(text) }));
    assert.equal(read.read_only, false, text);
    assert.deepEqual(stored(encodeDocument(read.data)), stored({ v: Decimal128.fromString(text) }));
  }
  const negativeNaN = Buffer.from(Decimal128.fromString('NaN').bytes);
  negativeNaN[15] = 0xfc;
  const tooManyDigits = Buffer.alloc(16, 0xff);
  tooManyDigits[15] = 0x6f;
  for (const bytes of [negativeNaN, tooManyDigits]) {
    assert.equal(decodeDocument(stored({ v: new Decimal128(bytes) })).read_only, true);
  }
});

/** An object inside so many objects. */
function inside(levels: number): Document {
  return levels === 0 ? {} : { in: inside(levels - 1) };
}

test('[EJ-10] what is beyond the limits of a push is read-only, and at the limit it is not', () => {
  const keys = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1]));
  const list = (count: number) => Array.from({ length: count }, () => 1);
  const half = keys(1_000 - 1);
  for (const [document, read_only] of [
    [inside(31), false],
    [inside(32), true],
    [{ a: [inside(30)] }, true],
    [keys(2_000), false],
    [keys(2_001), true],
    [{ a: half, b: half }, false],
    [{ a: half, b: half, c: 1 }, true],
    [{ a: list(100_000) }, false],
    [{ a: list(100_001) }, true],
    [{ ['k'.repeat(256)]: 1 }, false],
    [{ ['k'.repeat(257)]: 1 }, true],
  ] as const) {
    const read = decodeDocument(stored({ _id: 1, ...document, _sync_version: 'v' }));
    assert.equal(read.read_only, read_only);
    assert.equal(isDocumentFault(checkDocument(read.data)), read_only);
  }
});

test('[PU-15] engine fields and _id are no part of the data', () => {
  const read = decodeDocument(
    stored({ _id: 'x', a: { _id: 1, _sync_x: 2 }, _sync_version: 'v', _sync_later: new MinKey() }),
  );
  assert.deepEqual(read.data, { a: { _id: 1, _sync_x: 2 } });
  assert.deepEqual(read.engine, { _id: 'x', _sync_version: 'v', _sync_later: { $minKey: 1 } });
  assert.equal(read.read_only, false);
});

test('[EJ-2] a record is read whole, bytes of a larger buffer around it notwithstanding', () => {
  const bytes = stored({ _id: 'ä', n: 1, at: new Date(5) });
  const wide = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(3)]);
  assert.deepEqual(decodeRecord(wide.subarray(3, 3 + bytes.length)), {
    _id: 'ä',
    n: 1,
    at: { $date: '1970-01-01T00:00:00.005Z' },
  });
});

const IDS: readonly (readonly [IdType, string, unknown])[] = [
  ['string', 'a/ä', 'a/ä'],
  ['objectid', '0123456789abcdef01234567', new ObjectId('0123456789abcdef01234567')],
  ['int', '-5', new Int32(-5)],
  ['int', '9007199254740991', Long.fromString('9007199254740991')],
  [
    'uuid',
    '00112233-4455-6677-8899-aabbccddeeff',
    new UUID('00112233-4455-6677-8899-aabbccddeeff'),
  ],
];

for (const [type, doc_id, value] of IDS) {
  test(`[ID-1] ${doc_id} of type ${type} is stored as its type and read back`, () => {
    assert.deepEqual(encodeId(doc_id, type), value);
    const { engine } = decodeDocument(stored({ _id: encodeId(doc_id, type) }));
    assert.equal(decodeId(engine['_id'], type), doc_id);
    for (const other of ['string', 'objectid', 'int', 'uuid'] as const) {
      if (other !== type) assert.equal(decodeId(engine['_id'], other), undefined);
    }
  });
}

function intIdOf(value: unknown): string | undefined {
  return decodeId(decodeDocument(stored({ _id: value })).engine['_id'], 'int');
}

test('[EJ-9] numbers that the database takes for one _id are one int id', () => {
  const decimals = ['7', '7.00', '70E-1', '0.7E+1'].map((text) => Decimal128.fromString(text));
  for (const value of [new Double(7), Long.fromNumber(7), new Int32(7), ...decimals]) {
    assert.equal(intIdOf(value), '7', String(value));
  }
  for (const value of [new Double(-0), new Int32(0), Decimal128.fromString('-0E+5')]) {
    assert.equal(intIdOf(value), '0');
  }
  assert.equal(intIdOf(Decimal128.fromString('-1.2E+3')), '-1200');
  assert.equal(intIdOf(Decimal128.fromString('9007199254740991')), '9007199254740991');
  const others = ['7.5', '7E-1', '9007199254740992', '1E+40', 'NaN', 'Infinity'];
  for (const value of [
    ...[new Double(7.5), new Double(Number.NaN), Long.MAX_VALUE, null, [7], '7'],
    ...others.map((text) => Decimal128.fromString(text)),
  ]) {
    assert.equal(intIdOf(value), undefined, String(value));
  }
});

test('[EJ-9] text that no client may send is no id', () => {
  for (const value of ['', 'a\nb', 'a\u0000b', 'x'.repeat(257)]) {
    assert.equal(decodeId(value, 'string'), undefined);
  }
  assert.equal(decodeId('x'.repeat(256), 'string'), 'x'.repeat(256));
});
