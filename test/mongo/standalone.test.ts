/** A MongoDB without transactions: who may write, what readers see, and trouble that does not kill. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Db, MongoNetworkError } from 'mongodb';
import type { StartedMongo } from '../../scripts/mongodb.mjs';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { createMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { REDO_LOG } from '../../src/storage/mongo/standalone/redo-log.ts';
import { connect, type Connection } from '../../src/storage/mongo/topology.ts';
import { deferred } from '../contract/contract-world.ts';
import type { PlannedChange } from '../contract/plan-builder.ts';
import { type FreshDatabase, freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import { type CrashPoint, troubled } from '../support/mongo-crash.ts';
import { ToldRows } from '../support/told-rows.ts';
import { groupOf } from './mongo-world.ts';
import { stampDocuments } from './stamp-documents.ts';
import { LATER, LAYOUT, openStandalone, SCOPE } from './standalone-world.ts';

/** A dead process must be succeeded within this time, ms. */
const TAKEN_OVER_MS = 10_000;

let server: StartedMongo;
before(async () => {
  server = await startOwnMongo({ standalone: true });
});
after(() => server.stop());

/** A fresh database that was set up, and stores on it. */
interface Ground {
  readonly database: FreshDatabase;
  readonly db: Db;
  open(change?: (connection: Connection) => Connection, now?: unknown): Promise<SyncStore>;
}

async function onGround(work: (ground: Ground) => Promise<void>): Promise<void> {
  const database = await freshDatabase(server);
  const stores: SyncStore[] = [];
  const { client, db } = await connect(database.uri, database.name, 'off');
  const open: Ground['open'] = async (change = (connection) => connection, now = '$$NOW') => {
    const connection = await connect(database.uri, database.name, 'off');
    const store = await openStandalone(change(connection), now);
    stores.push(store);
    return store;
  };
  try {
    const first = await open();
    await first.applySetup(LAYOUT);
    await first.close();
    await work({ database, db, open });
  } finally {
    for (const store of stores) await store.close();
    await client.close();
    await database.drop();
  }
}

function commit(store: SyncStore, changes: readonly PlannedChange[]) {
  return store.commitGroup(SCOPE, groupOf(SCOPE, changes));
}

async function pageOf(store: SyncStore): Promise<string> {
  const walk = store.openWalk(SCOPE);
  try {
    return (await walk.documents({ collection: 'tasks', after: null, limit: 100 })).text;
  } finally {
    await walk.close();
  }
}

test('[SA-1] a replica set is refused without transactions, and the answer says what to do', async () => {
  const { uri, name } = await freshDatabase();
  await assert.rejects(connect(uri, name, 'off'), {
    kind: 'unsupported',
    message: /replica set.*leave out "transactions: off"/,
  });
});

test('[SA-2] a second process is refused while the first one lives, and let in when it ends', () =>
  onGround(async ({ open }) => {
    const [one, two] = [await open(), await open()];
    await one.announce();
    await assert.rejects(two.announce(), { kind: 'locked', message: /another process writes/ });
    await assert.rejects(commit(two, [{ doc_id: 'a', data: {} }]), { kind: 'locked' });
    assert.equal((await two.readScope(SCOPE, null)).head, null);
    await one.close();
    const started = performance.now();
    await commit(two, [{ doc_id: 'a', data: {} }]);
    assert.ok(performance.now() - started < 2_000, 'a place that was given back is free at once');
  }));

test('[SA-2] a killed process is succeeded within 10 s', () =>
  onGround(async ({ database, open }) => {
    const entry = fileURLToPath(new URL('./crashing-pusher.entry.js', import.meta.url));
    const endless = JSON.stringify({ statement: 1, moment: 'before' } satisfies CrashPoint);
    const changes = [{ collection: 'tasks', operation: 'upsert', doc_id: 'a', data: {} }];
    const pushes = JSON.stringify([{ client_id: 'client-1', changes }]);
    const child = spawn(process.execPath, [entry, database.uri, database.name, endless, pushes]);
    await once(child, 'close');
    assert.equal(child.signalCode, 'SIGKILL');
    const started = performance.now();
    await commit(await open(), [{ doc_id: 'b', data: {} }]);
    const ms = performance.now() - started;
    assert.ok(ms > 1_000 && ms < TAKEN_OVER_MS, `${ms} ms`);
  }));

