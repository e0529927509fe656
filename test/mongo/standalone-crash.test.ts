/** A process that is killed between any two of its writes to a MongoDB without transactions. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MongoClient } from 'mongodb';
import type { StartedMongo } from '../../scripts/mongodb.mjs';
import type { ChangeResult } from '../../src/protocol/change.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import type { PushRequest } from '../../src/protocol/push.ts';
import { REDO_LOG } from '../../src/storage/mongo/standalone/redo-log.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import type { CrashPoint } from '../support/mongo-crash.ts';
import { faultsOf } from '../support/process/history-oracle.ts';
import { readMongo, type StoredState } from '../support/process/stored-state.ts';
import { crashPushes, earlierDelete, earlierPush } from './crash-pushes.ts';
import {
  COLLECTIONS,
  engineOver,
  LATER,
  LAYOUT,
  openStandalone,
  push,
} from './standalone-world.ts';

/** What the pushes leave, whenever a process died under them. */
const EXPECTED: Readonly<Record<string, unknown>> = {
  'notes/n': { text: 'note' },
  'tasks/a': { title: 'A' },
  'tasks/c': { title: 'foreign', n: 1.5 },
  'tasks/d': { title: 'd', n: 1.5 },
  'tasks/f': { title: 'F' },
  'tasks/gone': { title: 'back' },
  'tasks/stays': { title: 'stays', n: 1.5 },
};

interface Task {
  readonly _id: string;
  readonly _sync_version: Hlc;
  readonly _sync_change_version: Hlc;
}

let server: StartedMongo;
before(async () => {
  server = await startOwnMongo({ standalone: true });
});
after(() => server.stop());

/** A database with its earlier pushes, and the pushes that come. */
interface Ground {
  readonly name: string;
  readonly pushes: readonly PushRequest[];
  drop(): Promise<void>;
}

async function prepare(): Promise<Ground> {
  const { uri, name, drop } = await freshDatabase(server);
  const store = await openStandalone(await connect(uri, name, 'off'));
  const base_ms = Date.now() - 10_000;
  try {
    await store.applySetup(LAYOUT);
    const engine = await engineOver(store);
    await push(engine, earlierPush(base_ms));
    await push(engine, earlierDelete(base_ms));
  } finally {
    await store.close();
  }
  const versions = new Map<string, Hlc>();
  await inDatabase(async (client) => {
    const tasks = client.db(name).collection<Task>('tasks');
    for (const task of await tasks.find().toArray()) versions.set(task._id, task._sync_version);
    // Another program wrote this one, and no device knows it yet.
    await tasks.updateOne({ _id: 'c' }, { $set: { title: 'foreign' } });
  });
  return { name, drop, pushes: crashPushes(base_ms, (doc_id) => versions.get(doc_id) as Hlc) };
}

async function inDatabase<T>(work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(server.uri);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Runs the pushes in a process of their own. Gives back what was answered, and whether it died. */
async function pushAndDie(ground: Ground, point: CrashPoint) {
  const entry = fileURLToPath(new URL('./crashing-pusher.entry.js', import.meta.url));
  const args = [server.uri, ground.name, JSON.stringify(point), JSON.stringify(ground.pushes)];
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.ok(code === 0 || signal === 'SIGKILL', `the process ended with ${code ?? signal}`);
  const answered = output
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => JSON.parse(line) as ChangeResult[]);
  return { answered, died: code !== 0 };
}

