/** From the request of a push to the frame at another client, one at a time. */

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { MongoClient } from 'mongodb';
import { percentile, ratioFacts, within } from '../measure.mjs';
import { newTask } from '../tasks.mjs';
import { minimalSide, openReceiver, productSide, withSides } from './sides.mjs';

const ROUNDS = 15;
const SAMPLES = 100;
/** Until the code of both sides is compiled. */
const WARM_SAMPLES = 500;
const NODE_SAMPLES = 200;
const SAMPLE_LIMIT_MS = 10_000;

/** On one node: frames of sockets, and events. */
export async function propagationScenarios(report) {
  await withSides([productSide, minimalSide], async (product, minimal) => {
    const facts = await comparedRounds(product, minimal, openReceiver);
    for (const [name, fact] of Object.entries(facts)) {
      report.add({
        scenario: `live propagation to another client, ${name}`,
        unit: 'ms',
        ...within(fact, 2),
      });
    }
    const events = await comparedRounds(product, minimal, openEventReceiver);
    for (const [name, fact] of Object.entries(events)) {
      report.add({ scenario: `live propagation to an event stream, ${name}`, unit: 'ms', ...fact });
    }
  });
}

/** Push at one process, frame at the other; beside the driver's change stream on the same server. */
export async function nodeScenarios(report, mongo) {
  const database = `bench_${randomBytes(6).toString('hex')}`;
  const store = ['store: mongo', `mongodb_uri: "${mongo.uri}"`, `database_name: ${database}`];
  const start = () => productSide({ store });
  const client = new MongoClient(mongo.uri);
  try {
    await withSides([start, start], async (writer, reader) => {
      const ours = [];
      const receiver = await openReceiver(reader);
      await samples(writer, receiver, 20);
      const bare = await bareChanges(client.db(`${database}_bare`));
      ours.push(...(await samples(writer, receiver, NODE_SAMPLES)));
      for (const [name, share, goal] of [
        ['p50', 0.5, 15],
        ['p95', 0.95, 50],
      ]) {
        const ms = percentile(ours, share);
        const baseline = percentile(bare, share);
        const scenario = `live propagation across two nodes on MongoDB, ${name}`;
        report.add({
          scenario,
          unit: 'ms',
          ours: ms,
          baseline,
          goal: `≤ ${goal} ms`,
          met: ms <= goal,
        });
      }
      await receiver.close();
    });
  } finally {
    await client.db(database).dropDatabase();
    await client.db(`${database}_bare`).dropDatabase();
    await client.close();
  }
}

async function comparedRounds(product, minimal, open) {
  const ourReceiver = await open(product);
  const theirReceiver = await open(minimal);
  await samples(product, ourReceiver, WARM_SAMPLES);
  await samples(minimal, theirReceiver, WARM_SAMPLES);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const ours = [];
    const baseline = [];
    // Sample by sample: what else the machine does meets both sides alike.
    for (let n = 0; n < SAMPLES; n += 1) {
      ours.push(...(await samples(product, ourReceiver, 1)));
      baseline.push(...(await samples(minimal, theirReceiver, 1)));
    }
    rounds.push({ ours, baseline });
  }
  await ourReceiver.close();
  await theirReceiver.close();
  const at = (share) =>
    ratioFacts(
      rounds.map(({ ours }) => percentile(ours, share)),
      rounds.map(({ baseline }) => percentile(baseline, share)),
    );
  return { p50: at(0.5), p95: at(0.95) };
}

async function samples(side, receiver, count) {
  const found = [];
  for (let n = 0; n < count; n += 1) {
    const bytes = side.bytes([newTask()]);
    const arrival = receiver.next();
    const started = performance.now();
    const answer = side.push(bytes);
    found.push((await inTime(arrival)) - started);
    await answer;
  }
  return found;
}

async function inTime(arrival) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('a row did not arrive')), SAMPLE_LIMIT_MS);
  });
  try {
    return await Promise.race([arrival, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A reader of server-sent events that knows a row by its `data:`. */
async function openEventReceiver({ port, events: { target, token } }) {
  let arrived = () => {};
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const auth = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${auth}\r\n`);
  await new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('data', resolve);
  });
  socket.on('data', (chunk) => {
    if (chunk.includes('{"type":"change"')) arrived(performance.now());
  });
  return {
    next: () =>
      new Promise((resolve) => {
        arrived = resolve;
      }),
    close: () => socket.destroy(),
  };
}

/** The driver alone: an insert by one connection, the event at another. */
async function bareChanges(db) {
  const log = db.collection('log');
  await log.insertOne({});
  const stream = log.watch();
  await stream.tryNext();
  const found = [];
  for (let n = 0; n < NODE_SAMPLES; n += 1) {
    const event = stream.next();
    const started = performance.now();
    await Promise.all([
      event.then(() => found.push(performance.now() - started)),
      log.insertOne(newTask()),
    ]);
  }
  await stream.close();
  return found;
}
