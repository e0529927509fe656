/** Live mode of the reference client: own edits, stop, and a server that falls silent. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLive } from '../../examples/live-client.mjs';
import { connect } from './support/clients.ts';
import { loseAnswer, loseRequest, refuse } from './support/fake-server.ts';
import { LiveServer } from './support/live-server.ts';
import { goLive } from './support/live-world.ts';
import { settled } from './support/manual-clock.ts';

test('[RC-22] own edits go out when the connection comes up and after each put, and their rows end them', async () => {
  const server = new LiveServer();
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'early', { n: 1 });
  const world = await goLive({ server, client: {} });
  world.live.stop();
  const { live } = await restart(server, client);
  assert.equal(client.pending, 0);
  const pulls = server.requests('pull').length;
  await client.put('tasks', 'late', { n: 2 });
  await settled();
  assert.equal(client.pending, 0);
  assert.deepEqual(server.documents('tasks'), { early: { n: 1 }, late: { n: 2 } });
  assert.equal(server.requests('pull').length, pulls);
  live.stop();
  await client.put('tasks', 'after', { n: 3 });
  await settled();
  assert.equal(client.unsent, 1, 'stopped');
});

/** Live mode of a client that is there. */
async function restart(server: LiveServer, client: ReturnType<typeof connect>) {
  const live = startLive(client, { WebSocket: server.WebSocket });
  await settled();
  return { live };
}

test('[RC-22] a push that fails is tried again after 0 to 0.5 s, then up to twice as long; an edit meanwhile waits too', async () => {
  const { server, client, clock, live } = await goLive({ random: () => 1 });
  await clock.pass(30_000);
  const pushes = (): number => server.requests('push').length;
  server.stream.ping();
  server.mishaps.push.push(refuse(503, 'service_unavailable'), loseRequest, loseAnswer);
  await client.put('tasks', 'a', { n: 1 });
  await settled();
  assert.deepEqual([client.pending, clock.waits], [1, [500, 75_000]]);
  await client.put('tasks', 'b', { n: 1 });
  await settled();
  assert.deepEqual([pushes(), clock.waits], [1, [500, 75_000]]);
  await clock.pass(500);
  assert.deepEqual([pushes(), clock.waits], [2, [1_000, 74_500]]);
  await clock.pass(1_000);
  assert.equal(client.pending, 0, 'the answer was lost, the rows came');
  await clock.pass(2_000);
  await client.put('tasks', 'c', { n: 1 });
  await settled();
  assert.equal(client.pending, 0);
  server.mishaps.push.push(loseRequest);
  await client.put('tasks', 'd', { n: 1 });
  await settled();
  assert.equal(clock.waits[0], 500, 'a push went well before it');
  live.stop();
});

test('[RC-22] another connection ends the wait for another push', async () => {
  const { server, client, clock, live } = await goLive({ random: () => 1 });
  server.mishaps.push.push(loseRequest, loseRequest, loseRequest);
  await client.put('tasks', 'a', { n: 1 });
  await clock.pass(1_500);
  assert.equal(clock.waits[0], 2_000);
  server.stream.end(1006);
  await clock.pass(500);
  assert.equal(client.pending, 0);
  live.stop();
});

test('[RC-22] an edit without a connection waits for one', async () => {
  const { server, client, clock, live } = await goLive();
  server.stream.end(1006);
  await settled();
  await client.put('tasks', 'a', { n: 1 });
  await settled();
  assert.equal(server.requests('push').length, 0);
  await clock.pass(250);
  assert.equal(client.pending, 0);
  live.stop();
});

test('[RC-22] without autoPush the outbox is left to the application', async () => {
  const { server, client, live } = await goLive({ autoPush: false });
  await client.put('tasks', 'a', { n: 1 });
  await settled();
  assert.equal(server.requests('push').length, 0);
  await client.push();
  await settled();
  assert.equal(client.pending, 0);
  live.stop();
});

