/** A database of an earlier server of the same protocol: its log, its clients, and the way back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Document } from 'mongodb';
import { mongoRemoval } from '../../src/storage/mongo/removal.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { CONTRACT_LAYOUT } from '../contract/contract-world.ts';
import { pullQuery, pushTo, request, world } from '../support/engine/engine-world.ts';
import { SCOPE } from '../support/engine/records.ts';
import { dumpDatabase } from '../support/mongo-dump.ts';
import { openWatched, type WatchedStore } from './mongo-world.ts';

interface Stored extends Document {
  _id: string;
}

const OLD = '20250102T030405.006Z-0001' as Hlc;
const NEWEST = '20250102T030405.007Z-0000-a1b2' as Hlc;

/** Rows by the documented shape of that server: no scope, place or predecessor. */
async function fillEarlier({ db }: WatchedStore): Promise<void> {
  const row = (_id: string, user: Document): Stored => ({
    _id,
    timestamp: new Date(),
    collection: 'tasks',
    doc_id: 't1',
    operation: 'upsert',
    data: { title: 'old' },
    parent_version: null,
    ...user,
  });
  const log = db.collection<Stored>('sync_oplog');
  await log.createIndex({ timestamp: 1 }, { expireAfterSeconds: 2_592_000 });
  await log.insertMany([
    row(OLD, { user_id: SCOPE }),
    row(NEWEST, { user_id: SCOPE }),
    row('20250102T030405.008Z-0002', { actor_id: 'a', scope_id: 'team' }),
    row('20250102T030405.009Z-0002', { actor_id: 'alone' }),
    row('not a version', { user_id: 'broken' }),
  ]);
  const stamped = { _sync_version: NEWEST, _sync_user_id: SCOPE, _sync_deleted: false };
  await db.collection<Stored>('tasks').insertOne({ _id: 't1', title: 'old', ...stamped });
}

async function withEarlier(work: (watched: WatchedStore) => Promise<void>): Promise<void> {
  const watched = await openWatched({ setup: false });
  try {
    await fillEarlier(watched);
    await work(watched);
  } finally {
    await watched.close();
  }
}

test('[EP-5] init sets the log aside whole and makes the heads of its scopes', () =>
  withEarlier(async ({ db, store }) => {
    const before = await dumpDatabase(db, (name) => name === 'sync_oplog');
    const plan = await store.planSetup(CONTRACT_LAYOUT);
    const step = plan.find(({ name, action }) => name === 'sync_oplog' && action === 'change');
    assert.match(step?.detail ?? '', /5 rows of an earlier server are set aside/);
    assert.ok(plan.every(({ action }) => action !== 'blocked'));
    await store.applySetup(CONTRACT_LAYOUT);
    const after = await dumpDatabase(db, (name) => name === 'sync_oplog_before');
    assert.deepEqual(after['sync_oplog_before'], before['sync_oplog']);
    assert.equal(await db.collection('sync_oplog').countDocuments(), 0);
    const heads = await db.collection<Stored>('sync_scopes').find().sort({ _id: 1 }).toArray();
    assert.deepEqual(
      heads.map(({ _id, head_version, head_seq, chain_start }) => [
        ...[_id, head_version, head_seq, chain_start],
      ]),
      [
        ['alone', '20250102T030405.009Z-0002', 0, '20250102T030405.009Z-0002'],
        [SCOPE, NEWEST, 0, NEWEST],
        ['team', '20250102T030405.008Z-0002', 0, '20250102T030405.008Z-0002'],
      ],
    );
    const again = await store.planSetup(CONTRACT_LAYOUT);
    assert.deepEqual([...new Set(again.map(({ action }) => action))], ['present']);
  }));

test('[EP-5] a cursor of that server gets one resync, one at its newest version goes on', () =>
  withEarlier(async ({ store }) => {
    await store.applySetup(CONTRACT_LAYOUT);
    const over = world({ store });
    const pull = (since: Hlc) => over.engine.pull(request(), pullQuery({ since }));
    const reasonOf = async (since: Hlc) => {
      const answer = await pull(since);
      return answer.kind === 'stale' ? answer.body.reason : answer.changes.length;
    };
    assert.equal(await reasonOf(OLD), 'history_pruned');
    assert.equal(await reasonOf(ZERO_HLC), 'history_pruned');
    assert.equal(await reasonOf(NEWEST), 0);
    await pushTo(over, [{ doc_id: 'new', data: {} }]);
    assert.equal(await reasonOf(NEWEST), 1);
    const stale = await pull(OLD);
    assert.equal(stale.kind, 'stale');
    if (stale.kind === 'stale') assert.equal(await reasonOf(stale.body.head as Hlc), 0);
  }));

test('[EP-5] a kill between the steps is finished by the next init', () =>
  withEarlier(async ({ db, store }) => {
    // As it stands after a kill between moving the rows and making the heads.
    await db.collection<Stored>('sync_meta').insertOne({ _id: 'setup', earlier_log: true });
    await db.collection('sync_oplog').rename('sync_oplog_before');
    const plan = await store.planSetup(CONTRACT_LAYOUT);
    assert.ok(plan.some(({ detail }) => detail === 'heads for the scopes of sync_oplog_before'));
    await store.applySetup(CONTRACT_LAYOUT);
    assert.equal(await db.collection('sync_scopes').countDocuments(), 3);
    const again = await store.planSetup(CONTRACT_LAYOUT);
    assert.deepEqual([...new Set(again.map(({ action }) => action))], ['present']);
  }));

test('[EP-5] a second log of an earlier server is not put over the first', () =>
  withEarlier(async ({ db, store }) => {
    await db.collection('sync_oplog_before').insertOne({ theirs: true });
    const blocked = (await store.planSetup(CONTRACT_LAYOUT)).filter(
      ({ action }) => action === 'blocked',
    );
    assert.match(blocked[0]?.detail ?? '', /sync_oplog_before is there already; rename one/);
    await assert.rejects(store.applySetup(CONTRACT_LAYOUT), { kind: 'layout_blocked' });
    assert.equal(await db.collection('sync_oplog').countDocuments(), 5);
  }));

test('[RM-6] a removal puts the log of the earlier server back in its place', () =>
  withEarlier(async (watched) => {
    const { db, store } = watched;
    const before = await dumpDatabase(db);
    await store.applySetup(CONTRACT_LAYOUT);
    for (const killed of [false, true]) {
      // A removal that was killed right before its end finds the log in its place already.
      if (killed) {
        await store.applySetup(CONTRACT_LAYOUT);
        await db.collection('sync_oplog_before').rename('sync_oplog', { dropTarget: true });
      }
      const connection = await connect(watched.uri, watched.database);
      const removal = mongoRemoval(connection, CONTRACT_LAYOUT);
      try {
        const plan = await removal.plan();
        assert.ok(plan.some(({ action }) => action === 'rename'));
        await removal.apply(async () => {});
      } finally {
        await removal.close();
      }
      assert.deepEqual(await dumpDatabase(db), before);
    }
  }));
