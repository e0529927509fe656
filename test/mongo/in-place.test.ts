/** Tombstones in place, and an application's own soft deletes, through the engine. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Document, Double, Int32, Long } from 'mongodb';
import { type Hlc, ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import {
  type EnginePlace,
  type FullLine,
  SCOPE,
  type Wanted,
  withEngineOn,
} from './engine-on-mongo.ts';
import { groupOf } from './mongo-world.ts';

const IN_PLACE: readonly Wanted[] = [{ name: 'tasks', tombstones: 'in_place' }];
const SIDECAR: readonly Wanted[] = [{ name: 'tasks', tombstones: 'sidecar' }];
const MODES = [
  ['sidecar', SIDECAR],
  ['in place', IN_PLACE],
] as const;

function task(doc_id: string, data: Document | null, fields: Document = {}) {
  const operation = data === null ? ('delete' as const) : ('upsert' as const);
  return { collection: 'tasks', doc_id, operation, data, ...fields };
}

function stored(place: EnginePlace, _id: string): Promise<Document | null> {
  return place.db.collection<Document>('tasks').findOne({ _id } as Document);
}

function soft(place: EnginePlace, _id: string, update: Document): Promise<unknown> {
  return place.db.collection('tasks').updateOne({ _id } as Document, update);
}

function beside(place: EnginePlace): Promise<number> {
  return place.db.collection('sync_tombstones').countDocuments();
}

/** What a client needs to know of a line. */
function known({ doc_id, deleted, data }: FullLine): Document {
  return { doc_id, deleted, data };
}

test(
  '[TB-1] a delete keeps the document with its fields, marks it, and comes by pull and full as any other',
  withEngineOn(IN_PLACE, async (place) => {
    const data = {
      title: 'x',
      price: { $numberDecimal: '1.50' },
      when: { $date: '2026-01-02T03:04:05.000Z' },
    };
    const [created] = await place.push([task('a', data)]);
    await soft(place, 'a', { $set: { views: new Double(5), total: Long.fromNumber(7) } });
    assert.deepEqual(await place.foreign([{ collection: 'tasks', doc_id: 'a' }]), ['upserted']);
    const [adopted] = (await place.pull()).slice(-1);
    const before = await place.userFields('tasks', 'a');
    const [deleted] = await place.push([task('a', null, { parent_version: adopted?.version })]);
    assert.equal(deleted?.status, 'accepted');
    assert.deepEqual(await place.userFields('tasks', 'a'), before);
    const {
      _sync_version,
      _sync_deleted,
      _sync_hash,
      _sync_change_version,
      _sync_actor_id,
      ...rest
    } = (await stored(place, 'a')) as Document;
    assert.deepEqual(
      [_sync_version, _sync_deleted, _sync_hash],
      [deleted?.new_version, true, null],
    );
    assert.deepEqual([_sync_change_version, _sync_actor_id], [deleted?.new_version, 'actor-1']);
    assert.deepEqual([rest['_sync_scope_id'], rest['_sync_client_id']], [SCOPE, 'client-m']);
    assert.equal(await beside(place), 0);
    const rows = await place.pull(created?.new_version as Hlc);
    assert.deepEqual(
      rows.map(({ operation }) => operation),
      ['upsert', 'delete'],
    );
    assert.equal(rows[1]?.parent_version, adopted?.version);
    assert.deepEqual((await place.full('tasks')).map(known), [
      { doc_id: 'a', deleted: true, data: null },
    ]);
    assert.deepEqual(
      await place.store.readDocuments(SCOPE, [{ collection: 'tasks', doc_id: 'a' }]),
      [],
    );
    assert.equal(await place.store.countUnmigrated('tasks'), 0);
  }),
);