test('[SA-2] a process that lost its place writes nothing more', () =>
  onGround(async ({ open, db }) => {
    const sleeper = await open();
    await commit(sleeper, [{ doc_id: 'a', data: { n: 1 } }]);
    const other = await open(undefined, LATER);
    await commit(other, [{ doc_id: 'a', data: { n: 2 } }]);
    // The sleeper notices with its next refresh.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await assert.rejects(commit(sleeper, [{ doc_id: 'a', data: { n: 3 } }]), { kind: 'locked' });
    await assert.rejects(pageOf(sleeper), { kind: 'locked' });
    assert.equal((await db.collection<{ n: number }>('tasks').findOne())?.n, 2);
  }));

test('[SA-4] nobody in the process sees a group before all of it is there', () =>
  onGround(async ({ open }) => {
    const before = await open();
    await commit(before, [{ doc_id: 'a', data: { n: 1 } }]);
    await before.close();
    // The first statement clears the log when the place is taken; the others are the group's.
    for (let statement = 2; statement <= 7; statement += 1) {
      const held = deferred<void>();
      const reached = deferred<void>();
      const store = await open((connection) =>
        troubled(connection, { statement, moment: 'after' }, () => {
          reached.resolve();
          return held.promise;
        }),
      );
      await store.announce();
      const earlier = await store.readScope(SCOPE, null);
      const n = statement + 1;
      const writing = commit(store, [{ doc_id: 'a', data: { n } }]);
      await reached.promise;
      const page = pageOf(store);
      const seen = await store.readRows({
        ...{ scope_id: SCOPE, after_seq: 0, max_rows: 100, max_bytes: 1_000_000 },
      });
      const { head } = await store.readScope(SCOPE, null);
      assert.equal(seen.length, head?.head_seq, 'rows are shown up to the head');
      assert.ok(seen.length >= (earlier.head?.head_seq ?? 0));
      held.resolve();
      await writing;
      assert.match(await page, new RegExp(`"n":${n}`), `after statement ${statement}`);
      await store.close();
    }
  }));

test('[FE-2] without transactions a group is told when all of it is there, also after a lost answer', () =>
  onGround(async ({ open }) => {
    // From the statement after which the group is committed to the last one.
    for (let statement = 2; statement <= 8; statement += 1) {
      const held = deferred<void>();
      const reached = deferred<void>();
      const store = await open((connection) =>
        troubled(connection, { statement, moment: 'after' }, async () => {
          reached.resolve();
          await held.promise;
          throw new MongoNetworkError('the answer was lost');
        }),
      );
      await store.announce();
      const told = new ToldRows();
      await store.feed?.open(told);
      const writing = commit(store, [{ doc_id: 'a', data: { statement } }]);
      const done = await Promise.race([reached.promise, writing]);
      if (done === undefined) assert.deepEqual(told.calls, [], `at statement ${statement}`);
      held.resolve();
      await writing;
      const rows = await store.readRows({
        ...{ scope_id: SCOPE, after_seq: statement - 2, max_rows: 100, max_bytes: 1_000_000 },
      });
      assert.equal(rows.length, 1);
      assert.deepEqual(told.of(SCOPE), rows);
      await store.close();
    }
  }));

test('[FE-4] without transactions a process that only looks on has no feed', () =>
  onGround(async ({ database, open }) => {
    assert.ok((await open()).feed);
    const connection = await connect(database.uri, database.name, 'off');
    const { clock } = nodeSystem;
    const options = { node_id: 'looker', clock, collections: [], mode: 'read' as const };
    const looker = await createMongoStore(connection, options);
    assert.equal(looker.feed, null);
    await looker.close();
  }));

for (const moment of ['before', 'half', 'after'] as const) {
  test(`[SA-3] a connection that fails ${moment} any statement leaves the group whole or unwritten`, () =>
    onGround(async ({ open, db }) => {
      let reached = true;
      // The first statement clears the log when the place is taken; a failure there is the caller's.
      const first = moment === 'half' ? 1 : 2;
      let commits = 0;
      for (let statement = first; reached; statement += 1) {
        reached = false;
        commits += 1;
        const store = await open((connection) =>
          troubled(connection, { statement, moment }, async () => {
            reached = true;
            throw new MongoNetworkError('connection 7 to 127.0.0.1 closed');
          }),
        );
        const place = `${moment} ${statement}`;
        await commit(store, [
          { doc_id: 'kept', data: { place } },
          { doc_id: `new ${place}`, data: {}, mutation_id: place },
          { doc_id: 'dropped', data: commits % 2 === 1 ? {} : null },
        ]);
        const rows = await store.readRows({
          ...{ scope_id: SCOPE, after_seq: 0, max_rows: 500, max_bytes: 10_000_000 },
        });
        assert.equal(rows.length, 3 * commits, place);
        assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, rows.length);
        assert.equal(await db.collection(REDO_LOG).countDocuments(), 0, place);
        const tasks = await db.collection('tasks').find().toArray();
        assert.equal(tasks.length, 1 + commits + (commits % 2), place);
        await store.close();
      }
      assert.ok(commits > (moment === 'half' ? 2 : 6), `only ${commits} commits`);
    }));
}

