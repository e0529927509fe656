/** Documents of every BSON type, as an application stores them, through the engine and back. */

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  Binary,
  BSON,
  BSONRegExp,
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
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import { toBson } from '../support/wire-bson.ts';
import { type EnginePlace, SCOPE, withEngineOn } from './engine-on-mongo.ts';
import { anyDocument } from './wire-documents.ts';

const TASKS = [{ name: 'tasks' }];
const SAMPLES = 150;

/**
 * One value of every type of the closed list, numbers in each way of storing them. The test server stores
 * no dates outside the years 1 to 9999: `bson-codec.test.ts` has them.
 */
const WRITABLE: Document = {
  double: new Double(1.5),
  wholeDouble: new Double(5),
  hugeDouble: new Double(1e21),
  nan: new Double(Number.NaN),
  negativeZero: new Double(-0),
  infinity: new Double(Number.NEGATIVE_INFINITY),
  text: 'ä 😀 \u0000 \u2028 \ufffd',
  object: { inner: { empty: {} } },
  array: [1, [2, []], { three: 3 }],
  bytes: new Binary(Buffer.from([0, 255]), 0),
  functionBytes: new Binary(Buffer.from([1]), 1),
  legacyUuid: new Binary(Buffer.alloc(16, 7), 3),
  uuid: new UUID('00112233-4455-6677-8899-aabbccddeeff'),
  md5: new Binary(Buffer.alloc(16, 1), 5),
  ownBytes: new Binary(Buffer.from([9]), 0x80),
  oid: new ObjectId('0123456789abcdef01234567'),
  bool: false,
  date: new Date('2026-01-02T03:04:05.678Z'),
  lastDate: new Date('9999-12-31T23:59:59.999Z'),
  firstDate: new Date('0001-01-01T00:00:00.000Z'),
  nothing: null,
  int: new Int32(-2147483648),
  smallLong: Long.fromNumber(5),
  long: Long.fromString('9007199254740993'),
  longest: Long.MAX_VALUE,
  price: Decimal128.fromString('12.50'),
  decimals: [
    '0',
    '-0',
    '0E+3',
    '-0.00',
    'NaN',
    'Infinity',
    '-Infinity',
    '1E-6176',
    '1.5E+6144',
  ].map((text) => Decimal128.fromString(text)),
};

/** What a push cannot carry. The test server has no symbols: `bson-codec.test.ts` reads them. */
const OUTSIDE: readonly (readonly [string, unknown])[] = [
  ['regular expression', new BSONRegExp('a+', 'i')],
  ['code', new Code('f()')],
  ['code with scope', new Code('f()', { x: 1 })],
  ['timestamp', new Timestamp({ t: 7, i: 9 })],
  ['min key', new MinKey()],
  ['max key', new MaxKey()],
  ['old binary', new Binary(Buffer.from([2, 0, 0, 0, 1, 2]), 2)],
  ['encrypted binary', new Binary(Buffer.from([1, 2]), 6)],
  ['vector', new Binary(Buffer.from([3, 0, 1]), 9)],
  ['reference', { $ref: 'c', $id: new ObjectId('0123456789abcdef01234567'), $db: 'd' }],
  ['object that looks like an ObjectId', { $oid: 'no id' }],
  ['object that looks like a date', { $date: { $numberLong: '5' } }],
  ['key with a dot', { 'a.b': 1 }],
  ['empty key', { '': 1 }],
  ['key of a prototype', JSON.parse('{"__proto__": {"x": 1}}')],
  ['deep nesting', nested(40)],
  ['long key', { ['k'.repeat(257)]: 1 }],
];

function nested(levels: number): Document {
  return levels === 0 ? { end: true } : { in: nested(levels - 1) };
}

/** Inserts documents as an application would, known to be the scope's, and takes them over. */
async function adopt(place: EnginePlace, documents: readonly Document[]): Promise<void> {
  await place.db
    .collection('tasks')
    .insertMany(documents.map((one) => ({ ...one, _sync_scope_id: SCOPE })));
  const keys = documents.map(({ _id }) => ({ collection: 'tasks', doc_id: _id as string }));
  for (const verdict of await place.foreign(keys)) assert.equal(verdict, 'upserted');
}