test(
  '[TB-1] a delete of a document that is not there leaves its tombstone beside the collection',
  withEngineOn(IN_PLACE, async (place) => {
    await place.push([task('ghost', null)]);
    assert.equal(await stored(place, 'ghost'), null);
    assert.equal(await beside(place), 1);
    await place.push([task('ghost', { n: 1 }), task('ghost', null)]);
    assert.equal((await place.full('tasks')).length, 1);
    const [line] = await place.full('tasks');
    await place.push([task('ghost', { n: 2 }, { parent_version: line?.version })]);
    await place.push([
      task('ghost', null, { parent_version: (await place.pull()).at(-1)?.version }),
    ]);
    assert.equal(await beside(place), 0);
    assert.equal((await stored(place, 'ghost'))?.['_sync_deleted'], true);
    assert.equal((await place.full('tasks')).length, 1);
  }),
);

test(
  '[TB-5] a document that the application puts beside its tombstone has one tombstone in the end',
  withEngineOn(IN_PLACE, async (place) => {
    await place.push([task('ghost', null)]);
    await place.db
      .collection<Document>('tasks')
      .insertOne({ _id: 'ghost', n: 1, _sync_scope_id: SCOPE } as Document);
    const [deleted] = await place.push([task('ghost', null, { parent_version: ZERO_HLC })]);
    assert.equal(deleted?.resolution, 'current');
    const [line] = await place.full('tasks');
    assert.deepEqual([line?.deleted, await beside(place)], [false, 0]);
    await place.store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'other', data: null }]));
    await place.db
      .collection('sync_tombstones')
      .updateOne({ doc_id: 'other' }, { $set: { doc_id: 'ghost' } });
    await place.push([task('ghost', null, { parent_version: line?.version })]);
    assert.deepEqual(
      (await place.full('tasks')).map(({ doc_id, deleted: gone }) => [doc_id, gone]),
      [['ghost', true]],
    );
  }),
);

test(
  '[TB-1] a document that comes back replaces its tombstone, and the mark goes',
  withEngineOn(IN_PLACE, async (place) => {
    await place.push([task('a', { n: 1, old: true })]);
    const [gone] = await place.push([
      task('a', null, { parent_version: (await place.pull()).at(-1)?.version }),
    ]);
    const [back] = await place.push([task('a', { n: 2 }, { parent_version: gone?.new_version })]);
    assert.equal(back?.status, 'accepted');
    assert.deepEqual(await place.userFields('tasks', 'a'), {
      n: new Int32(2),
    });
    assert.ok(!Object.hasOwn((await stored(place, 'a')) as Document, '_sync_deleted'));
    assert.deepEqual((await place.full('tasks')).map(known), [
      { doc_id: 'a', deleted: false, data: { n: 2 } },
    ]);
    assert.deepEqual(await place.foreign([{ collection: 'tasks', doc_id: 'a' }]), ['known']);
  }),
);

test(
  '[TB-1] a later stamp of a second delete stays with the tombstone in place, without a row',
  withEngineOn(IN_PLACE, async (place) => {
    const [created] = await place.push([task('a', { n: 1 })]);
    const parent_version = created?.new_version;
    const change_version = parent_version as Hlc;
    const [deleted] = await place.push([task('a', null, { parent_version, change_version })]);
    const later = `2${String(deleted?.new_version).slice(1)}` as Hlc;
    const [again] = await place.push([task('a', null, { parent_version, change_version: later })], {
      client: 'client-z',
    });
    assert.equal(again?.resolution, 'noop');
    const { _sync_version, _sync_change_version, _sync_client_id, _sync_actor_id, n } =
      (await stored(place, 'a')) as Document;
    assert.deepEqual(
      [_sync_version, _sync_change_version, _sync_client_id, _sync_actor_id, n],
      [deleted?.new_version, later, 'client-z', 'actor-1', 1],
    );
    assert.equal((await place.pull()).length, 2);
    assert.equal(await beside(place), 0);
  }),
);

test(
  "[TB-1] an id whose tombstone in place is another scope's stays that scope's",
  withEngineOn(IN_PLACE, async (place) => {
    await place.push([task('a', { n: 1 })], { scope: 'other' });
    const [row] = await place.pull(undefined, 'other');
    await place.push([task('a', null, { parent_version: row?.version })], { scope: 'other' });
    const [refused] = await place.push([task('a', { n: 2 })]);
    assert.deepEqual([refused?.status, refused?.code], ['rejected', 'id_unavailable']);
    assert.deepEqual(await place.full('tasks'), []);
    assert.equal((await place.full('tasks', 10, 'other')).length, 1);
    assert.deepEqual(await place.foreign([{ collection: 'tasks', doc_id: 'a' }]), ['unavailable']);
  }),
);