/** Looks at the database as the next process finds it, and lets the devices push again. */
async function recoverAndCheck(ground: Ground, answered: readonly ChangeResult[]): Promise<void> {
  const { name } = ground;
  const store = await openStandalone(await connect(server.uri, name, 'off'), LATER);
  try {
    await store.announce();
    const found = await readMongo(server.uri, name, COLLECTIONS);
    await assertSettled(name, found);
    const stored = answered.filter(({ resolution }) => resolution !== 'noop');
    for (const { mutation_id } of stored) {
      assert.ok(found.receipts.includes(mutation_id as string), `${mutation_id} is lost`);
    }
    const engine = await engineOver(store);
    const repeated: ChangeResult[] = [];
    for (const request of ground.pushes) repeated.push(...(await push(engine, request)));
    for (const first of stored) {
      const again = repeated.find(({ mutation_id }) => mutation_id === first.mutation_id);
      assert.equal(again?.duplicate, true);
      assert.equal(again?.new_version, first.new_version);
    }
    assert.deepEqual(
      repeated.filter(({ status }) => status === 'rejected'),
      [],
    );
    await assertEnded(ground, repeated.length - 1);
  } finally {
    await store.close();
  }
}

/** Nothing half: chain, head and documents agree, and no document is of a version without a row. */
async function assertSettled(name: string, state: StoredState): Promise<void> {
  assert.deepEqual(
    faultsOf(state).filter((fault) => !fault.startsWith('tasks/c holds other content')),
    [],
  );
  const versions = new Set(state.rows.map(({ version }) => version));
  for (const { doc_id, version } of state.documents) {
    assert.ok(versions.has(version), `${doc_id} is at ${version}, which has no row`);
  }
  const left = await inDatabase((client) => client.db(name).collection(REDO_LOG).find().toArray());
  assert.deepEqual(left, []);
}

/** `mutations` had an effect that is answered again; equal content only moved a stamp. */
async function assertEnded({ name, pushes }: Ground, mutations: number): Promise<void> {
  const state = await readMongo(server.uri, name, COLLECTIONS);
  await assertSettled(name, state);
  const contents = state.documents.map(({ collection, doc_id, data }) => [
    `${collection}/${doc_id}`,
    data,
  ]);
  assert.deepEqual(Object.fromEntries(contents.sort()), EXPECTED);
  assert.equal(new Set(state.receipts).size, state.receipts.length);
  assert.equal(state.receipts.filter((id) => id.startsWith('m-')).length, mutations);
  assert.deepEqual([...state.conflicts].sort(), ['before-delete', 'm-c', 'm-e2', 'm-lost']);
  await inDatabase(async (client) => {
    const same = await client.db(name).collection<Task>('tasks').findOne({ _id: 'd' });
    const [later] = (pushes[1]?.changes ?? []) as { change_version: Hlc }[];
    // A repeat is stamped after what it repeats, by a count within the same millisecond.
    const moment = '20260102T030405.678Z'.length;
    assert.equal(
      same?._sync_change_version.slice(0, moment),
      later?.change_version.slice(0, moment),
    );
    const tombstones = await client.db(name).collection('sync_tombstones').find().toArray();
    assert.deepEqual(tombstones.map(({ doc_id }) => doc_id).sort(), ['b', 'e']);
    const traces = await client
      .db(name)
      .collection('sync_traces')
      .find({ gone_at: null })
      .toArray();
    const ids = traces.map(({ doc_id }) => doc_id);
    assert.deepEqual(ids.sort(), ['a', 'c', 'd', 'f', 'gone', 'stays']);
  });
}

for (const moment of ['before', 'half'] as const) {
  const when = moment === 'half' ? 'in the middle of' : 'before';
  test(`[SA-3] a process killed ${when} any of its writes leaves every push whole or unwritten`, async (t) => {
    let survived = false;
    let statement = 1;
    for (; !survived; statement += 1) {
      const ground = await prepare();
      try {
        const { answered, died } = await pushAndDie(ground, { statement, moment });
        await recoverAndCheck(ground, answered);
        survived = !died;
      } catch (error) {
        throw new Error(`killed ${when} statement ${statement}`, { cause: error });
      } finally {
        await ground.drop();
      }
    }
    const statements = statement - 2;
    t.diagnostic(`${statements} statements`);
    assert.ok(statements > (moment === 'half' ? 5 : 15), `only ${statements} statements were seen`);
  });
}