test('[SA-5] what a foreign writer puts on a half-written document is kept when the group is taken back', () =>
  onGround(async ({ open, db }) => {
    const first = await open();
    await commit(first, [
      { doc_id: 'a', data: { title: 'before' } },
      { doc_id: 'same', data: { title: 'before' } },
      { doc_id: 'gone', data: { title: 'before' } },
    ]);
    await first.close();
    const tasks = db.collection<{ _id: string; title?: string }>('tasks');
    const earlier = await tasks.findOne({ _id: 'same' });
    const { _sync_version } = (await tasks.findOne({ _id: 'a' })) as unknown as {
      _sync_version: string;
    };
    // After the log (twice), the mark of the dropped one, the group's state and the documents.
    const store = await open((connection) =>
      troubled(connection, { statement: 6, moment: 'before' }, async () => {
        await tasks.updateMany({ _id: { $in: ['a', 'new'] } }, { $set: { title: 'foreign' } });
        throw new Error('the process has a bug');
      }),
    );
    const failing = commit(store, [
      { doc_id: 'a', data: { title: 'ours' } },
      { doc_id: 'same', data: { title: 'ours' } },
      { doc_id: 'new', data: { title: 'ours' } },
      { doc_id: 'other', data: { title: 'ours' } },
      { doc_id: 'gone', data: null },
    ]);
    await assert.rejects(failing, /has a bug/);
    const found = await tasks.find().sort({ _id: 1 }).toArray();
    assert.deepEqual(
      found.map((task) => [task._id, task.title]),
      [
        ['a', 'foreign'],
        ['gone', 'before'],
        ['new', 'foreign'],
        ['same', 'before'],
      ],
    );
    assert.equal((found[0] as unknown as { _sync_version: string })._sync_version, _sync_version);
    assert.deepEqual(Object.keys(found[2] ?? {}), ['_id', 'title']);
    assert.deepEqual(found[3], earlier);
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 3);
  }));

test('[SA-7] a document that no row can hold leaves a barrier, and nobody waits for it', () =>
  onGround(async ({ db, open }) => {
    const store = await open();
    const tasks = db.collection<{ _id: string; text: string }>('tasks');
    await tasks.insertOne({ _id: 'huge', text: 'x'.repeat(16_000_000) });
    await tasks.insertOne({ _id: 'other', text: '' });
    const doc_ids = ['huge', 'other'];
    const of = { collection: 'tasks', scope_id: SCOPE, doc_ids, mode: 'rows' } as const;
    assert.deepEqual(await stampDocuments(store, of), ['barred', 'upserted']);
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 2);
  }));

for (const [statement, rows] of [
  [4, 1],
  [5, 2],
] as const) {
  test(`[SA-3] a server with transactions deals with what was begun without them, before statement ${statement}`, async () => {
    const { uri, name, drop } = await freshDatabase();
    const connection = await connect(uri, name);
    const withTransactions = await openStandalone(connection);
    const ended = deferred<void>();
    const begun = await openStandalone({
      ...troubled(await connect(uri, name), { statement, moment: 'before' }, () => {
        ended.resolve();
        return new Promise(() => {});
      }),
      transactions: 'off',
    });
    try {
      await withTransactions.applySetup(LAYOUT);
      await commit(withTransactions, [{ doc_id: 'a', data: { n: 1 } }]);
      void commit(begun, [{ doc_id: 'a', data: { n: 2 } }]);
      await ended.promise;
      await withTransactions.announce();
      assert.equal((await withTransactions.readScope(SCOPE, null)).head?.head_seq, rows);
      const task = await connection.db.collection<{ n: number }>('tasks').findOne();
      assert.equal(task?.n, rows);
      assert.equal(await connection.db.collection(REDO_LOG).countDocuments(), 0);
    } finally {
      await begun.close();
      await withTransactions.close();
      await drop();
    }
  });
}
