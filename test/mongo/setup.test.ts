/** `init` on MongoDB: every collection and index, lifetimes changed in place, nothing foreign touched. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db, Document } from 'mongodb';
import type { SetupStep } from '../../src/core/ports/store.ts';
import { CONTRACT_LAYOUT } from '../contract/contract-world.ts';
import { shardedReason } from '../../src/storage/mongo/fitness.ts';
import { openWatched, type WatchedStore } from './mongo-world.ts';

async function withStore(work: (watched: WatchedStore) => Promise<void>): Promise<void> {
  const watched = await openWatched({ setup: false });
  try {
    await work(watched);
  } finally {
    await watched.close();
  }
}

async function indexOf(db: Db, collection: string, field: string): Promise<Document | undefined> {
  const indexes: Document[] = await db.collection(collection).listIndexes().toArray();
  return indexes.find((one) => Object.keys(one['key'])[0] === field);
}

function stepFor(steps: readonly SetupStep[], name: string): SetupStep | undefined {
  return steps.find((step) => step.name === name);
}

test('[ST-2] setup makes every index, and a second one finds it', () =>
  withStore(async ({ store, db }) => {
    await store.applySetup(CONTRACT_LAYOUT);
    const found = new Map<string, Document[]>();
    // A mongod lists them in the order of their making, the test server by name.
    for (const name of ['sync_oplog', 'sync_receipts', 'sync_tombstones', 'tasks', 'keys']) {
      const indexes: Document[] = await db.collection(name).listIndexes().toArray();
      const own = indexes.filter((one) => one['name'] !== '_id_');
      found.set(
        name,
        own.sort(
          (a, b) =>
            Number(b['unique'] ?? false) - Number(a['unique'] ?? false) ||
            String(a['name']).localeCompare(String(b['name'])),
        ),
      );
    }
    const shape = (name: string) =>
      found.get(name)?.map(({ key, unique, expireAfterSeconds, partialFilterExpression }) => ({
        key,
        ...(partialFilterExpression === undefined ? {} : { partial: partialFilterExpression }),
        ...(unique ? { unique } : {}),
        ...(expireAfterSeconds === undefined ? {} : { expireAfterSeconds }),
      }));
    const expireAfterSeconds = CONTRACT_LAYOUT.oplog_ttl_seconds;
    assert.deepEqual(shape('sync_oplog'), [
      { key: { scope_id: 1, seq: 1 }, unique: true },
      { key: { timestamp: 1 }, expireAfterSeconds },
    ]);
    assert.deepEqual(shape('sync_receipts'), [
      { key: { scope_id: 1, actor_id: 1, client_id: 1, mutation_id: 1 }, unique: true },
      { key: { at: 1 }, expireAfterSeconds },
    ]);
    assert.deepEqual(shape('sync_tombstones'), [
      { key: { scope_id: 1, collection: 1, doc_id: 1 }, unique: true },
      { key: { at: 1 }, expireAfterSeconds },
    ]);
    const business = [
      { key: { _sync_deleted: 1, _sync_scope_id: 1, _id: 1 }, partial: { _sync_deleted: true } },
      { key: { _sync_scope_id: 1, _id: 1 } },
      { key: { _sync_version: 1 } },
    ];
    assert.deepEqual(shape('tasks'), business);
    assert.deepEqual(shape('keys'), business);
  }));

test('[ST-2] a changed lifetime is changed in place, and 0 keeps for ever', () =>
  withStore(async ({ store, db, takeStarted }) => {
    await store.applySetup(CONTRACT_LAYOUT);
    const shorter = { ...CONTRACT_LAYOUT, oplog_ttl_seconds: 86_400 };
    const planned = await store.planSetup(shorter);
    assert.equal(stepFor(planned, 'sync_oplog.sync_expiry')?.action, 'change');
    assert.equal(planned.filter((step) => step.action !== 'present').length, 1);
    const [finding] = (await store.checkLayout(shorter)).filter((check) => !check.ok);
    assert.equal(finding?.name, 'index sync_oplog.sync_expiry');
    takeStarted();
    await store.applySetup(shorter);
    const started = takeStarted();
    assert.ok(started.includes('collMod') && !started.includes('dropIndexes'));
    assert.equal((await indexOf(db, 'sync_oplog', 'timestamp'))?.['expireAfterSeconds'], 86_400);
    const endless = { ...shorter, tombstone_ttl_seconds: 0 };
    await store.applySetup(endless);
    assert.equal(await indexOf(db, 'sync_tombstones', 'at'), undefined);
    const again = await store.planSetup(endless);
    assert.deepEqual([...new Set(again.map((step) => step.action))], ['present']);
    await store.applySetup(shorter);
    assert.ok(await indexOf(db, 'sync_tombstones', 'at'));
  }));

test('[ST-2] existing collections are taken as they are, with their documents and indexes', () =>
  withStore(async ({ store, db }) => {
    await db.collection<{ _id: string }>('tasks').insertOne({ _id: 'old' });
    await db.collection('tasks').createIndex({ _sync_version: 1 }, { name: 'theirs' });
    const steps = await store.applySetup(CONTRACT_LAYOUT);
    assert.equal(stepFor(steps, 'tasks')?.action, 'present');
    assert.equal(stepFor(steps, 'tasks.sync_version')?.action, 'present');
    assert.equal(stepFor(steps, 'tasks.sync_scope_id')?.action, 'create');
    assert.equal(await store.countUnmigrated('tasks'), 1);
  }));

/** Something in the way, and the step that must say so. */
interface Obstacle {
  readonly name: string;
  readonly step: string;
  readonly detail: RegExp;
  prepare(db: Db): Promise<unknown>;
}

