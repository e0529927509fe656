/** Over HTTP, against the minimal server, in interleaved rounds of the same run. */

import { randomUUID } from 'node:crypto';
import { SyncClient } from '../../examples/minimal-client.mjs';
import { interleaved, timed } from './measure.mjs';
import { Connection, postBytes } from './raw-http.mjs';
import { startMinimal, startProduct } from './servers.mjs';
import { newTask, pushBody } from './tasks.mjs';

const CALLERS = 64;
const PUSHES_PER_CALLER = 60;
const ROUNDS = 7;
const DOCUMENTS = 100_000;

/** Runs every HTTP scenario. */
export async function httpScenarios(report) {
  await singlePushes(report);
  await replays(report);
  await bootstrap(report);
}

/** 64 callers in closed loop, one change per push, every push durable before its answer. */
async function singlePushes(report) {
  const [product, minimal] = [await startProduct(), await startMinimal()];
  try {
    const token = await product.token('s1');
    const rate = (port, bytesOf) => async () => {
      const connections = await Promise.all(
        Array.from({ length: CALLERS }, () => Connection.open(port)),
      );
      const requests = connections.map(() =>
        Array.from({ length: PUSHES_PER_CALLER }, () => bytesOf()),
      );
      const ms = await timed(() =>
        Promise.all(
          connections.map(async (connection, caller) => {
            for (const bytes of requests[caller]) expectOk(await connection.send(bytes));
          }),
        ),
      );
      for (const connection of connections) connection.close();
      return (CALLERS * PUSHES_PER_CALLER) / (ms / 1_000);
    };
    const figure = await interleaved(
      ROUNDS,
      rate(product.port, () => postBytes('/sync/push', pushBody([newTask()]), token)),
      rate(minimal.port, () => postBytes('/push', { changes: [newTask()] }, null)),
    );
    report.add({
      scenario: 'http push, 64 callers, 1 change each',
      unit: 'pushes/s',
      ...figure,
      goal: '≥ 1.5',
      met: figure.ratio >= 1.5,
    });
  } finally {
    await Promise.all([product.stop(), minimal.stop()]);
  }
}

/** Offline writes that wait in a queue: 10, and 1,000, in one or two requests. */
async function replays(report) {
  const [product, minimal] = [await startProduct(), await startMinimal()];
  try {
    const token = await product.token('s2');
    for (const count of [10, 1_000]) {
      const figure = await interleaved(
        ROUNDS,
        () => replayProduct(product.port, token, count),
        () => replayMinimal(minimal.port, count),
      );
      report.add({
        scenario: `http replay of ${count} queued writes by the reference client`,
        unit: 'ms',
        ...figure,
        goal: '≤ 1.5',
        met: figure.ratio <= 1.5,
      });
    }
  } finally {
    await Promise.all([product.stop(), minimal.stop()]);
  }
}

async function replayProduct(port, token, count) {
  const client = newClient(port, token);
  for (let i = 0; i < count; i += 1) {
    const { id, data } = newTask();
    await client.put('tasks', id, data);
  }
  return timed(() => client.push());
}

async function replayMinimal(port, count) {
  const changes = Array.from({ length: count }, newTask);
  return timed(async () => {
    for (let at = 0; at < count; at += 500) {
      const response = await fetch(`http://127.0.0.1:${port}/push`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ changes: changes.slice(at, at + 500) }),
      });
      await response.json();
    }
  });
}

/** 100,000 documents into a fresh client, and what that costs the server in memory. */
async function bootstrap(report) {
  const [product, minimal] = [await startProduct(), await startMinimal()];
  try {
    const token = await product.token('s3');
    await fill(product.port, (changes) => postBytes('/sync/push', pushBody(changes), token));
    await fill(minimal.port, (changes) => postBytes('/push', { changes }, null));
    const before = product.rssKiB();
    let peak = before;
    const figure = await interleaved(
      ROUNDS,
      async () => {
        const client = newClient(product.port, token);
        const ms = await timed(() => client.sync());
        peak = Math.max(peak, product.rssKiB());
        expectCount(client.list('tasks').length);
        return ms;
      },
      async () => {
        let documents;
        const ms = await timed(async () => {
          documents = await minimalBootstrap(minimal.port);
        });
        expectCount(documents.size);
        return ms;
      },
    );
    report.add({
      scenario: 'http bootstrap of 100,000 documents into the reference client',
      unit: 'ms',
      ...figure,
      goal: '≤ 1.5',
      met: figure.ratio <= 1.5,
    });
    const growth = (peak - before) / 1_024;
    report.add({
      scenario: 'server RSS growth during full resyncs of 100,000 documents',
      unit: 'MiB',
      ours: growth,
      goal: '< 64',
      met: growth < 64,
    });
  } finally {
    await Promise.all([product.stop(), minimal.stop()]);
  }
}

async function minimalBootstrap(port) {
  const response = await fetch(`http://127.0.0.1:${port}/full`);
  const documents = new Map();
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const { id, data } = JSON.parse(line);
      documents.set(id, data);
    }
  }
  return documents;
}

async function fill(port, bytesOf) {
  const connection = await Connection.open(port);
  for (let at = 0; at < DOCUMENTS; at += 500) {
    expectOk(await connection.send(bytesOf(Array.from({ length: 500 }, newTask))));
  }
  connection.close();
}

function newClient(port, token) {
  return new SyncClient({
    url: `http://127.0.0.1:${port}`,
    token,
    clientId: randomUUID(),
    collections: ['tasks'],
  });
}

function expectOk({ status, body }) {
  if (status !== 200) throw new Error(`answer ${status}: ${body.toString().slice(0, 300)}`);
}

function expectCount(count) {
  if (count !== DOCUMENTS) throw new Error(`${count} documents instead of ${DOCUMENTS}`);
}
