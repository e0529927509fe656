/** Ids of every type on every route, in the spellings and stored forms that real data has. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Binary, Decimal128, type Document, Double, Int32, Long, ObjectId, UUID } from 'mongodb';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import type { IdType } from '../../src/protocol/pure/ids.ts';
import { type EnginePlace, SCOPE, withEngineOn } from './engine-on-mongo.ts';

/** Ids as a client sends them, in canonical form, and as they are stored; in the order of the database. */
const IDS: Readonly<Record<IdType, readonly (readonly [string, string, unknown])[]>> = {
  string: [
    ['A/b c', 'A/b c', 'A/b c'],
    ['a', 'a', 'a'],
    ['ä😀', 'ä😀', 'ä😀'],
  ],
  int: [
    ['-9007199254740991', '-9007199254740991', Long.fromString('-9007199254740991')],
    ['-2147483649', '-2147483649', Long.fromNumber(-2147483649)],
    ['-2147483648', '-2147483648', new Int32(-2147483648)],
    ['0', '0', new Int32(0)],
    ['2147483647', '2147483647', new Int32(2147483647)],
    ['2147483648', '2147483648', Long.fromNumber(2147483648)],
  ],
  objectid: [
    [
      '0A23456789ABCDEF01234567',
      '0a23456789abcdef01234567',
      new ObjectId('0a23456789abcdef01234567'),
    ],
    [
      'fb23456789abcdef01234567',
      'fb23456789abcdef01234567',
      new ObjectId('fb23456789abcdef01234567'),
    ],
  ],
  uuid: [
    [
      '00112233-4455-6677-8899-AABBCCDDEEFF',
      '00112233-4455-6677-8899-aabbccddeeff',
      new UUID('00112233-4455-6677-8899-aabbccddeeff'),
    ],
    [
      'ff112233-4455-6677-8899-aabbccddeeff',
      'ff112233-4455-6677-8899-aabbccddeeff',
      new UUID('ff112233-4455-6677-8899-aabbccddeeff'),
    ],
  ],
};

/**
 * `_id`s that are not of the type, or that no client may send. The test server tells Binary ids apart by
 * their bytes alone, and finds a shorter one where it does not sort it.
 */
const OTHERS: Readonly<Record<IdType, readonly unknown[]>> = {
  string: [5, new ObjectId(), new Date(0), { a: 1 }, 'a\nb', 'x'.repeat(300), ''],
  int: [
    '5',
    7.5,
    Long.MAX_VALUE,
    new Double(Number.NaN),
    Decimal128.fromString('1.5'),
    new ObjectId(),
  ],
  objectid: ['0a23456789abcdef01234567', 5, new UUID(), { oid: 1 }],
  uuid: [
    '00112233-4455-6677-8899-aabbccddeeff',
    new Binary(Buffer.alloc(16, 7), 3),
    new Binary(Buffer.alloc(16, 8), 0),
    new ObjectId(),
  ],
};

async function idsIn(place: EnginePlace, deleted: boolean, limit: number): Promise<string[]> {
  const lines = await place.full('things', limit);
  return lines.filter((line) => line.deleted === deleted).map(({ doc_id }) => doc_id);
}

async function storedIds(place: EnginePlace, filter: Document): Promise<unknown[]> {
  const found = place.db
    .collection('things')
    .find(filter, { promoteValues: false, sort: { _id: 1 } });
  return (await found.toArray()).map(({ _id }) => _id);
}

