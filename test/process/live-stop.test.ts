/** SIGTERM while everything is busy: each client is told what it needs to go on, and nothing is lost. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { faultsOf, lostMutations } from '../support/process/history-oracle.ts';
import { deviceFaults, LiveDevice } from '../support/process/live-device.ts';
import type { LiveLink, Transport } from '../support/process/live-link.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import {
  embeddedPlace,
  HAS_MONGODB,
  mongoPlace,
  type StorePlace,
} from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { push, type WireAnswer, type WireChange } from '../support/process/wire.ts';

const SCOPE = 'stop';
const READERS: Readonly<Record<Transport, number>> = { websocket: 300, events: 20 };
/** Sockets that do not read, so that they do not answer the close: they are cut when the time is over. */
const DEAF = 5;
/** Pushes of which the server has a half. */
const BEGUN = 20;
/** Callers that push one after another until they are let in no more. */
const RACING = 20;
const DRAIN_SECONDS = 5;
/** For a busy machine, beside what the server may take, ms. */
const SLACK_MS = 15_000;
const TEST_MS = 120_000;
const RUNTIME_FAILURE = 1;

describe('embedded: SIGTERM', () => {
  test(
    '[WS-12] [SE-5] [CL-7] [PR-36] 300 sockets, 20 event streams and pushes in flight: told, answered, exit 0',
    {
      timeout: TEST_MS,
    },
    (t) => stopUnderLoad(t, embeddedPlace(t)),
  );

  test('[CL-7] [PR-37] a second SIGTERM ends at once, whatever is in flight', {
    timeout: TEST_MS,
  }, async (t) => {
    const world = await open(t, embeddedPlace(t), { drain_seconds: 600 });
    const { server, random } = world;
    const readers = await connect(world, { websocket: 10, events: 2 });
    for (const { link } of readers.slice(0, DEAF)) link.pause();
    const begun = await beginPush(world, newChange(random));
    begun.answer.catch(() => {});
    server.signal('SIGTERM');
    const told = readers.slice(DEAF).map(({ link }) => link.ended);
    await Promise.all(told);
    await pause(500);
    assert.ok(server.running, 'the first signal waits for what is in flight');
    const again = performance.now();
    server.signal('SIGTERM');
    assert.equal(await server.exitCode(), RUNTIME_FAILURE);
    const ms = performance.now() - again;
    t.diagnostic(`ended ${Math.round(ms)} ms after the second signal`);
    assert.ok(ms < SLACK_MS);
  });
});

describe('mongo: SIGTERM', { skip: !HAS_MONGODB }, () => {
  test(
    '[WS-12] [SE-5] [CL-7] [PR-39] 300 sockets, 20 event streams and pushes in flight: told, answered, exit 0',
    {
      timeout: TEST_MS,
    },
    async (t) => stopUnderLoad(t, await mongoPlace(t)),
  );
});

interface World {
  readonly server: ServerProcess;
  readonly random: Seeded;
  readonly token: string;
}

interface Reader {
  readonly device: LiveDevice;
  readonly link: LiveLink;
  readonly transport: Transport;
}

async function stopUnderLoad(t: TestContext, place: StorePlace): Promise<void> {
  const world = await open(t, place, { drain_seconds: DRAIN_SECONDS });
  const { server, random } = world;
  const readers = await connect(world, READERS);
  for (const { link } of readers.slice(0, DEAF)) link.pause();
  const begun = await Promise.all(
    Array.from({ length: BEGUN }, () => beginPush(world, newChange(random))),
  );
  const racing = Array.from({ length: RACING }, () => pushOn(world));
  await pause(500);
  const signalled = performance.now();
  server.signal('SIGTERM');

  const hearing = readers.slice(DEAF);
  const ends = await Promise.all(hearing.map(({ link }) => link.ended));
  t.diagnostic(`everybody was told after ${since(signalled)} ms`);
  for (const [at, { code, retry, status }] of ends.entries()) {
    assert.equal(status, undefined);
    if (hearing[at]?.transport === 'websocket') assert.equal(code, 1012);
    else assert.ok(code === 1000 && retry !== undefined && retry >= 1_000, `${code}, ${retry}`);
  }
  await refusesNewWork(world);
  for (const one of begun) one.finish();
  const answered = await Promise.all(begun.map(({ answer }) => answer));
  const code = await server.exitCode();
  const ms = since(signalled);
  t.diagnostic(`exit ${code} after ${ms} ms, drain_seconds is ${DRAIN_SECONDS}`);
  assert.equal(code, 0, server.output);
  assert.ok(ms < DRAIN_SECONDS * 1_000 + SLACK_MS, `it took ${ms} ms`);

  const raced = (await Promise.all(racing)).flat();
  t.diagnostic(`${raced.length} pushes were answered beside those in flight`);
  assert.ok(raced.length >= RACING, 'the server was not busy');
  const acknowledged = [...answered, ...raced].flatMap(({ results }) =>
    results.map((one) => ({
      mutation_id: one.mutation_id,
      version: one.new_version as string,
    })),
  );
  const state = await place.read();
  assert.deepEqual(faultsOf(state), []);
  assert.deepEqual(lostMutations(state.rows, acknowledged), []);
  assert.equal(state.rows.length, acknowledged.length, 'a push was committed and not answered');
  for (const { device } of hearing) {
    // Up to where each was told to go on, nothing is missing.
    const got = state.rows.filter(({ version }) => version <= (device.place as string));
    assert.deepEqual(deviceFaults(device, got), []);
  }
}