test(
  '[TB-1] a unique value of a deleted document stays taken, and the others of the push are kept',
  withEngineOn(IN_PLACE, async (place) => {
    await place.db.collection('tasks').createIndex({ email: 1 }, { unique: true, sparse: true });
    const [created] = await place.push([task('a', { email: 'x' })]);
    await place.push([task('a', null, { parent_version: created?.new_version })]);
    const results = await place.push([task('b', { email: 'x' }), task('c', { email: 'y' })]);
    assert.deepEqual(
      results.map(({ status, code }) => [status, code]),
      [
        ['rejected', 'unique_violation'],
        ['accepted', null],
      ],
    );
  }),
);

for (const [mode, wanted] of MODES) {
  test(
    `[TB-2] ${mode}: an application's own _sync_deleted counts as a deletion, and is logged once`,
    withEngineOn(wanted, async (place) => {
      await place.push(['a', 'b', 'c'].map((id) => task(id, { n: 1 })));
      await soft(place, 'a', { $set: { _sync_deleted: true } });
      await soft(place, 'b', { $set: { _sync_deleted: 'yes' } });
      await soft(place, 'c', { $set: { _sync_deleted: false } });
      const lines = await place.full('tasks');
      assert.deepEqual(
        lines.map(({ doc_id, deleted }) => [doc_id, deleted]),
        [
          ['b', false],
          ['c', false],
          ['a', true],
        ],
      );
      const keys = ['a', 'b', 'c'].map((doc_id) => ({ collection: 'tasks', doc_id }));
      assert.deepEqual(await place.foreign(keys), ['deleted', 'known', 'known']);
      assert.deepEqual(await place.foreign(keys), ['known', 'known', 'known']);
      const rows = await place.pull();
      assert.deepEqual([rows.length, rows[3]?.operation, rows[3]?.doc_id], [4, 'delete', 'a']);
      const document = (await stored(place, 'a')) as Document;
      assert.deepEqual(
        [
          document['n'],
          document['_sync_deleted'],
          document['_sync_hash'],
          document['_sync_version'],
        ],
        [1, true, null, rows[3]?.version],
      );
      assert.equal(await beside(place), 0);
    }),
  );

  test(
    `[TB-2] ${mode}: an application that takes the mark away brings the document back`,
    withEngineOn(wanted, async (place) => {
      await place.push([task('a', { n: 1 })]);
      await soft(place, 'a', { $set: { _sync_deleted: true } });
      await place.foreign([{ collection: 'tasks', doc_id: 'a' }]);
      await soft(place, 'a', { $unset: { _sync_deleted: '' }, $set: { n: 2 } });
      assert.deepEqual(await place.foreign([{ collection: 'tasks', doc_id: 'a' }]), ['upserted']);
      const rows = await place.pull();
      assert.deepEqual(
        rows.map(({ operation, data }) => [operation, data]),
        [
          ['upsert', { n: 1 }],
          ['delete', null],
          ['upsert', { n: 2 }],
        ],
      );
      assert.deepEqual((await place.full('tasks')).map(known), [
        { doc_id: 'a', deleted: false, data: { n: 2 } },
      ]);
    }),
  );

  test(
    `[TB-3] ${mode}: a push that meets a soft delete logs it first and never overwrites it silently`,
    withEngineOn(wanted, async (place) => {
      const created = await place.push(['a', 'b', 'c'].map((id) => task(id, { n: 1 })));
      const parent_version = created[0]?.new_version as Hlc;
      for (const id of ['a', 'b', 'c']) await soft(place, id, { $set: { _sync_deleted: true } });
      const [stale, literal, fresh] = await place.push([
        task('a', { n: 2 }, { parent_version, change_version: parent_version }),
        task('b', null, { parent_version: created[1]?.new_version }),
        task('c', { n: 3 }),
      ]);
      assert.deepEqual(
        [stale?.status, stale?.resolution, stale?.data],
        ['conflict_resolved', 'current', null],
      );
      assert.deepEqual([literal?.status, literal?.resolution], ['accepted', 'noop']);
      assert.equal(fresh?.status, 'accepted');
      const rows = (await place.pull()).slice(3);
      assert.deepEqual(
        rows.map(({ doc_id, operation, data }) => [doc_id, operation, data]),
        [
          ['a', 'delete', null],
          ['b', 'delete', null],
          ['c', 'delete', null],
          ['c', 'upsert', { n: 3 }],
        ],
      );
      assert.equal((await stored(place, 'a'))?.['n'], 1);
      assert.ok(!Object.hasOwn((await stored(place, 'c')) as Document, '_sync_deleted'));
      assert.equal(await place.db.collection('sync_conflicts').countDocuments(), 1);
      const lines = await place.full('tasks');
      assert.deepEqual(
        lines.map(({ doc_id, deleted }) => [doc_id, deleted]),
        [
          ['c', false],
          ['a', true],
          ['b', true],
        ],
      );
      const keys = ['a', 'b', 'c'].map((doc_id) => ({ collection: 'tasks', doc_id }));
      assert.deepEqual(await place.foreign(keys), ['known', 'known', 'known']);
    }),
  );

  test(
    `[TB-4] ${mode}: tombstones of an earlier server are tombstones, and adoption keeps their version`,
    withEngineOn(wanted, async (place) => {
      await place.push([task('seen', { n: 1 })]);
      const version = '20250102T030405.000Z-0001-abcd' as Hlc;
      const earlier = { _sync_user_id: SCOPE, _sync_version: version, _sync_deleted: true };
      await place.db.collection<Document>('tasks').insertMany([
        { _id: 'old', title: 'x', ...earlier },
        { _id: 'never', title: 'y', _sync_deleted: true, _sync_scope_id: SCOPE },
      ] as Document[]);
      const keys = ['old', 'never'].map((doc_id) => ({ collection: 'tasks', doc_id }));
      assert.deepEqual(await place.foreign(keys, { mode: 'stamps' }), ['stamped', 'stamped']);
      assert.deepEqual(await place.foreign(keys, { mode: 'stamps' }), ['known', 'known']);
      const old = (await stored(place, 'old')) as Document;
      assert.deepEqual(
        [old['title'], old['_sync_scope_id'], old['_sync_version']],
        ['x', SCOPE, version],
      );
      assert.equal((await place.pull()).length, 1);
      const lines = await place.full('tasks');
      assert.deepEqual(
        lines.map(({ doc_id, deleted }) => [doc_id, deleted]),
        [
          ['seen', false],
          ['never', true],
          ['old', true],
        ],
      );
      const [back] = await place.push([task('old', { n: 2 }, { parent_version: version })]);
      assert.deepEqual([back?.status, back?.resolution], ['accepted', 'applied']);
      assert.equal((await place.full('tasks')).filter(({ deleted }) => deleted).length, 1);
    }),
  );
}

test(
  '[TB-5] pages of any size hold every tombstone once, beside the collection and in place',
  withEngineOn(IN_PLACE, async (place) => {
    const ids = Array.from({ length: 7 }, (_, i) => `d${i}`);
    await place.push(ids.map((id) => task(id, { n: 1 })));
    const versions = new Map((await place.pull()).map(({ doc_id, version }) => [doc_id, version]));
    await place.push(ids.map((id) => task(id, null, { parent_version: versions.get(id) })));
    await place.push(['a', 'd9', 'z'].map((id) => task(id, null)));
    await place.db.collection<Document>('tasks').insertOne({
      _id: 5,
      _sync_scope_id: SCOPE,
      _sync_version: 'x',
      _sync_deleted: true,
    } as Document);
    const expected = [...['a', 'd9', 'z'], ...ids];
    for (const limit of [1, 2, 3, 4, 9, 10, 11, 100]) {
      const lines = await place.full('tasks', limit);
      assert.deepEqual(
        lines.map(({ doc_id }) => doc_id),
        expected,
        `limit ${limit}`,
      );
      assert.ok(lines.every(({ deleted, version }) => deleted && version.length > 0));
    }
  }),
);