const OBSTACLES: readonly Obstacle[] = [
  {
    name: 'a view',
    step: 'tasks',
    detail: /view/,
    prepare: (db) => db.createCollection('tasks', { viewOn: 'notes', pipeline: [] }),
  },
  {
    name: 'a capped collection',
    step: 'notes',
    detail: /capped/,
    prepare: (db) => db.createCollection('notes', { capped: true, size: 4_096 }),
  },
  {
    name: 'a time series',
    step: 'tasks',
    detail: /time series.*leave it out/,
    prepare: (db) => db.createCollection('tasks', { timeseries: { timeField: 'at' } }),
  },
  {
    name: 'a clustered collection',
    step: 'tasks',
    detail: /clustered.*copy it/,
    prepare: (db) =>
      db.createCollection('tasks', { clusteredIndex: { key: { _id: 1 }, unique: true } }),
  },
  {
    name: 'a schema that admits no further fields, without a document to try it on',
    step: 'tasks',
    detail: /validator refuses the fields _sync_\*.*patternProperties/,
    prepare: (db) => db.createCollection('tasks', { validator: CLOSED }),
  },
  {
    name: 'a validator that refuses a stamp of a document it takes',
    step: 'tasks',
    detail: /validator refuses/,
    prepare: async (db) => {
      await db.createCollection('tasks', { validator: { _sync_hash: { $exists: false } } });
      await db.collection<{ _id: string }>('tasks').insertOne({ _id: 'a' });
    },
  },
  {
    name: 'a unique index on fields of the engine',
    step: 'tasks',
    detail: /unique index "owner" .*drop it/,
    prepare: (db) =>
      db.collection('tasks').createIndex({ _sync_actor_id: 1 }, { name: 'owner', unique: true }),
  },
  {
    name: 'ids of another type',
    step: 'tasks',
    detail: /type objectid, not string; configure collections: \{tasks: \{id_type: objectid\}\}/,
    prepare: (db) => db.collection('tasks').insertOne({ title: 'by the driver' }),
  },
  {
    name: 'ids of a type that cannot be synced',
    step: 'tasks',
    detail: /type object, not string; only string, objectid, int, uuid can be synced/,
    prepare: (db) => db.collection('tasks').insertOne({ _id: { a: 1 } as never }),
  },
  {
    name: 'a collection of our name that another program fills',
    step: 'sync_clients',
    detail: /another program; rename it/,
    prepare: (db) => db.collection('sync_clients').insertOne({ theirs: true }),
  },
  {
    name: 'a default collation',
    step: 'tasks',
    detail: /collation/,
    prepare: (db) =>
      db.createCollection('tasks', { collation: { locale: 'de', strength: 2 } as never }),
  },
  {
    name: 'an index of the name with another key',
    step: 'tasks.sync_version',
    detail: /another key/,
    prepare: (db) => db.collection('tasks').createIndex({ title: 1 }, { name: 'sync_version' }),
  },
  {
    name: 'an index of the key that is not unique',
    step: 'sync_oplog.sync_scope_seq',
    detail: /not unique/,
    prepare: (db) => db.collection('sync_oplog').createIndex({ scope_id: 1, seq: 1 }),
  },
  {
    name: 'a partial index of the key',
    step: 'tasks.sync_version',
    detail: /partial/,
    prepare: (db) =>
      db
        .collection('tasks')
        .createIndex({ _sync_version: 1 }, { partialFilterExpression: { done: true } }),
  },
  {
    name: 'an index of marked documents that is not partial',
    step: 'tasks.sync_deleted',
    detail: /not partial/,
    prepare: (db) =>
      db.collection('tasks').createIndex({ _sync_deleted: 1, _sync_scope_id: 1, _id: 1 }),
  },
  {
    name: 'an expiry on documents',
    step: 'tasks.sync_version',
    detail: /expires documents/,
    prepare: (db) =>
      db.collection('tasks').createIndex({ _sync_version: 1 }, { expireAfterSeconds: 60 }),
  },
  {
    name: 'a newer schema',
    step: 'sync_meta',
    detail: /schema level 99/,
    prepare: (db) =>
      db.collection<{ _id: string }>('sync_meta').insertOne({
        _id: 'meta',
        schema_level: 99,
      } as { _id: string }),
  },
];

