/** The change stream behind the feed: however it breaks, its listener hears of one end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChangeFeed } from '../../src/core/ports/feed.ts';
import { StoreError, type StoreErrorKind } from '../../src/core/ports/store.ts';
import type { Clock } from '../../src/core/ports/system.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { emptyPlan, planBundle } from '../contract/plan-builder.ts';
import { serverWithFailPoints, startOwnMongo } from '../support/mongodb.ts';
import { ToldRows } from '../support/told-rows.ts';
import { groupOf, openWatched, type WatchedOptions, type WatchedStore } from './mongo-world.ts';

const SCOPE = 'scope-1';
/** What must not wait for the database, ms; an idle change stream waits for a second. */
const AT_ONCE_MS = 500;
const server = serverWithFailPoints();

async function arm(command: string, data: Readonly<Record<string, unknown>>): Promise<void> {
  await server.admin.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times: 1 },
    data: { failCommands: [command], ...data },
  });
}

async function disarm(): Promise<void> {
  await server.admin.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
}

async function withStore(
  work: (watched: WatchedStore, feed: ChangeFeed) => Promise<void>,
  options: WatchedOptions = {},
): Promise<void> {
  const watched = await openWatched({ server: server.started, ...options });
  try {
    const { feed } = watched.store;
    assert.ok(feed);
    await work(watched, feed);
  } finally {
    await disarm();
    await watched.close();
  }
}

function assertEnd(told: ToldRows, kind: StoreErrorKind): void {
  assert.equal(told.ends.length, 1);
  const [cause] = told.ends;
  assert.ok(cause instanceof StoreError, String(cause));
  assert.equal(cause.kind, kind);
}

/** A row that is told proves that the feed follows, and one that is not that it has ended. */
async function commit({ store }: WatchedStore, doc_id: string): Promise<void> {
  const { written } = await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id, data: {} }]));
  assert.equal(written, true);
}

const BREAKS: readonly {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly kind: StoreErrorKind;
}[] = [
  { name: 'a cut connection', data: { closeConnection: true }, kind: 'unavailable' },
  { name: 'a lost history', data: { errorCode: 286 }, kind: 'history_lost' },
  { name: 'a fatal end of the stream', data: { errorCode: 280 }, kind: 'history_lost' },
  { name: 'a lost cursor', data: { errorCode: 43 }, kind: 'failed' },
  { name: 'an event that is too large', data: { errorCode: 10_334 }, kind: 'failed' },
  { name: 'a primary that stepped down', data: { errorCode: 189 }, kind: 'unavailable' },
  {
    name: 'an end from which a driver would go on by itself',
    data: { errorCode: 11_602, errorLabels: ['ResumableChangeStreamError'] },
    kind: 'unavailable',
  },
  { name: 'a right that was taken away', data: { errorCode: 13 }, kind: 'unsupported' },
];

for (const { name, data, kind } of BREAKS) {
  test(`[FE-5] ${name} ends the feed once, and a new one goes on`, () =>
    withStore(async (watched, feed) => {
      const told = new ToldRows();
      const opened = await feed.open(told);
      await commit(watched, 'a');
      await told.until(SCOPE, 1);
      await arm('getMore', data);
      await told.untilEnded();
      assertEnd(told, kind);
      const again = new ToldRows();
      const reopened = await feed.open(again);
      await commit(watched, 'b');
      await again.until(SCOPE, 1);
      assert.equal(told.of(SCOPE).length, 1, 'nothing is told after the end');
      await opened.close();
      await reopened.close();
      assertEnd(told, kind);
    }));
}

test('[FE-5] a feed that cannot be opened says so and leaves nothing behind', () =>
  withStore(async (watched, feed) => {
    const told = new ToldRows();
    await arm('aggregate', { errorCode: 13 });
    await assert.rejects(feed.open(told), { kind: 'unsupported' });
    await arm('aggregate', { closeConnection: true });
    await assert.rejects(feed.open(told), { kind: 'unavailable' });
    await commit(watched, 'a');
    assert.deepEqual([told.calls, told.ends], [[], []]);
  }));

