/** Transactions that the application opens itself: locked first, recorded, committed by the application. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { type ClientSession, MongoClient } from 'mongodb';
import type { SyncMetadata } from '../../src/index.ts';
import { PLACES } from './support/embedded-app.ts';
import { openWorld, refusal, SCOPE, type World } from './support/scope-world.ts';

const onMongo = PLACES.includes('mongo');

function sessionOf(t: TestContext, { place }: World): ClientSession {
  const session = (place.client as MongoClient).startSession();
  t.after(() => session.endSession());
  return session;
}

describe('mongo: transactions of the application', { skip: !onMongo }, () => {
  test('[LB-14] stamps and records of one transaction are bundles in commit order', async (t) => {
    const world = await openWorld(t, 'mongo');
    const { sync, plain, rows } = world;
    const tasks = plain('tasks');
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 'old', { n: 1 }));
    const session = sessionOf(t, world);
    let metadata = {} as SyncMetadata;
    await session.withTransaction(async () => {
      metadata = await sync.buildSyncMetadata({ scope_id: SCOPE, actor_id: 'job', session });
      const common = { session, metadata, collection: 'tasks' };
      await tasks.insertOne({ _id: 't1', n: 1, ...metadata }, { session });
      const first = await sync.recordServerChange({ ...common, doc_id: 't1', operation: 'upsert' });
      assert.equal(first.rows[0]?.version, metadata._sync_version);
      await tasks.insertOne({ _id: 't2', n: 2, ...metadata }, { session });
      await sync.recordServerChange({
        ...common,
        doc_id: 't2',
        operation: 'upsert',
        data: { n: 2 },
      });
      await tasks.deleteOne({ _id: 'old' }, { session });
      await sync.recordServerChange({ ...common, doc_id: 'old', operation: 'delete' });
      assert.equal((await rows()).length, 1, 'nothing is seen before the commit');
    });
    const found = await rows();
    assert.deepEqual(
      found.map(({ doc_id, operation, data, bundle_seq }) => [doc_id, operation, data, bundle_seq]),
      [
        ['old', 'upsert', { n: 1 }, 1],
        ['t1', 'upsert', { n: 1 }, 2],
        ['t2', 'upsert', { n: 2 }, 3],
        ['old', 'delete', null, 4],
      ],
    );
    assert.deepEqual(
      found.map(({ parent_version }) => parent_version),
      [null, null, null, found[0]?.version],
    );
    const stored = await tasks.find().sort({ _id: 1 }).toArray();
    assert.deepEqual(
      stored.map(({ _sync_version, _sync_actor_id }) => [_sync_version, _sync_actor_id]),
      found.slice(1, 3).map(({ version }) => [version, 'job']),
    );
    await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 't3', { n: 3 }));
    assert.equal((await rows()).at(-1)?.bundle_seq, 5);
  });

  test('[LB-14] a record follows what the same transaction recorded before', async (t) => {
    const world = await openWorld(t, 'mongo');
    const { sync, plain, rows } = world;
    const tasks = plain('tasks');
    const session = sessionOf(t, world);
    await session.withTransaction(async () => {
      const metadata = await sync.buildSyncMetadata({ scope_id: SCOPE, session });
      const record = (doc_id: string, operation: 'upsert' | 'delete') =>
        sync.recordServerChange({ session, metadata, collection: 'tasks', doc_id, operation });
      for (const id of ['gone', 'changed']) {
        await tasks.insertOne({ _id: id, n: 1, ...metadata }, { session });
        await record(id, 'upsert');
      }
      await tasks.deleteOne({ _id: 'gone' }, { session });
      await record('gone', 'delete');
      for (const n of [2, 3]) {
        await tasks.updateOne({ _id: 'changed' }, { $set: { n } }, { session });
        await record('changed', 'upsert');
      }
    });
    const found = await rows();
    assert.deepEqual(
      found.map(({ doc_id, operation, data }) => [doc_id, operation, data]),
      [
        ['gone', 'upsert', { n: 1 }],
        ['changed', 'upsert', { n: 1 }],
        ['gone', 'delete', null],
        ['changed', 'upsert', { n: 2 }],
        ['changed', 'upsert', { n: 3 }],
      ],
    );
    const at = (index: number) => found[index]?.version;
    assert.deepEqual(
      found.map(({ parent_version }) => parent_version),
      [null, null, at(0), at(1), at(3)],
    );
  });

  test('[LB-14] an aborted transaction leaves nothing', async (t) => {
    const world = await openWorld(t, 'mongo');
    const { sync, plain, rows } = world;
    const session = sessionOf(t, world);
    session.startTransaction();
    const metadata = await sync.buildSyncMetadata({ scope_id: SCOPE, session });
    await plain('tasks').insertOne({ _id: 't1', ...metadata }, { session });
    const change = {
      session,
      metadata,
      collection: 'tasks',
      doc_id: 't1',
      operation: 'upsert',
    } as const;
    await sync.recordServerChange(change);
    await session.abortTransaction();
    assert.deepEqual(await rows(), []);
    await assert.rejects(sync.recordServerChange(change), refusal('unknown_metadata'));
    session.startTransaction();
    await assert.rejects(sync.recordServerChange(change), refusal('unknown_metadata'));
    await session.abortTransaction();
    const { bundle_seq } = await sync.withScopeWrite(SCOPE, (w) => w.upsert('tasks', 't1', {}));
    assert.equal(bundle_seq, 1);
  });

  test('[LB-15] the lock must come first, unless transient errors are accepted', async (t) => {
    const world = await openWorld(t, 'mongo');
    const { sync, plain, rows } = world;
    const session = sessionOf(t, world);
    const build = (more = {}) => sync.buildSyncMetadata({ scope_id: SCOPE, session, ...more });
    await assert.rejects(build(), refusal('transaction_required'));
    await session.withTransaction(async () => {
      await plain('tasks').findOne({}, { session });
      await build({ accept_transient_errors: true });
    });
    session.startTransaction();
    await plain('tasks').findOne({}, { session });
    await assert.rejects(build(), refusal('lock_not_first'));
    const metadata = await build({ accept_transient_errors: true });
    assert.notDeepEqual(await build(), metadata, 'a second stamp needs no second lock');
    await session.abortTransaction();

    let attempts = 0;
    await session.withTransaction(async () => {
      attempts += 1;
      await plain('tasks').findOne({}, { session });
      if (attempts === 1) {
        await sync.withScopeWrite(SCOPE, (write) => write.upsert('tasks', 'between', {}));
      }
      const late = await build({ accept_transient_errors: true });
      await plain('tasks').insertOne({ _id: 't1', ...late }, { session });
      const change = { collection: 'tasks', doc_id: 't1', operation: 'upsert' } as const;
      await sync.recordServerChange({ session, metadata: late, ...change });
    });
    assert.equal(attempts, 2, 'the scope was written to after the snapshot: a transient error');
    assert.deepEqual(
      (await rows()).map(({ doc_id }) => doc_id),
      ['between', 't1'],
    );
  });

  test('[LB-15] sessions, stamps and documents that do not fit are refused', async (t) => {
    const world = await openWorld(t, 'mongo');
    const { sync, plain } = world;
    const stranger = new MongoClient(process.env['SYNC_TEST_MONGODB_URI'] as string);
    t.after(() => stranger.close());
    const foreign = stranger.startSession();
    foreign.startTransaction();
    const request = { scope_id: SCOPE, session: foreign };
    await assert.rejects(sync.buildSyncMetadata(request), refusal('foreign_session'));
    await foreign.endSession();

    const session = sessionOf(t, world);
    session.startTransaction();
    const metadata = await sync.buildSyncMetadata({ scope_id: SCOPE, session });
    const record = (change: object) =>
      sync.recordServerChange({
        ...{ session, metadata, collection: 'tasks', doc_id: 't1', operation: 'upsert' },
        ...change,
      });
    await assert.rejects(record({ metadata: { ...metadata } }), refusal('unknown_metadata'));
    await assert.rejects(record({ parent_version: 'junk' }), refusal('change_refused'));
    await assert.rejects(record({ collection: 'nowhere' }), refusal('invalid_document'));
    await assert.rejects(record({}), refusal('document_missing'));
    await plain('tasks').insertOne({ _id: 't1' }, { session });
    await assert.rejects(record({ operation: 'delete' }), refusal('document_present'));
    const parent_version = '20260101T000000.000Z-0000-abcd';
    await record({ parent_version });
    await session.commitTransaction();
    assert.deepEqual(
      (await world.rows()).map((row) => row.parent_version),
      [parent_version],
    );
  });
});