async function open(
  t: TestContext,
  place: StorePlace,
  { drain_seconds }: { readonly drain_seconds: number },
): Promise<World> {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const server = await ServerProcess.start({
    store: place.settings,
    cwd: scratchFolder(t),
    env: {
      SYNC_DRAIN_SECONDS: String(drain_seconds),
      SYNC_STREAM__MAX_CONNECTIONS_PER_ACTOR: '1000',
      SYNC_STREAM__MAX_EVENTS_PER_ACTOR: '1000',
    },
  });
  t.after(() => server.kill());
  return { server, random, token: await tokenFor('ann', SCOPE) };
}

async function connect(
  { server, token }: World,
  counts: Readonly<Record<Transport, number>>,
): Promise<Reader[]> {
  const transports = (['websocket', 'events'] as const).flatMap((transport) =>
    Array.from({ length: counts[transport] }, () => transport),
  );
  return Promise.all(
    transports.map(async (transport) => {
      const device = new LiveDevice(null);
      const link = device.connect({ url: server.url, token, transport });
      await device.until(() => device.caughtUp);
      return { device, link, transport };
    }),
  );
}

function newChange(random: Seeded): WireChange {
  const data = { text: random.uuid() };
  const base = { collection: 'notes', operation: 'upsert', parent_version: null } as const;
  return { ...base, doc_id: random.uuid(), data, mutation_id: random.uuid() };
}

interface BegunPush {
  readonly answer: Promise<WireAnswer>;
  /** Sends the rest of it. */
  finish(): void;
}

/** A push of which the server has the head and a half of the body. */
async function beginPush({ server, token }: World, change: WireChange): Promise<BegunPush> {
  const body = JSON.stringify({ client_id: 'begun', changes: [change] });
  const request = http.request(`${server.url}/sync/push`, {
    method: 'POST',
    agent: false,
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      Expect: '100-continue',
    },
  });
  const answer = readAnswer(request);
  answer.catch(() => {});
  request.flushHeaders();
  // The server has read the head once it asks for the body.
  await once(request, 'continue');
  request.write(body.slice(0, 40));
  return { answer, finish: () => request.end(body.slice(40)) };
}

async function readAnswer(request: http.ClientRequest): Promise<WireAnswer> {
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece;
  assert.equal(response.statusCode, 200, text);
  return JSON.parse(text) as WireAnswer;
}

/** Pushes until the server takes no more. Half an answer would be an error of another kind. */
async function pushOn({ server, token, random }: World): Promise<WireAnswer[]> {
  const answers: WireAnswer[] = [];
  try {
    for (;;) {
      const caller = { url: server.url, token, client_id: 'racing' };
      answers.push(await push(caller, [newChange(random)]));
    }
  } catch (error) {
    const cause = (error as Error).cause ?? error;
    assert.match(String(cause), /ECONNREFUSED|ECONNRESET|other side closed|status 503/);
    return answers;
  }
}

/** Nobody new is let in: the port is closed, or says 503. */
async function refusesNewWork({ server, token }: World): Promise<void> {
  for (const transport of ['websocket', 'events'] as const) {
    const device = new LiveDevice(null);
    const { status, code, reason } = await device.connect({ url: server.url, token, transport })
      .ended;
    assert.equal(code, 1006);
    assert.ok(status === 503 || /ECONNREFUSED|ECONNRESET/.test(reason), `${status} ${reason}`);
  }
  const ready = await fetch(`${server.url}/readyz`).then(
    ({ status }) => status,
    () => 'refused',
  );
  assert.ok(ready === 503 || ready === 'refused', String(ready));
}

function since(then: number): number {
  return Math.round(performance.now() - then);
}
