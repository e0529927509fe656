/** `init --remove` on MongoDB: what stays is, byte for byte, what was there before `init`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Binary, type Db, Decimal128, type Document, Long, ObjectId, Timestamp } from 'mongodb';
import type { RemovalStep, StoreRemoval } from '../../src/core/ports/removal.ts';
import { mongoRemoval } from '../../src/storage/mongo/removal.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { CONTRACT_LAYOUT } from '../contract/contract-world.ts';
import { dumpDatabase } from '../support/mongo-dump.ts';
import { groupOf, openWatched, type WatchedStore } from './mongo-world.ts';
import { stampDocuments } from './stamp-documents.ts';

const SCOPE = 'team-1';

interface Stored extends Document {
  _id: string;
}

async function withDatabase(work: (watched: WatchedStore) => Promise<void>): Promise<void> {
  const watched = await openWatched({ setup: false });
  try {
    await work(watched);
  } finally {
    await watched.close();
  }
}

/** A removal over a connection of its own; `wrap` may break its database. */
async function withRemoval<T>(
  { uri, database }: WatchedStore,
  work: (removal: StoreRemoval) => Promise<T>,
  wrap: (db: Db) => Db = (db) => db,
): Promise<T> {
  const { db, client } = await connect(uri, database);
  const removal = mongoRemoval({ db: wrap(db), client }, CONTRACT_LAYOUT);
  try {
    return await work(removal);
  } finally {
    await removal.close();
  }
}

const remove = (watched: WatchedStore, wrap?: (db: Db) => Db) =>
  withRemoval(watched, (removal) => removal.apply(async () => {}), wrap);

const planOf = (watched: WatchedStore): Promise<readonly RemovalStep[]> =>
  withRemoval(watched, (removal) => removal.plan());

/** A database as a team has it: types, indexes, a validator, a collection that nobody configured. */
async function fillDatabase(db: Db): Promise<void> {
  await db.createCollection('tasks', { validator: { title: { $type: 'string' } } });
  await db.collection('tasks').createIndex({ title: 1 }, { name: 'by_title', unique: true });
  const own = (n: number): Document => ({
    _id: `t${n}`,
    z: n,
    title: `task ${n}`,
    at: new Date(n),
    price: Decimal128.fromString('1.50'),
    big: Long.fromNumber(7),
    bytes: new Binary(Buffer.from([1, 2, n])),
    nested: { list: [{ id: new ObjectId(n.toString(16).padStart(24, '0')) }, null, 1.5] },
  });
  await db.collection('tasks').insertMany(Array.from({ length: 5 }, (_, n) => own(n)));
  await db.collection('tasks').insertOne({ _id: 'odd' as never, title: 'x', t: new Timestamp(1n) });
  await db.createCollection('numbers');
  await db.collection('others').insertOne({ _sync_version: 'not ours' });
}

const TASK_IDS = ['t0', 't1', 't2', 't3', 't4', 'odd'];

/** Sets up and stamps in a process of its own, which ends. */
async function adopt(
  watched: WatchedStore,
  ids: Readonly<Record<string, readonly string[]>> = { tasks: TASK_IDS },
): Promise<void> {
  const { store } = await watched.another();
  await store.applySetup(CONTRACT_LAYOUT);
  for (const [collection, doc_ids] of Object.entries(ids)) {
    const verdicts = await stampDocuments(store, { collection, scope_id: SCOPE, doc_ids });
    assert.deepEqual([...new Set(verdicts)], ['stamped']);
  }
  await store.close();
}

test('[RM-1] after init, stamps and removal the database is byte for byte what it was', () =>
  withDatabase(async (watched) => {
    const { db } = watched;
    await fillDatabase(db);
    const before = await dumpDatabase(db);
    await adopt(watched);
    assert.notDeepEqual(await dumpDatabase(db), before);
    assert.equal(await db.collection('tasks').countDocuments({ _sync_hash: { $exists: true } }), 6);
    await remove(watched);
    assert.deepEqual(await dumpDatabase(db), before);
    assert.deepEqual(await planOf(watched), []);
  }));

test('[RM-1] an empty database is empty again', () =>
  withDatabase(async (watched) => {
    await watched.store.applySetup(CONTRACT_LAYOUT);
    await remove(watched);
    assert.deepEqual(await watched.db.listCollections().toArray(), []);
  }));

test('[RM-1] an index of the user on our key stays, and so does an empty collection of our name', () =>
  withDatabase(async (watched) => {
    const { db, store } = watched;
    await db.collection('tasks').createIndex({ _sync_version: 1 }, { name: 'theirs' });
    await db.createCollection('sync_clients');
    const before = await dumpDatabase(db);
    await store.applySetup(CONTRACT_LAYOUT);
    await store.recordClient({ scope_id: SCOPE, client_id: 'c', actor_id: 'a' });
    await remove(watched);
    assert.deepEqual(await dumpDatabase(db), before);
  }));

test('[RM-1] documents that came by push stay, without the fields of the engine', () =>
  withDatabase(async (watched) => {
    const { store } = watched;
    await store.applySetup(CONTRACT_LAYOUT);
    const change = { doc_id: 'pushed', data: { title: 'from a device' } };
    await store.commitGroup(SCOPE, groupOf(SCOPE, [change]));
    const another = await watched.another();
    await store.close();
    await remove(another);
    const found = await another.db.collection<Document>('tasks').find().toArray();
    assert.deepEqual(found, [{ _id: 'pushed', title: 'from a device' }]);
    assert.deepEqual(
      (await another.db.listCollections().toArray()).map(({ name }) => name),
      ['tasks'],
    );
  }));