async function storedBytes(place: EnginePlace): Promise<ReadonlyMap<string, string>> {
  const found = await place.db
    .collection<Document>('tasks')
    .find({}, { promoteValues: false })
    .toArray();
  return new Map(
    found.map((one) => {
      const own = Object.entries(one).filter(([key]) => !key.startsWith('_sync_'));
      return [
        String(one['_id']),
        Buffer.from(BSON.serialize(Object.fromEntries(own))).toString('hex'),
      ];
    }),
  );
}

/** Data texts by id, of the rows and of the full resync. */
async function servedTexts(place: EnginePlace): Promise<ReadonlyMap<string, string>> {
  const rows = new Map(
    (await place.pull()).map(({ doc_id, data }) => [doc_id, JSON.stringify(data)]),
  );
  const lines = await place.full('tasks');
  assert.deepEqual(
    new Map(lines.map(({ doc_id, data }) => [doc_id, JSON.stringify(data)])),
    new Map([...rows].sort(([a], [b]) => (a < b ? -1 : 1))),
  );
  return rows;
}

test('[EJ-11] what is pulled is pushed back unchanged: nothing is written, on the wire or in the database', (t) =>
  withEngineOn(TASKS, async (place) => {
    const seed = Number(process.env['SYNC_TEST_SEED'] ?? randomInt(2 ** 31 - 1));
    t.diagnostic(`seed ${seed}`);
    const samples = fc.sample(anyDocument, { numRuns: SAMPLES, seed }).flatMap((sent) => {
      const checked = checkDocument(sent);
      assert.ok(!isDocumentFault(checked));
      const far = /"\$date":"[+-]|"\$date":"0000/.test(JSON.stringify(checked.data));
      return far ? [] : [toBson(checked.data) as Document];
    });
    const every = [WRITABLE, { list: Object.values(WRITABLE) }, { in: { side: WRITABLE } }];
    await adopt(
      place,
      [...every, ...samples].map((one, i) => ({ _id: `d${String(i).padStart(4, '0')}`, ...one })),
    );
    const before = await storedBytes(place);
    const texts = await servedTexts(place);
    const rows = await place.pull();
    const pushed = rows.map(({ doc_id, data, version }) => ({
      ...{ collection: 'tasks', doc_id, data, parent_version: version },
    }));
    for (const result of await place.push(pushed)) {
      assert.deepEqual(
        [result.status, result.resolution],
        ['accepted', 'noop'],
        String(result.code),
      );
    }
    assert.deepEqual(await storedBytes(place), before);
    assert.deepEqual(await servedTexts(place), texts);
    const changed = pushed.map((one) => ({ ...one, data: { ...one.data, touched: 'x' } }));
    for (const result of await place.push(changed)) assert.equal(result.resolution, 'applied');
    await place.db.collection('tasks').updateMany({}, { $unset: { touched: '' } });
    assert.deepEqual(await storedBytes(place), before);
  })());

for (const [name, value] of OUTSIDE) {
  test(
    `[EJ-10] a document with a ${name} is served, logged when it changes, and never written`,
    withEngineOn(TASKS, async (place) => {
      const shapes = [{ v: value }, { list: [1, value] }, { in: { side: value } }];
      await adopt(
        place,
        shapes.map((one, i) => ({ _id: `d${i}`, before: 1, ...one, after: 'x' })),
      );
      const before = await storedBytes(place);
      await servedTexts(place);
      const rows = await place.pull();
      for (const operation of ['upsert', 'delete'] as const) {
        const results = await place.push(
          rows.map(({ doc_id, version }) => ({
            ...{ collection: 'tasks', doc_id, operation, parent_version: version },
            data: { replaced: true },
          })),
        );
        for (const { code } of results) assert.equal(code, 'document_validation');
      }
      assert.deepEqual(await storedBytes(place), before);
      const keys = rows.map(({ doc_id }) => ({ collection: 'tasks', doc_id }));
      assert.deepEqual(await place.foreign(keys), ['known', 'known', 'known']);
      await place.db.collection('tasks').updateMany({}, { $set: { after: 'y' } });
      assert.deepEqual(await place.foreign(keys), ['upserted', 'upserted', 'upserted']);
      const later = await place.pull(rows.at(-1)?.version as Hlc);
      assert.deepEqual(
        later.map(({ data }) => data?.['after']),
        ['y', 'y', 'y'],
      );
      await servedTexts(place);
    }),
  );
}

