/**
 * Adoption and capture on the MongoDB of the tests, against the driver alone doing the least that
 * gives the same fields: a bulk write of six fields per document, and a bare change stream.
 */

import { randomBytes } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { nodeSystem } from '../../src/node-system.ts';
import { openMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { benchLayout, createBenchEngine } from './bench-engine.mjs';
import { interleaved, median, timed } from './measure.mjs';
import { newTask } from './tasks.mjs';

const ROUNDS = 3;
const DOCUMENTS = 1_000;
const GROUP = 200;
const HINTS = 30;
const POLICY = { scope: 'all', capture: true };

/** `migrate` of a collection, and the way of a foreign write to its row. */
export async function adoptionScenarios(report, server) {
  const client = new MongoClient(server.uri);
  try {
    report.add({
      scenario: `adopt ${DOCUMENTS} documents of one scope against a bulk write of the same fields`,
      unit: 'ms',
      ...(await interleaved(
        ROUNDS,
        () => adopted(client, server),
        () => updatedInBulk(client),
      )),
    });
    await captureScenario(report, client, server);
  } finally {
    await client.close();
  }
}

/** A database with documents of an application, dropped when `work` is done. */
async function withDocuments(client, count, work) {
  const name = `bench_${randomBytes(6).toString('hex')}`;
  const tasks = client.db(name).collection('tasks');
  try {
    const documents = Array.from({ length: count }, newTask);
    if (count > 0) await tasks.insertMany(documents.map(({ id, data }) => ({ _id: id, ...data })));
    return await work(name, tasks);
  } finally {
    await client.db(name).dropDatabase();
  }
}

async function withEngine(server, database, work) {
  const store = await openMongoStore({
    uri: server.uri,
    database,
    node_id: 'bench',
    clock: nodeSystem.clock,
    collections: [{ name: 'tasks', id_type: 'string' }],
    mode: 'serve',
  });
  try {
    await store.applySetup(benchLayout());
    return await work(await createBenchEngine(store, POLICY));
  } finally {
    await store.close();
  }
}

function adopted(client, server) {
  return withDocuments(client, DOCUMENTS, (name) =>
    withEngine(server, name, ({ adoption }) =>
      timed(async () => {
        const options = { batch_size: 500, max_bytes: 1_048_576, restart: false };
        const steps = adoption.migrate('tasks', { ...options, mayGoOn: () => true });
        for await (const _ of steps);
      }),
    ),
  );
}

/** Reads everything and writes six fields, in groups as large as ours, one transaction each. */
function updatedInBulk(client) {
  return withDocuments(client, DOCUMENTS, (_name, tasks) =>
    timed(async () => {
      const found = await tasks.find().sort({ _id: 1 }).toArray();
      for (let at = 0; at < found.length; at += GROUP) {
        const writes = found.slice(at, at + GROUP).map(({ _id }) => ({
          updateOne: {
            filter: { _id },
            update: {
              $set: {
                _sync_version: _id,
                _sync_scope_id: 'all',
                _sync_actor_id: null,
                _sync_client_id: null,
                _sync_change_version: _id,
                _sync_hash: _id,
              },
            },
          },
        }));
        await client.withSession((session) =>
          session.withTransaction(() => tasks.bulkWrite(writes, { session })),
        );
      }
    }),
  );
}

/** From the application's write to the row, and to the bare event. */
function captureScenario(report, client, server) {
  return withDocuments(client, 1, (name, tasks) =>
    withEngine(server, name, async (engine) => {
      const stop = new AbortController();
      const options = { collections: ['tasks'], rescan_ms: 60_000, signal: stop.signal };
      const running = engine.adoption.capture(options);
      const stream = client.db(name).watch([{ $match: { 'ns.coll': 'tasks' } }]);
      const oplog = client.db(name).collection('sync_oplog');
      const rowOf = async (_id) => {
        while ((await oplog.countDocuments({ doc_id: _id })) === 0);
      };
      try {
        await rowOf((await tasks.findOne())._id);
        const ours = [];
        const baseline = [];
        await stream.tryNext();
        for (let n = 0; n < HINTS; n += 1) {
          const _id = `hint-${n}`;
          const started = performance.now();
          await tasks.insertOne({ _id });
          const seen = stream.next().then(() => baseline.push(performance.now() - started));
          await rowOf(_id);
          ours.push(performance.now() - started);
          await seen;
          // Our own stamp is an event of the bare stream as well.
          await stream.next();
        }
        const ratios = ours.map((ms, n) => ms / baseline[n]);
        report.add({
          scenario: 'foreign write to its row against the bare change event',
          unit: 'ms',
          ours: median(ours),
          baseline: median(baseline),
          ratio: median(ratios),
          ratio_min: Math.min(...ratios),
          ratio_max: Math.max(...ratios),
        });
      } finally {
        stop.abort();
        await stream.close();
        await running;
      }
    }),
  );
}