test('[RM-5] a document that was deleted in place stays marked and does not come back to life', () =>
  withDatabase(async (watched) => {
    const { db } = watched;
    await fillDatabase(db);
    await adopt(watched);
    const update = { $set: { _sync_deleted: true }, $unset: { _sync_hash: true } } as const;
    await db.collection<Stored>('tasks').updateOne({ _id: 't1' }, update);
    const kept = (await planOf(watched)).find(({ action }) => action === 'keep');
    assert.match(kept?.detail ?? '', /1 documents .* keep _sync_deleted: true/);
    await remove(watched);
    const found = await db.collection<Stored>('tasks').findOne({ _id: 't1' });
    assert.deepEqual(
      Object.keys(found ?? {}).filter((key) => key.startsWith('_sync_')),
      ['_sync_deleted'],
    );
  }));

test('[RM-6] documents of an earlier server keep what it had given them', () =>
  withDatabase(async (watched) => {
    const { db } = watched;
    const version = '20250102T030405.006Z-0007';
    const named = { _sync_version: version, _sync_user_id: SCOPE };
    await db.collection<Stored>('tasks').insertMany([
      { _id: 't0', title: 'a', ...named },
      { _id: 't1', title: 'b', ...named, _sync_deleted: false },
    ]);
    const owned = { _sync_version: version, _sync_actor_id: 'a', _sync_scope_id: SCOPE };
    await db.collection<Stored>('notes').insertOne({ _id: 'n0', ...owned });
    const before = await dumpDatabase(db);
    await adopt(watched, { tasks: ['t0', 't1'], notes: ['n0'] });
    assert.equal(await db.collection('tasks').countDocuments({ _sync_hash: { $exists: true } }), 2);
    await remove(watched);
    assert.deepEqual(await dumpDatabase(db), before);
  }));

test('[RM-6] what came by push keeps a version and the owner, as an earlier server that named users needs it', () =>
  withDatabase(async (watched) => {
    const { db, store } = watched;
    const version = '20250102T030405.006Z-0007';
    const named = { _sync_version: version, _sync_user_id: SCOPE };
    await db.collection<Stored>('tasks').insertOne({ _id: 't0', title: 'a', ...named });
    await adopt(watched, { tasks: ['t0'] });
    const changes = ['t0', 't1'].map((doc_id) => ({ doc_id, data: { title: 'b' } }));
    await store.commitGroup(SCOPE, groupOf(SCOPE, changes));
    await store.close();
    const after = await watched.another();
    await remove(after);
    const found = await after.db
      .collection<Stored>('tasks')
      .find({}, { sort: { _id: 1 } })
      .toArray();
    assert.deepEqual(
      found.map(({ _sync_version, ...kept }) => [kept, typeof _sync_version]),
      ['t0', 't1'].map((_id) => [{ _id, title: 'b', _sync_user_id: SCOPE }, 'string']),
    );
  }));

test('[RM-4] a database without us has nothing to remove, not even what an earlier server left', () =>
  withDatabase(async (watched) => {
    const { db } = watched;
    assert.deepEqual(await planOf(watched), []);
    await remove(watched);
    assert.deepEqual(await db.listCollections().toArray(), []);
    await db.collection('sync_oplog').insertOne({ _id: 'row' as never, user_id: 'u' });
    await db.collection('tasks').insertOne({ _sync_version: 'v', _sync_user_id: 'u' });
    const before = await dumpDatabase(db);
    assert.deepEqual(await planOf(watched), []);
    await remove(watched);
    assert.deepEqual(await dumpDatabase(db), before);
  }));

test('[RM-2] a live server refuses the removal and nothing is touched', () =>
  withDatabase(async (watched) => {
    const { db, store } = watched;
    await fillDatabase(db);
    await adopt(watched);
    const server = await watched.another();
    await server.store.announce();
    assert.equal(await store.liveProcesses(), 1);
    await store.close();
    const before = await dumpDatabase(server.db, (name) => name !== 'sync_meta');
    await assert.rejects(remove(server), { kind: 'locked' });
    assert.deepEqual(await dumpDatabase(server.db, (name) => name !== 'sync_meta'), before);
    assert.equal((await server.store.readMeta())?.removing, undefined);
  }));

const WRITES = new Set(['updateOne', 'updateMany', 'deleteMany', 'dropIndex', 'drop', 'rename']);

/** A database whose process is killed before its n-th write. */
function dyingAt(n: number): (db: Db) => Db {
  let writes = 0;
  const wrapCollection = (collection: object): object =>
    new Proxy(collection, {
      get(target, key) {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        if (!WRITES.has(String(key))) return value.bind(target);
        return async (...args: unknown[]) => {
          writes += 1;
          if (writes >= n) throw new Error('killed');
          return value.apply(target, args);
        };
      },
    });
  return (db) =>
    new Proxy(db, {
      get(target, key) {
        const value = Reflect.get(target, key) as unknown;
        if (key === 'collection') return (name: string) => wrapCollection(target.collection(name));
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
}

test('[RM-3] a removal that is killed between any two of its writes is finished by the next one', () =>
  withDatabase(async (watched) => {
    const { db, store } = watched;
    await fillDatabase(db);
    const before = await dumpDatabase(db);
    for (let n = 1; ; n += 1) {
      await adopt(watched);
      const killed = await remove(watched, dyingAt(n)).then(
        () => false,
        (error: Error) => error.message === 'killed',
      );
      const meta = await store.readMeta();
      if (n > 1 && meta !== null) {
        assert.equal(meta.removing, true, `write ${n}`);
        await assert.rejects(store.applySetup(CONTRACT_LAYOUT), { kind: 'layout_blocked' });
      }
      await remove(watched);
      assert.deepEqual(await dumpDatabase(db), before, `write ${n}`);
      if (!killed) return assert.ok(n > 10, 'every write was met');
    }
  }));
