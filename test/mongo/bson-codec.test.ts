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