test(
  '[EJ-10] a document too large for a push is served alone on its page and may be made smaller',
  withEngineOn(TASKS, async (place) => {
    const text = 'x'.repeat(10_000_000);
    await place.push([{ collection: 'tasks', doc_id: 'first', data: { n: 1 } }]);
    await adopt(place, [{ _id: 'large', text }]);
    await place.push([{ collection: 'tasks', doc_id: 'last', data: { n: 2 } }]);
    const rows = await place.pull();
    assert.deepEqual(
      rows.map(({ doc_id }) => doc_id),
      ['first', 'large', 'last'],
    );
    assert.equal(String(rows[1]?.data?.['text']).length, text.length);
    assert.equal((await place.full('tasks')).length, 3);
    const change = { collection: 'tasks', doc_id: 'large', parent_version: rows[1]?.version };
    const [large] = await place.push([{ ...change, data: { text: `${text}y` } }]);
    assert.equal(large?.code, 'document_too_large');
    const [small] = await place.push([{ ...change, data: { text: 'short' } }]);
    assert.equal(small?.resolution, 'applied');
  }),
);

test(
  '[EJ-10] a document that no row can hold is a barrier, and nobody waits for it',
  withEngineOn(TASKS, async (place) => {
    const _id = 'huge';
    const huge = { _id, text: 'x'.repeat(16_000_000), _sync_scope_id: SCOPE };
    await place.db.collection<Document>('tasks').insertOne(huge as unknown as Document);
    await place.db
      .collection<Document>('tasks')
      .insertOne({ _id: 'other', n: 1, _sync_scope_id: SCOPE } as unknown as Document);
    const keys = [_id, 'other'].map((doc_id) => ({ collection: 'tasks', doc_id }));
    assert.deepEqual(await place.foreign(keys), ['barred', 'upserted']);
    const results = await place.push([
      { collection: 'tasks', doc_id: _id, data: { n: 1 } },
      { collection: 'tasks', doc_id: 'next', data: { n: 2 } },
    ]);
    assert.deepEqual(
      results.map(({ code }) => code),
      ['document_validation', null],
    );
    await assert.rejects(place.pull(), /collection_reset/);
    const served = (await place.full('tasks')).map(({ doc_id }) => doc_id);
    assert.deepEqual(served, ['huge', 'next', 'other']);
  }),
);

test(
  '[PU-5] a scope field inside a document may be an ObjectId, a UUID or an integer',
  withEngineOn([{ name: 'tasks', scope_field: ['site', 'team'] }], async (place) => {
    const oid = '0123456789abcdef01234567';
    const uuid = '00112233-4455-6677-8899-aabbccddeeff';
    const cases: readonly (readonly [string, unknown, Json])[] = [
      [oid, new ObjectId(oid), { $oid: oid.toUpperCase() }],
      [uuid, new UUID(uuid), { $uuid: uuid }],
      ['42', new Int32(42), 42],
      ['-5000000000', Long.fromNumber(-5_000_000_000), { $numberLong: '-5000000000' }],
      ['7', new Double(7), 7],
      ['text', 'text', 'text'],
    ];
    for (const [scope, value, wire] of cases) {
      const [own, pushed, absent] = [`own-${scope}`, `pushed-${scope}`, `absent-${scope}`];
      const foreign = { site: { team: value, x: 1 }, n: 1 };
      await place.db.collection<Document>('tasks').insertOne({ _id: own, ...foreign } as Document);
      const key = { collection: 'tasks', doc_id: own };
      assert.deepEqual(await place.foreign([key]), ['unavailable']);
      const [none] = await place.push([{ ...key, data: { n: 2 } }]);
      assert.equal(none?.code, 'id_unavailable');
      const results = await place.push(
        [
          { ...key, data: { site: { team: wire, x: 1 }, n: 2 } },
          { collection: 'tasks', doc_id: pushed, data: { site: { team: wire } } },
          { collection: 'tasks', doc_id: absent, data: { n: 3 } },
          { collection: 'tasks', doc_id: 'wrong', data: { site: { team: `${scope}0` } } },
        ],
        { scope },
      );
      assert.deepEqual(
        results.map(({ status, code }) => code ?? status),
        ['conflict_resolved', 'accepted', 'accepted', 'scope_forbidden'],
      );
      const lines = await place.full('tasks', 2, scope);
      assert.deepEqual(lines.map(({ doc_id }) => doc_id).sort(), [absent, own, pushed].sort());
      const found = lines.find(({ doc_id }) => doc_id === absent)?.data as JsonObject;
      assert.deepEqual(found, { n: 3, site: { team: scope } });
      assert.equal((await place.pull(undefined, scope))[0]?.doc_id, own);
    }
  }),
);
