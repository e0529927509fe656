/**
 * The engine on MongoDB against the raw driver's same transaction, on the MongoDB of the tests. That
 * server is a correctness lane: the figures compare our overhead, not a MongoDB version.
 */

import { MongoClient } from 'mongodb';
import { nodeSystem } from '../../src/node-system.ts';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { openMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { benchLayout, createBenchEngine } from './bench-engine.mjs';
import { interleaved, timed } from './measure.mjs';
import { newTask, pushAll, pushBody } from './tasks.mjs';

const ROUNDS = 7;
const DOCUMENTS = 5_000;
const TRANSACTION = {
  readConcern: { level: 'majority' },
  writeConcern: { w: 'majority', journal: true },
};

/** Push and pull against the raw driver; full is printed without a goal. */
export async function mongoScenarios(report, server) {
  const client = new MongoClient(server.uri);
  const store = await openMongoStore({
    uri: server.uri,
    database: 'bench_ours',
    node_id: 'bench',
    clock: nodeSystem.clock,
    collections: [{ name: 'tasks', id_type: 'string' }],
    mode: 'serve',
  });
  try {
    await store.applySetup(benchLayout());
    const engine = await createBenchEngine(store);
    const raw = new RawDriver(client, 'bench_raw');
    await raw.prepare();
    await pushScenarios(report, engine, raw);
    await pullScenario(report, engine, raw);
    await fullScenario(report, engine);
  } finally {
    await store.close();
    await client.close();
  }
}

async function pushScenarios(report, engine, raw) {
  for (const [changes, callers] of [
    [1, 1],
    [1, 32],
    [100, 1],
  ]) {
    const pushes = changes === 1 ? 64 : 8;
    const work = () =>
      Array.from({ length: pushes }, () => Array.from({ length: changes }, newTask));
    const figure = await interleaved(
      ROUNDS,
      async () => {
        const bodies = work();
        return (await timed(() => pushAll(engine, bodies, { callers, scopes: 1 }))) / pushes;
      },
      async () => {
        const bodies = work();
        const ms = await timed(async () => {
          for (const tasks of bodies) await raw.push('s', tasks);
        });
        return ms / pushes;
      },
    );
    report.add({
      scenario: `mongo push, ${changes} change(s), ${callers} caller(s)`,
      unit: 'ms per push',
      ...figure,
      goal: '≤ 1.5',
      met: figure.ratio <= 1.5,
    });
  }
}

async function pullScenario(report, engine, raw) {
  const query = { since: ZERO_HLC, collections: undefined, limit: 500 };
  const figure = await interleaved(
    15,
    () => timed(() => engine.pull(engine.context('s0'), query)),
    () => timed(() => raw.pull('s', 500)),
  );
  report.add({ scenario: 'mongo pull of 500 rows against find + JSON', unit: 'ms', ...figure });
}

async function fullScenario(report, engine) {
  for (let at = 0; at < DOCUMENTS; at += 500) {
    await pushFull(engine, Array.from({ length: 500 }, newTask));
  }
  const ms = await timed(async () => {
    let cursor;
    do {
      const page = await engine.full(engine.context('full'), {
        collections: ['tasks'],
        cursor,
        limit: 1_000,
        trailer: true,
      });
      cursor = page.cursor ?? undefined;
    } while (cursor !== undefined);
  });
  report.add({ scenario: 'mongo full resync of 5,000 documents', unit: 'ms', ours: ms });
}

function pushFull(engine, tasks) {
  return engine.push(engine.context('full'), pushBody(tasks, { anonymous: true }));
}

/** The statements of one push through the driver alone, one transaction per push. */
class RawDriver {
  #client;
  #db;
  #bundle = 0;

  constructor(client, name) {
    this.#client = client;
    this.#db = client.db(name);
  }

  async prepare() {
    const names = ['tasks', 'sync_scopes', 'sync_oplog', 'sync_receipts', 'sync_tombstones'];
    for (const name of names) await this.#db.createCollection(name);
    await this.#db.collection('sync_oplog').createIndex({ scope_id: 1, seq: 1 }, { unique: true });
    await this.#db
      .collection('sync_receipts')
      .createIndex({ scope_id: 1, actor_id: 1, client_id: 1, mutation_id: 1 }, { unique: true });
    await this.#db.collection('sync_scopes').insertOne({ _id: 's', lock: 0, head_seq: 0 });
  }

  async push(scope, tasks) {
    const session = this.#client.startSession();
    const db = this.#db;
    const ids = tasks.map(({ id }) => id);
    session.startTransaction(TRANSACTION);
    const lock = [{ $set: { touched: '$$NOW', lock: { $add: ['$lock', 1] } } }];
    const head = await db
      .collection('sync_scopes')
      .findOneAndUpdate({ _id: scope }, lock, { session, returnDocument: 'after' });
    await db
      .collection('sync_receipts')
      .aggregate(
        [
          { $match: { scope_id: scope, actor_id: 'b', client_id: 'b', mutation_id: { $in: ids } } },
          {
            $unionWith: {
              coll: 'sync_tombstones',
              pipeline: [{ $match: { scope_id: scope, doc_id: { $in: ids } } }],
            },
          },
        ],
        { session },
      )
      .toArray();
    await db
      .collection('tasks')
      .find({ _id: { $in: ids } }, { session })
      .toArray();
    this.#bundle += 1;
    const namespace = (name) => `${db.databaseName}.${name}`;
    const insert = (name, document) => ({
      name: 'insertOne',
      namespace: namespace(name),
      document,
    });
    await this.#client.bulkWrite(
      [
        ...tasks.map(({ id, data }) => insert('tasks', { _id: id, ...data, _sync_version: id })),
        ...tasks.map(({ id, data }, i) =>
          insert('sync_oplog', {
            _id: id,
            scope_id: scope,
            seq: head.head_seq + 1 + i,
            bundle_seq: this.#bundle,
            collection: 'tasks',
            doc_id: id,
            operation: 'upsert',
            data,
          }),
        ),
        ...tasks.map(({ id }) =>
          insert('sync_receipts', {
            scope_id: scope,
            actor_id: 'b',
            client_id: 'b',
            mutation_id: id,
            result: { status: 'accepted' },
          }),
        ),
        {
          name: 'updateOne',
          namespace: namespace('sync_scopes'),
          filter: { _id: scope },
          update: { $set: { head_seq: head.head_seq + tasks.length } },
        },
      ],
      { session, ordered: true },
    );
    await session.commitTransaction();
    await session.endSession();
  }

  async pull(scope, limit) {
    const rows = await this.#db
      .collection('sync_oplog')
      .find({ scope_id: scope, seq: { $gt: 0, $lte: limit } })
      .sort({ seq: 1 })
      .toArray();
    return JSON.stringify({ changes: rows });
  }
}