const CLOSED = {
  $jsonSchema: {
    additionalProperties: false,
    properties: { _id: {}, title: { bsonType: 'string' } },
  },
};

for (const { name, step, detail, prepare } of OBSTACLES) {
  test(`[CL-15] ${name} blocks setup before anything is touched`, () =>
    withStore(async ({ store, db }) => {
      await prepare(db);
      const before = (await db.listCollections().toArray()).map((one) => one.name).sort();
      const blocked = (await store.planSetup(CONTRACT_LAYOUT)).filter(
        (one) => one.action === 'blocked',
      );
      assert.deepEqual(
        blocked.map((one) => one.name),
        [step],
      );
      assert.match(blocked[0]?.detail ?? '', detail);
      await assert.rejects(store.applySetup(CONTRACT_LAYOUT), { kind: 'layout_blocked' });
      const after = (await db.listCollections().toArray()).map((one) => one.name).sort();
      assert.deepEqual(after, before);
      assert.ok((await store.checkLayout(CONTRACT_LAYOUT)).some((check) => !check.ok));
    }));
}

test('[CL-15] a validator that leaves room for the fields, or only warns, is no obstacle', () =>
  withStore(async ({ store, db }) => {
    const { $jsonSchema } = CLOSED;
    const open = { $jsonSchema: { ...$jsonSchema, patternProperties: { '^_sync_': {} } } };
    await db.createCollection('tasks', { validator: open });
    await db.collection<{ _id: string }>('tasks').insertOne({ _id: 'a' });
    await db.createCollection('notes', { validator: CLOSED, validationAction: 'warn' });
    const stored = await db.collection('tasks').find().toArray();
    await store.applySetup(CONTRACT_LAYOUT);
    assert.deepEqual(await db.collection('tasks').find().toArray(), stored, 'the try left nothing');
  }));

test('[CL-15] ids of several types are counted, with what becomes of them', () =>
  withStore(async ({ store, db }) => {
    const many = Array.from({ length: 1_200 }, (_, n) => ({ _id: `t${n}` as never }));
    await db.collection('tasks').insertMany([...many, {}, {}]);
    await db.collection('notes').insertOne({ _id: 'n' as never });
    const plan = await store.planSetup(CONTRACT_LAYOUT);
    const tasks = stepFor(plan, 'tasks');
    assert.equal(tasks?.action, 'present');
    assert.match(tasks?.note ?? '', /998 string, 2 objectid\).* not of type string stay invisible/);
    assert.deepEqual(
      [stepFor(plan, 'notes')?.detail, stepFor(plan, 'notes')?.note],
      ['is there; ids: string', undefined],
    );
  }));

/**
 * The test server cannot shard: these are rows as the manual of MongoDB shows them, of
 * `config.collections` and, on a shard's own members, of `config.cache.collections`.
 */
test('[CL-15] a sharded collection is refused (decided on recorded answers)', () => {
  const row = { _id: 'app.tasks', key: { region: 1, _id: 1 }, unique: false, noBalance: false };
  assert.match(shardedReason(row) ?? '', /sharded by \{region, _id\}; only collections of one/);
  assert.match(shardedReason({ _id: 'app.tasks', key: { _id: 'hashed' } }) ?? '', /\{_id\}/);
  assert.equal(shardedReason({ _id: 'app.tasks', unsplittable: true }), undefined);
});

test('[ST-2] two processes may set up at the same time', async () => {
  const one = await openWatched({ setup: false });
  const two = await one.another();
  try {
    const layouts = ['epoch-a', 'epoch-b'].map((new_epoch) => ({ ...CONTRACT_LAYOUT, new_epoch }));
    await Promise.all([one, two].map(({ store }, i) => store.applySetup(layouts[i] as never)));
    const [first, second] = [await one.store.readMeta(), await two.store.readMeta()];
    assert.deepEqual(first, second);
    assert.deepEqual(
      (await one.store.checkLayout(CONTRACT_LAYOUT)).filter((c) => !c.ok),
      [],
    );
  } finally {
    await one.close();
  }
});

test('[ST-8] a client is recorded by the clock of the database, hostile names included', () =>
  withStore(async ({ store, db }) => {
    await store.applySetup(CONTRACT_LAYOUT);
    const client = { scope_id: '$scope', client_id: '$$NOW', actor_id: '$actor.id' };
    await store.recordClient(client);
    const clients = db.collection('sync_clients');
    const [first] = await clients.find().toArray();
    assert.deepEqual(first?.['actor_id'], '$actor.id');
    assert.deepEqual(first?._id as unknown, { scope_id: '$scope', client_id: '$$NOW' });
    await store.recordClient({ ...client, actor_id: 'b' });
    const [second, ...others] = await clients.find().toArray();
    assert.deepEqual(others, []);
    assert.deepEqual(second?.['first_seen'], first?.['first_seen']);
    assert.equal(second?.['actor_id'], 'b');
    assert.ok(second?.['last_push_at'] >= first?.['last_push_at']);
  }));
