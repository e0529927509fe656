/** Live mode of the reference client: how connections end, how long it waits, which transport is next. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLive } from '../../examples/live-client.mjs';
import { connect, view } from './support/clients.ts';
import { refuse } from './support/fake-server.ts';
import { LiveServer } from './support/live-server.ts';
import { goLive, type LiveWorld, type WorldOptions } from './support/live-world.ts';
import { settled } from './support/manual-clock.ts';

const BOTH = ['websocket', 'events'] as const;

/** How long the client waits, ms, after the server ended the stream so. */
async function waitAfter(code: number, options: WorldOptions): Promise<number | undefined> {
  const { server, clock, live } = await goLive(options);
  server.stream.end(code);
  await settled();
  const [wait] = clock.waits;
  live.stop();
  return wait;
}

for (const transport of BOTH) {
  test(`[RC-25] ${transport}: a lost connection is begun again after 0 to 0.5 s, each time up to twice as long, at most 60 s`, async () => {
    let random = 1;
    const { server, clock, live } = await goLive({ transports: [transport], random: () => random });
    for (const most of [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      server.stream.end(1006);
      await settled();
      assert.deepEqual(clock.waits, [most]);
      await clock.pass(most);
    }
    random = 0;
    server.stream.end(1011);
    await settled();
    assert.deepEqual(clock.waits, [0]);
    await clock.pass(29_000);
    random = 1;
    server.stream.end(1006);
    await settled();
    assert.deepEqual(clock.waits, [60_000], 'it was live for less than 30 s');
    await clock.pass(60_000);
    server.stream.ping();
    await clock.pass(30_000);
    server.stream.end(1006);
    await settled();
    assert.deepEqual(clock.waits, [500], 'it was live for 30 s');
    live.stop();
  });

  test(`[RC-25] ${transport}: a lost connection goes on in place, without a pull`, async () => {
    const { server, client, clock, live } = await goLive({ transports: [transport] });
    const pulls = server.requests('pull').length;
    server.stream.end(1006);
    server.write('tasks', 'a', { n: 1 });
    await clock.pass(500);
    assert.deepEqual(view(client), { a: { n: 1 } });
    assert.equal(server.requests('pull').length, pulls);
    live.stop();
  });

  test(`[RC-25] ${transport}: after a shutdown clients come back spread over 0.2 to 5 s`, async () => {
    const transports = [transport];
    const asked = transport === 'events' ? 7_000 : 0;
    const waits = [0, 0.5, 1].map((chance) =>
      waitAfter(1012, { transports, random: () => chance }),
    );
    assert.deepEqual(
      await Promise.all(waits),
      [200, 2_600, 5_000].map((ms) => Math.max(ms, asked)),
    );
  });

  test(`[RC-25] ${transport}: too many connections: 30 to 60 s, then a pull first`, async () => {
    const transports = [transport];
    assert.equal(await waitAfter(4429, { transports, random: () => 0 }), 30_000);
    const { server, client, clock, live } = await goLive({ transports, random: () => 1 });
    server.stream.end(4429);
    server.write('tasks', 'a', { n: 1 });
    await settled();
    assert.deepEqual(clock.waits, [60_000]);
    server.held = true;
    await clock.pass(60_000);
    assert.deepEqual(view(client), { a: { n: 1 } });
    live.stop();
  });

  test(`[RC-26] ${transport}: forbidden stops it, and says why`, async () => {
    const { server, clock, live, states } = await goLive({ transports: [transport] });
    server.stream.say({ type: 'error', code: 'collection_forbidden', message: 'no' });
    server.stream.end(4403);
    await settled();
    assert.deepEqual([states, clock.waits], [['live', 'stopped'], []]);
    assert.equal(live.error?.code, 'collection_forbidden');
  });

  test(`[RC-26] ${transport}: a refused token is replaced once, then it waits and asks again`, async () => {
    const given = ['bad', 'bad', 'good'];
    const getToken = async (): Promise<string> => given.shift() ?? 'none';
    const server = new LiveServer();
    server.refusedToken = 'bad';
    const { client, clock, live } = await goLive({
      server,
      transports: [transport],
      getToken,
      client: { token: 'bad' },
    });
    await clock.pass(250);
    assert.deepEqual([given, live.state], [['bad', 'good'], 'waiting']);
    assert.deepEqual(clock.waits, [45_000]);
    await clock.pass(45_000);
    assert.deepEqual([given, live.state], [['good'], 'waiting']);
    await clock.pass(60_000);
    await clock.pass(60_000);
    assert.deepEqual([given, live.state, client.token], [[], 'live', 'good']);
    assert.equal(server.stream.opened.token, 'good');
    live.stop();
  });

  test(`[RC-27] ${transport}: a history that is gone is replaced by a pull, then the stream goes on`, async () => {
    const { server, client, clock, live } = await goLive({ transports: [transport] });
    server.stream.end(1006);
    server.write('tasks', 'a', { n: 1 });
    server.write('tasks', 'b', { n: 1 });
    server.prune(1);
    await clock.pass(250);
    assert.equal(server.requests('full').length, 1);
    assert.equal(live.state, 'waiting');
    await clock.pass(1_000);
    assert.equal(server.requests('full').length, 2);
    assert.deepEqual([live.state, view(client)], ['live', { a: { n: 1 }, b: { n: 1 } }]);
    assert.equal(server.stream.opened.since, server.head);
    live.stop();
  });

  test(`[RC-27] ${transport}: a new history resyncs, and its stream is asked for with its epoch`, async () => {
    const { server, clock, live } = await goLive({ transports: [transport] });
    server.stream.end(1012);
    server.epoch = 'epoch-2';
    await clock.pass(20_000);
    assert.equal(live.state, 'live');
    assert.equal(server.requests('full').length, 2);
    assert.equal(server.stream.opened.epoch, 'epoch-2');
    live.stop();
  });
}

test('[RC-25] a reader that was too slow pulls before the next stream', async () => {
  const { server, clock, live } = await goLive();
  const pulls = server.requests('pull').length;
  server.stream.end(1013);
  await clock.pass(500);
  assert.equal(server.requests('pull').length, pulls + 1);
  assert.equal(live.state, 'live');
  server.stream.end(1006);
  await clock.pass(1_000);
  assert.equal(live.state, 'live');
  assert.equal(server.requests('pull').length, pulls + 1, 'only once');
  live.stop();
});

test('[RC-26] a 401 of a push or a pull asks for another token too', async () => {
  const server = new LiveServer();
  server.mishaps.full.push(refuse(401, 'authentication_failed'));
  const tokens = ['token-1', 'token-2'];
  const getToken = (): string => tokens.shift() ?? 'none';
  const { client, clock, live } = await goLive({ server, getToken });
  await clock.pass(500);
  assert.deepEqual([live.state, client.token], ['live', 'token-1']);
  await clock.pass(30_000);
  server.mishaps.push.push(refuse(401, 'authentication_failed'));
  await client.put('tasks', 'a', { n: 1 });
  await clock.pass(500);
  assert.deepEqual([live.state, client.token, client.pending], ['live', 'token-2', 0]);
  live.stop();
});

test('[RC-28] a server that says no itself makes no transport worse', async () => {
  const server = new LiveServer();
  server.refusedToken = 'old';
  const { client, clock, live } = await goLive({ server, client: { token: 'old' } });
  await clock.pass(200_000);
  assert.deepEqual(server.tried, { websocket: 5, events: 0 });
  client.token = 'new';
  await clock.pass(45_000);
  assert.deepEqual([live.state, server.stream.wire.transport], ['live', 'websocket']);
  live.stop();
});

test('[RC-26] without getToken it waits; wake tries at once', async () => {
  const server = new LiveServer();
  server.refusedToken = 'old';
  const { client, clock, live } = await goLive({ server, client: { token: 'old' } });
  assert.deepEqual([live.state, clock.waits], ['waiting', [45_000]]);
  client.token = 'new';
  live.wake();
  await settled();
  assert.equal(live.state, 'live');
  live.stop();
});

/** Lets the waits pass until this state is reached. */
async function until({ live, clock }: LiveWorld, state: string): Promise<void> {
  for (let step = 0; live.state !== state; step += 1) {
    assert.ok(step < 50, `it stays ${live.state}`);
    await clock.pass(1_000);
  }
}

test('[RC-28] a WebSocket that does not open three times is followed by events, these by polling; later the best is tried again', async () => {
  const server = new LiveServer();
  server.broken.websocket = 4;
  server.broken.events = 3;
  server.write('tasks', 'a', { n: 1 });
  const world = await goLive({ server });
  const { client, clock, live } = world;
  await until(world, 'polling');
  assert.deepEqual(server.tried, { websocket: 3, events: 3 });
  assert.deepEqual(view(client), { a: { n: 1 } });
  await clock.pass(225_000);
  await until(world, 'live');
  assert.deepEqual(server.tried, { websocket: 4, events: 4 }, 'the best got one try');
  assert.equal(server.stream.wire.transport, 'events');
  server.write('tasks', 'b', { n: 1 });
  await settled();
  assert.deepEqual(view(client), { a: { n: 1 }, b: { n: 1 } });
  await keptAlive(world, 225_000);
  await until(world, 'live');
  assert.equal(server.stream.wire.transport, 'websocket');
  await keptAlive(world, 600_000);
  assert.deepEqual(server.tried, { websocket: 5, events: 4 });
  live.stop();
});

test('[RC-30] a WebSocket that is an error and no close did not open', async () => {
  const server = new LiveServer();
  server.broken.websocket = 3;
  server.forbids = true;
  const world = await goLive({ server });
  await world.clock.pass(5_000);
  assert.equal(world.live.state, 'live');
  assert.deepEqual(server.tried, { websocket: 3, events: 1 });
  world.live.stop();
});

/** Time passes, and the server pings. */
async function keptAlive({ server, clock }: LiveWorld, ms: number): Promise<void> {
  for (let rest = ms; rest > 0; rest -= 25_000) {
    for (const stream of server.streams) stream.ping();
    await clock.pass(25_000);
  }
}

test('[RC-28] a server that is away makes no transport worse', async () => {
  const world = await goLive();
  const { server, clock, live } = world;
  server.stream.end(1006);
  server.broken.websocket = 1;
  for (let n = 0; n < 6; n += 1) server.mishaps.pull.push(refuse(503, 'service_unavailable'));
  await clock.pass(120_000);
  await until(world, 'live');
  assert.deepEqual(server.tried, { websocket: 3, events: 0 });
  live.stop();
});

test('[RC-28] without a WebSocket it begins with events; without events too, it polls', async () => {
  const { server, live } = await goLive({ WebSocket: undefined });
  assert.equal(server.stream.wire.transport, 'events');
  live.stop();
  assert.throws(
    () => startLive(connect(server), { WebSocket: undefined, transports: ['websocket'] }),
    RangeError,
  );
  const old = new LiveServer();
  for (let n = 0; n < 3; n += 1) old.eventAnswers.push(Response.json({}, { status: 404 }));
  const world = await goLive({ server: old, WebSocket: undefined });
  await until(world, 'polling');
  world.live.stop();
});

test('[RC-28] polls come after half to one and a half of the time, and send own edits', async () => {
  let random = 0;
  const { server, client, clock, live } = await goLive({
    transports: ['poll'],
    random: () => random,
  });
  const asked = (): number => server.requests('pull').length;
  assert.equal(live.state, 'polling');
  assert.ok(clock.waits.includes(7_500), String(clock.waits));
  const before = asked();
  random = 1;
  server.write('tasks', 'a', { n: 1 });
  await clock.pass(7_500);
  assert.deepEqual(view(client), { a: { n: 1 } });
  assert.ok(clock.waits.includes(22_500), String(clock.waits));
  assert.equal(asked(), before + 1);
  await client.put('tasks', 'b', { n: 1 });
  await settled();
  assert.equal(client.pending, 0);
  live.stop();
});

test('[RC-28] where the server tells its status, a poll pulls only when it is another one', async () => {
  const server = new LiveServer();
  server.tellsStatus = true;
  server.write('tasks', 'a', { n: 1 });
  const { client, clock, live } = await goLive({ server, transports: ['poll'] });
  const pulls = server.requests('pull').length;
  await clock.pass(60_000);
  assert.equal(server.requests('pull').length, pulls);
  assert.equal(server.requests('status').length, 5);
  assert.equal(
    server.requests('status').at(-1)?.headers.get('If-None-Match'),
    `W/"${server.head}"`,
  );
  server.write('tasks', 'a', { n: 2 });
  await clock.pass(15_000);
  assert.equal(server.requests('pull').length, pulls + 1);
  assert.deepEqual(view(client), { a: { n: 2 } });
  live.stop();
});

test('[RC-28] a poll that fails is tried again with backoff', async () => {
  const { server, clock, live, states } = await goLive({ transports: ['poll'] });
  server.mishaps.pull.push(refuse(503, 'service_unavailable'));
  await clock.pass(15_000);
  assert.deepEqual([states, live.error?.code], [['polling', 'waiting'], 'service_unavailable']);
  await clock.pass(250);
  assert.equal(live.state, 'polling');
  live.stop();
});