test('[RC-22] an answered edit that a restore took away is sent again when the stream passes it', async () => {
  const { server, client, live } = await goLive();
  server.held = true;
  const backup = server.backup();
  await client.put('tasks', 'mine', { n: 1 });
  await settled();
  assert.deepEqual([client.pending, client.unsent], [1, 0]);
  server.restore(backup);
  server.now += 60_000;
  server.write('tasks', 'theirs', { n: 2 });
  server.held = false;
  server.committed();
  await settled();
  assert.equal(client.pending, 0);
  assert.deepEqual(server.documents('tasks'), { theirs: { n: 2 }, mine: { n: 1 } });
  live.stop();
});

test('[RC-23] after stop there is no timer, no stream, no request and no further state', async () => {
  const { server, client, clock, live, states } = await goLive();
  live.stop();
  await settled();
  assert.deepEqual(clock.waits, []);
  assert.equal(server.streams[0]?.closed, true);
  const asked = server.asked.length;
  server.write('tasks', 'a', { n: 1 });
  await client.put('tasks', 'b', { n: 1 });
  for (const type of ['subscribed', 'caught_up']) server.streams[0]?.wire.frame({ type });
  live.wake();
  await clock.pass(3_600_000);
  assert.equal(server.asked.length, asked);
  assert.deepEqual([states, live.state], [['live', 'stopped'], 'stopped']);
});

function answer(): Response {
  return Response.json({ error: 'service_unavailable' }, { status: 503 });
}

test('[RC-23] stop during a pull, a wait, a poll, or a question for a token leaves nothing behind', async () => {
  const cases: Parameters<typeof goLive>[0][] = [
    { client: { fetch: () => new Promise((resolve) => setImmediate(resolve, answer())) } },
    { client: { fetch: () => Promise.reject(new TypeError('fetch failed')) } },
    { transports: ['poll'] },
    {
      getToken: () => new Promise((resolve) => setImmediate(resolve, 'x')),
      client: { token: 'x' },
    },
  ];
  for (const one of cases) {
    const server = new LiveServer();
    server.refusedToken = 'x';
    const { clock, live } = await goLive({ ...one, server });
    const asked = server.asked.length;
    const tried = { ...server.tried };
    live.stop();
    for (let round = 0; round < 5; round += 1) await clock.pass(600_000);
    assert.deepEqual([clock.waits, live.state, server.asked.length - asked], [[], 'stopped', 0]);
    assert.deepEqual(server.tried, tried);
  }
});

test('[RC-23] a pull that ends after stop is followed by no stream', async () => {
  const server = new LiveServer();
  let release = (): void => {};
  server.mishaps.full.push(async (_, honest) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return honest();
  });
  const { clock, live } = await goLive({ server });
  live.stop();
  release();
  await settled();
  assert.deepEqual([server.tried.websocket, clock.waits], [0, []]);
});

test('[RC-23] stop ends the waits for a better transport and for another push', async () => {
  const server = new LiveServer();
  server.broken.websocket = 3;
  const { client, clock, live } = await goLive({ server });
  await clock.pass(10_000);
  server.mishaps.push.push(loseRequest);
  await client.put('tasks', 'a', { n: 1 });
  await settled();
  assert.equal(clock.waits.length, 4, 'another push, silence, steadiness, better transport');
  live.stop();
  assert.deepEqual(clock.waits, []);
});

test('[RC-24] after 75 s without a sign of life another stream is begun', async () => {
  for (const transport of ['websocket', 'events'] as const) {
    const { server, clock, live, states } = await goLive({ transports: [transport] });
    await clock.pass(74_000);
    server.stream.ping();
    await clock.pass(74_000);
    assert.deepEqual(states, ['live']);
    if (transport === 'events') {
      server.stream.wire.beat();
      await clock.pass(74_000);
      assert.deepEqual(states, ['live']);
    }
    await clock.pass(2_000);
    assert.deepEqual(states, ['live', 'waiting', 'connecting', 'live']);
    assert.equal(server.streams.length, 2);
    assert.equal(server.streams[0]?.closed, true);
    live.stop();
  }
});

test('[RC-24] a connection that gets no answer for 75 s is given up', async () => {
  for (const transport of ['websocket', 'events'] as const) {
    const server = new LiveServer();
    server.hangs = true;
    const { clock, live } = await goLive({ server, transports: [transport] });
    await clock.pass(74_000);
    server.hangs = false;
    assert.equal(live.state, 'connecting');
    await clock.pass(2_000);
    assert.equal(live.state, 'live');
    live.stop();
  }
});
