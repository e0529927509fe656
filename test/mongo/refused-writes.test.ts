/** What the database refuses becomes a rejection of one change; what others wrote first is seen. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Double, Int32, Long } from 'mongodb';
import type { StartedMongo } from '../../scripts/mongodb.mjs';
import { hashOf, type PlannedChange, planBundle } from '../contract/plan-builder.ts';
import { startOwnMongo } from '../support/mongodb.ts';
import { groupOf, openWatched, type WatchedOptions, type WatchedStore } from './mongo-world.ts';

const SCOPE = 'scope-1';
let standalone: StartedMongo;
before(async () => {
  standalone = await startOwnMongo({ standalone: true });
});
after(() => standalone.stop());

const WAYS: Readonly<Record<string, () => WatchedOptions>> = {
  'one bulk write': () => ({}),
  'a bulk write per collection': () => ({ clientBulkWrite: false }),
  'no transaction': () => ({ transactions: 'off', server: standalone }),
};

for (const [way, options] of Object.entries(WAYS)) {
  async function withStore(work: (watched: WatchedStore) => Promise<void>): Promise<void> {
    const watched = await openWatched(options());
    try {
      await work(watched);
    } finally {
      await watched.close();
    }
  }

  test(`[PU-14] a unique index refuses one change and keeps the others, with ${way}`, () =>
    withStore(async ({ store, db }) => {
      await db.collection('notes').createIndex({ email: 1 }, { unique: true, sparse: true });
      const first = { collection: 'notes', doc_id: 'n1', data: { email: 'x' } };
      await store.commitGroup(SCOPE, groupOf(SCOPE, [first]));
      const changes: PlannedChange[] = [
        { doc_id: 't1', data: {}, mutation_id: 'm-1' },
        { collection: 'notes', doc_id: 'n2', data: { email: 'x' }, mutation_id: 'm-2' },
      ];
      const { outcome } = await store.commitGroup(SCOPE, groupOf(SCOPE, changes));
      assert.deepEqual(outcome.refused, ['unique_violation']);
      assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 2);
      const replaced = { collection: 'notes', doc_id: 'n3', data: { email: 'y' } };
      await store.commitGroup(SCOPE, groupOf(SCOPE, [replaced]));
      const update = { ...replaced, data: { email: 'x' } };
      const again = await store.commitGroup(SCOPE, groupOf(SCOPE, [update]));
      assert.deepEqual([again.outcome.refused, again.written], [['unique_violation'], false]);
      const stored = await store.readDocuments(SCOPE, [replaced]);
      assert.deepEqual(stored[0]?.data, { email: 'y' });
    }));

  test(`[PU-14] a value that one change frees another takes, with ${way}`, () =>
    withStore(async ({ store, db }) => {
      await db.collection('notes').createIndex({ email: 1 }, { unique: true, sparse: true });
      const note = (doc_id: string, data: PlannedChange['data']): PlannedChange => ({
        ...{ collection: 'notes', doc_id, data },
      });
      const before = [note('n1', { email: 'x' }), note('n2', { email: 'y' })];
      await store.commitGroup(SCOPE, groupOf(SCOPE, before));
      const after = [
        note('n3', { email: 'x' }),
        note('n1', null),
        note('n4', { email: 'y' }),
        note('n2', { email: 'z' }),
      ];
      const { outcome } = await store.commitGroup(SCOPE, groupOf(SCOPE, after));
      assert.deepEqual(outcome.refused, []);
    }));

  test(`[PU-14] a validator refuses one change, with ${way}`, () =>
    withStore(async ({ store, db }) => {
      const validator = { $jsonSchema: { required: ['title'] } };
      await db.command({ collMod: 'notes', validator });
      const changes: PlannedChange[] = [
        { collection: 'notes', doc_id: 'n1', data: { title: 'x' } },
        { collection: 'notes', doc_id: 'n2', data: { other: 'x' } },
      ];
      const { outcome } = await store.commitGroup(SCOPE, groupOf(SCOPE, changes));
      assert.deepEqual(outcome.refused, ['document_validation']);
      assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 1);
    }));

  test(`[ST-6] a document that somebody inserts meanwhile is seen by the next attempt, with ${way}`, () =>
    withStore(async ({ store, db }) => {
      const change = { doc_id: 't1', data: { mine: true } };
      const seen: number[] = [];
      const { outcome } = await store.commitGroup(SCOPE, {
        ...groupOf(SCOPE, [change]),
        decide: async (snapshot) => {
          seen.push(snapshot.documents.length);
          if (seen.length === 1) {
            await db.collection<{ _id: string }>('tasks').insertOne({ _id: 't1' });
          }
          const taken = snapshot.documents.length > 0;
          const plan = planBundle(snapshot, [taken ? { ...change, doc_id: 't2' } : change]);
          return { plan, outcome: plan.rows[0]?.doc_id };
        },
      });
      assert.deepEqual([seen, outcome], [[0, 1], 't2']);
      const kept = await db.collection<{ _id: string }>('tasks').findOne({ _id: 't1' });
      assert.deepEqual(kept, { _id: 't1' });
    }));

  test(`[ST-6] a document that somebody changes meanwhile is not overwritten, with ${way}`, () =>
    withStore(async ({ store, db }) => {
      const tasks = db.collection<{ _id: string; n?: number }>('tasks');
      await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 't1', data: { n: 1 } }]));
      const seen: unknown[] = [];
      await store.commitGroup(SCOPE, {
        ...groupOf(SCOPE, [{ doc_id: 't1', data: { n: 2 } }]),
        decide: async (snapshot) => {
          const n = snapshot.documents[0]?.data['n'];
          seen.push(n);
          if (seen.length === 1) await tasks.updateOne({ _id: 't1' }, { $set: { n: 7 } });
          const change = { doc_id: 't1', data: { n: 2, was: n ?? null } };
          return { plan: planBundle(snapshot, [change]), outcome: null };
        },
      });
      assert.deepEqual(seen, [1, 7]);
      const [document] = await store.readDocuments(SCOPE, [{ collection: 'tasks', doc_id: 't1' }]);
      assert.deepEqual(document?.data, { n: 2, was: 7 });
    }));
}

for (const [way, options] of Object.entries(WAYS)) {
  test(`[PU-14] a push of which every second document is refused ends within its deadline, with ${way}`, () =>
    everySecond(options()));
}

async function everySecond(options: WatchedOptions): Promise<void> {
  const { store, db, close } = await openWatched(options);
  try {
    await db.collection('notes').createIndex({ email: 1 }, { unique: true, sparse: true });
    await db.command({ collMod: 'tasks', validator: { $jsonSchema: { required: ['title'] } } });
    const taken = { collection: 'notes', doc_id: 'n', data: { email: 'x' } };
    await store.commitGroup(SCOPE, groupOf(SCOPE, [taken]));
    const changes = Array.from({ length: 100 }, (_, i): PlannedChange => {
      const data = i % 2 === 0 ? { title: 't', email: `${i}` } : { email: 'x' };
      return { collection: i < 50 ? 'notes' : 'tasks', doc_id: `d${i}`, data };
    });
    const refs = new Map(changes.map((change, i) => [change.doc_id, i]));
    let decided = 0;
    const { outcome } = await store.commitGroup(SCOPE, {
      ...groupOf(SCOPE, changes),
      decide: (snapshot, refused) => {
        decided += 1;
        const kept = changes.filter((_, i) => !refused.has(`0:${i}`));
        const plan = planBundle(snapshot, kept);
        const documents = plan.documents.map((write) => {
          const place = refs.get(write.kind === 'put' ? write.document.doc_id : write.doc_id);
          return { ...write, change: `0:${place as number}` as const };
        });
        return { plan: { ...plan, documents }, outcome: [...refused.entries()] };
      },
    });
    const expected = changes.flatMap((_, i) => {
      const code = i < 50 ? 'unique_violation' : 'document_validation';
      return i % 2 === 0 ? [] : [[`0:${i}`, code]];
    });
    assert.deepEqual(outcome.sort(), expected.sort());
    assert.ok(decided <= 5, `${decided} decisions`);
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 51);
  } finally {
    await close();
  }
}

test('[EJ-8] a push keeps the stored type of the numbers that it does not change', async () => {
  const { store, db, close } = await openWatched();
  try {
    const tasks = db.collection<{ _id: string }>('tasks');
    const content = { price: new Double(5), count: Long.fromNumber(5), sub: [new Double(1)] };
    await tasks.insertOne({ _id: 't1', ...content } as { _id: string });
    const data = { price: 5, count: 6, sub: [1], extra: 1 };
    const guard = { version: null, hash: null };
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 't1', data, guard }]));
    const stored = await tasks.findOne({ _id: 't1' }, { promoteValues: false });
    const { price, count, sub, extra, _sync_hash } = stored as unknown as Record<string, unknown>;
    assert.deepEqual(
      { price, count, sub, extra },
      {
        price: new Double(5),
        count: new Int32(6),
        sub: [new Double(1)],
        extra: new Int32(1),
      },
    );
    assert.equal(_sync_hash, hashOf(data));
    const [document] = await store.readDocuments(SCOPE, [{ collection: 'tasks', doc_id: 't1' }]);
    assert.deepEqual(document?.data, data);
  } finally {
    await close();
  }
});

test('[FU-5] documents without a version are counted and never delivered', async () => {
  const { store, db, close } = await openWatched();
  try {
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 't1', data: {} }]));
    const tasks = db.collection<{ _id: unknown }>('tasks');
    await tasks.insertMany([
      { _id: 't2' },
      { _id: 't3', _sync_scope_id: SCOPE } as { _id: unknown },
    ]);
    assert.equal(await store.countUnmigrated('tasks'), 2);
    const walk = store.openWalk(SCOPE);
    const batch = await walk.documents({ collection: 'tasks', after: null, limit: 10 });
    await walk.close();
    assert.deepEqual([batch.count, batch.last_id], [1, 't1']);
    const keys = ['t1', 't2', 't3'].map((doc_id) => ({ collection: 'tasks', doc_id }));
    const found = await store.readDocuments(SCOPE, keys);
    assert.deepEqual(
      found.map((one) => one.doc_id),
      ['t1'],
    );
  } finally {
    await close();
  }
});
