/** Closing a store: waits for a database that lives, and not for one that is gone. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MongoClient } from 'mongodb';
import type { OpenStore } from '../../src/core/ports/scope-writes.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { openMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { CONTRACT_LAYOUT, deferred } from '../contract/contract-world.ts';
import { emptyPlan } from '../contract/plan-builder.ts';
import { freshDatabase, serverWithFailPoints, startOwnMongo } from '../support/mongodb.ts';
import { TcpProxy } from '../support/process/tcp-proxy.ts';
import { groupOf } from './mongo-world.ts';

const SCOPE = 'scope-1';
/** What closing may take when there is nobody to wait for, on a busy machine; the driver waits 5 s, ms. */
const AT_ONCE_MS = 2_000;
/** A database that answers late, ms: later than one that is gone is waited for. */
const SLOW_MS = 2_500;
/** A scope that a transaction holds would be free after much longer, ms. */
const FREED_WITHIN_MS = 3_000;

const server = serverWithFailPoints();

interface Opened {
  readonly store: OpenStore;
  /** Processes that are known to work with the database. */
  processes(): Promise<number>;
}

async function open(
  t: TestContext,
  { uri, name }: { readonly uri: string; readonly name: string },
  more: { readonly client?: MongoClient; readonly transactions?: 'off' } = {},
): Promise<Opened> {
  const store = await openMongoStore({
    uri,
    database: name,
    node_id: nodeSystem.crypto.randomBase36(8),
    clock: nodeSystem.clock,
    collections: CONTRACT_LAYOUT.collections,
    ...more,
  });
  t.after(() => store.close());
  await store.applySetup(CONTRACT_LAYOUT);
  await store.announce();
  const meta = server.admin.db(name).collection<{ _id: string }>('sync_meta');
  return { store, processes: () => meta.countDocuments({ _id: /^node:/ }) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** A group that keeps its transaction open until it is told. */
async function hold(
  t: TestContext,
  store: OpenStore,
): Promise<{ go(): void; ended: Promise<unknown> }> {
  const [entered, gate] = [deferred<void>(), deferred<void>()];
  t.after(() => gate.resolve());
  const ended = store
    .commitGroup(SCOPE, {
      ...groupOf(SCOPE, []),
      decide: async (snapshot) => {
        entered.resolve();
        await gate.promise;
        return { plan: emptyPlan(snapshot), outcome: null };
      },
    })
    .catch((error: unknown) => error);
  await entered.promise;
  return { go: () => gate.resolve(), ended };
}

interface Killed {
  readonly name: string;
  readonly standalone?: true;
  readonly holding?: true;
  readonly shared?: true;
}

const KILLED: readonly Killed[] = [
  { name: 'replica set' },
  { name: 'standalone server', standalone: true },
  { name: 'replica set in an open transaction', holding: true },
  { name: 'replica set whose client is shared', shared: true },
];

for (const { name, standalone, holding, shared } of KILLED) {
  test(`[ST-9] a ${name} that was killed is not waited for`, async (t) => {
    const own = await startOwnMongo({ standalone, testCommands: true });
    const client = shared ? await MongoClient.connect(own.uri) : undefined;
    try {
      const { store } = await open(
        t,
        { uri: own.uri, name: 'closing' },
        { ...(standalone && { transactions: 'off' }), ...(client && { client }) },
      );
      const held = holding ? await hold(t, store) : undefined;
      process.kill(own.pid as number, 'SIGKILL');
      const ms = await timed(() => store.close());
      assert.ok(ms < AT_ONCE_MS, `closing took ${Math.round(ms)} ms`);
      held?.go();
      await held?.ended;
      const again = await timed(() => store.close());
      assert.ok(again < AT_ONCE_MS, `closing again took ${Math.round(again)} ms`);
      assert.equal(client?.listenerCount('topologyDescriptionChanged') ?? 0, 0);
    } finally {
      await client?.close();
      await own.stop();
    }
  });
}

test('[ST-9] a database that is gone for a while is not waited for at all', async (t) => {
  const own = await startOwnMongo({ testCommands: true });
  const { store } = await open(t, { uri: own.uri, name: 'closing' });
  process.kill(own.pid as number, 'SIGKILL');
  await nodeSystem.clock.sleep(SLOW_MS);
  const ms = await timed(() => store.close());
  assert.ok(ms < 500, `closing took ${Math.round(ms)} ms`);
  await own.stop();
});

test('[ST-9] while the database lives its transactions are ended, and their locks are free', async (t) => {
  const database = await freshDatabase(server.started);
  const [one, two] = [await open(t, database), await open(t, database)];
  const held = await hold(t, one.store);
  await one.store.close();
  assert.equal(await two.processes(), 1);
  const ms = await timed(() =>
    two.store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }])),
  );
  assert.ok(ms < FREED_WITHIN_MS, `the scope was locked for ${Math.round(ms)} ms`);
  held.go();
  await held.ended;
  await two.store.close();
  await database.drop();
});

test('[ST-9] a database that answers late is waited for', async (t) => {
  const database = await freshDatabase(server.started);
  const { store, processes } = await open(t, database);
  await server.admin.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times: 1 },
    data: { failCommands: ['delete'], blockConnection: true, blockTimeMS: SLOW_MS },
  });
  const ms = await timed(() => store.close());
  assert.ok(ms >= SLOW_MS, `the answer was late by ${SLOW_MS} ms and closing took ${ms} ms`);
  assert.equal(await processes(), 0);
  await database.drop();
});

test('[ST-9] a database whose connections were cut is found again first', async (t) => {
  const database = await freshDatabase(server.started);
  const proxy = await TcpProxy.start(t, { port: Number(new URL(server.started.uri).port) });
  const uri = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`;
  const { store, processes } = await open(t, { uri, name: database.name });
  assert.equal(await processes(), 1);
  proxy.cut();
  await nodeSystem.clock.sleep(50);
  await store.close();
  assert.equal(await processes(), 0);
  await database.drop();
});