/** Everything that a document goes through. The foreign documents stand there all the time. */
async function everyRoute(place: EnginePlace, type: IdType): Promise<void> {
  const ids = IDS[type];
  const canonical = ids.map(([, id]) => id);
  const strays = OTHERS[type].map((_id) => ({
    ...{ _id, _sync_scope_id: SCOPE, _sync_version: 'v', _sync_hash: 'h', stray: true },
  }));
  await place.db.collection<Document>('things').insertMany(strays as Document[]);
  const creates = ids.map(([doc_id], i) => ({
    ...{ collection: 'things', doc_id, mutation_id: `m${i}`, data: { n: i } },
  }));
  const created = await place.push(creates);
  assert.deepEqual(
    created.map(({ code, doc_id }) => [code, doc_id]),
    canonical.map((id) => [null, id]),
  );
  assert.deepEqual(
    await storedIds(place, { stray: null }),
    ids.map(([, , value]) => value),
  );
  assert.deepEqual(
    (await place.pull()).map(({ doc_id }) => doc_id),
    canonical,
  );
  assert.ok((await place.push(creates)).every(({ duplicate }) => duplicate));
  for (const limit of [1, 2, 100]) assert.deepEqual(await idsIn(place, false, limit), canonical);
  const keys = canonical.map((doc_id) => ({ collection: 'things', doc_id }));
  assert.equal((await place.store.readDocuments(SCOPE, keys)).length, ids.length);
  assert.ok((await place.foreign(keys)).every((verdict) => verdict === 'known'));
  await place.db.collection('things').updateMany({ stray: null }, { $set: { by: 'app' } });
  assert.ok((await place.foreign(keys)).every((verdict) => verdict === 'upserted'));
  const versions = new Map((await place.pull()).map(({ doc_id, version }) => [doc_id, version]));
  const deletes = canonical.map((doc_id, i) => ({
    ...{ collection: 'things', doc_id: ids[i]?.[0] as string, operation: 'delete' as const },
    parent_version: versions.get(doc_id) as Hlc,
  }));
  assert.ok((await place.push(deletes)).every(({ resolution }) => resolution === 'applied'));
  for (const limit of [1, 2, 100]) {
    assert.deepEqual((await idsIn(place, true, limit)).sort(), [...canonical].sort());
    assert.deepEqual(await idsIn(place, false, limit), []);
  }
  const back = await place.push(
    canonical.map((doc_id) => ({ collection: 'things', doc_id, data: {} })),
  );
  assert.ok(back.every(({ code }) => code === null));
  assert.deepEqual(await idsIn(place, false, 3), canonical);
  assert.equal((await storedIds(place, { stray: true })).length, strays.length);
}

for (const type of ['string', 'int', 'objectid', 'uuid'] as const) {
  for (const tombstones of ['sidecar', 'in_place'] as const) {
    test(
      `[EJ-9] ${type} ids take every route, beside others that are in nobody's way (${tombstones})`,
      withEngineOn([{ name: 'things', id_type: type, tombstones }], (place) =>
        everyRoute(place, type),
      ),
    );
  }
}

test(
  '[EJ-9] an integer id that the application stored as another number keeps that number',
  withEngineOn([{ name: 'things', id_type: 'int' }], async (place) => {
    const stored = [
      new Double(-0),
      new Double(7),
      Long.fromNumber(8),
      Decimal128.fromString('9.0'),
    ];
    const documents = stored.map((_id) => ({ _id, n: 1, _sync_scope_id: SCOPE }));
    await place.db.collection<Document>('things').insertMany(documents as unknown as Document[]);
    const keys = ['0', '7', '8', '9'].map((doc_id) => ({ collection: 'things', doc_id }));
    assert.deepEqual(
      await place.foreign(keys),
      keys.map(() => 'upserted'),
    );
    assert.deepEqual(await idsIn(place, false, 3), ['0', '7', '8', '9']);
    const rows = await place.pull();
    const results = await place.push(
      rows.map(({ doc_id, version }) => ({
        ...{ collection: 'things', doc_id, data: { n: 2 }, parent_version: version },
      })),
    );
    assert.ok(results.every(({ resolution }) => resolution === 'applied'));
    assert.deepEqual(await storedIds(place, {}), stored);
    const fresh = keys.map((key) => ({ ...key, data: { n: 3 } }));
    assert.ok((await place.push(fresh)).every(({ resolution }) => resolution === 'current'));
  }),
);