for (const [name, drop] of [
  ['collection', ({ db }: WatchedStore) => db.collection('sync_oplog').drop()],
  ['database', ({ db }: WatchedStore) => db.dropDatabase()],
] as const) {
  test(`[FE-5] a dropped ${name} ends the feed`, () =>
    withStore(async (watched, feed) => {
      const told = new ToldRows();
      await feed.open(told);
      await commit(watched, 'a');
      await told.until(SCOPE, 1);
      await drop(watched);
      await told.untilEnded();
      assertEnd(told, 'history_lost');
    }));
}

test('[FE-5] a connection that says nothing any more is given up', async () => {
  let silent = false;
  const clock: Clock = {
    ...nodeSystem.clock,
    // The time for an answer is over before the database, which waits for a row, gives one.
    sleep: (ms, signal) => nodeSystem.clock.sleep(silent && ms >= 10_000 ? 0 : ms, signal),
  };
  await withStore(
    async (watched, feed) => {
      const told = new ToldRows();
      await feed.open(told);
      silent = true;
      await commit(watched, 'a');
      await told.untilEnded();
      assertEnd(told, 'unavailable');
    },
    { clock },
  );
});

test('[FE-3] a feed is closed without waiting for the database', () =>
  withStore(async (watched, feed) => {
    const told = new ToldRows();
    const opened = await feed.open(told);
    const started = nodeSystem.clock.monotonic();
    await opened.close();
    await watched.store.close();
    assert.ok(nodeSystem.clock.monotonic() - started < AT_ONCE_MS);
    assert.deepEqual([told.calls, told.ends], [[], []]);
  }));

test('[FE-3] closing gives the cursor back', () =>
  withStore(async (watched, feed) => {
    const { db } = watched;
    const opened = await feed.open(new ToldRows());
    watched.takeStarted();
    await opened.close();
    while (!watched.takeStarted().includes('killCursors')) await db.command({ ping: 1 });
  }));

test('[FE-5] a server that is killed ends the feed, which is closed without it', async () => {
  const own = await startOwnMongo({ testCommands: true });
  const watched = await openWatched({ server: own });
  try {
    const [told, other] = [new ToldRows(), new ToldRows()];
    const opened = await watched.store.feed?.open(told);
    await watched.store.feed?.open(other);
    await commit(watched, 'a');
    await told.until(SCOPE, 1);
    process.kill(own.pid as number, 'SIGKILL');
    await told.untilEnded();
    await other.untilEnded();
    const started = nodeSystem.clock.monotonic();
    await opened?.close();
    assert.ok(nodeSystem.clock.monotonic() - started < AT_ONCE_MS);
    await watched.store.close();
    assertEnd(told, 'unavailable');
    assertEnd(other, 'unavailable');
  } finally {
    await own.stop();
  }
});

test('[FE-1] content that only its own document can hold is told as it is read', () =>
  withStore(async ({ store }, feed) => {
    const told = new ToldRows();
    const opened = await feed.open(told);
    const data = { $code: 'x', 'a.b': 1, double: { $numberDouble: '5.0' } };
    await store.commitGroup(SCOPE, {
      ...groupOf(SCOPE, []),
      decide: (snapshot) => {
        const plan = planBundle(snapshot, [{ doc_id: 'a', data: {} }]);
        const rows = plan.rows.map((row) => ({ ...row, data, origin: 'external' as const }));
        return { plan: { ...emptyPlan(snapshot), rows, head: plan.head }, outcome: null as never };
      },
    });
    const range = { scope_id: SCOPE, after_seq: 0, max_rows: 10, max_bytes: 1_000 };
    const rows = await store.readRows(range);
    assert.match(String(rows[0]?.line), /"a\.b":1/);
    assert.deepEqual(await told.until(SCOPE, 1), rows);
    await opened.close();
  }));

test('[FE-1] rows of one commit are told together', () =>
  withStore(async ({ store }, feed) => {
    const told = new ToldRows();
    const opened = await feed.open(told);
    const changes = Array.from({ length: 200 }, (_, i) => ({ doc_id: `d-${i}`, data: { i } }));
    await store.commitGroup(SCOPE, groupOf(SCOPE, changes));
    await told.until(SCOPE, 200);
    assert.ok(told.calls.length < 20, `${told.calls.length} calls for 200 rows`);
    await opened.close();
  }));
