/** GET /sync/events over sockets: when bytes go out, who leaves when, and a server that closes. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { EVENT_BUFFER_BYTES } from '../../src/http/http-limits.ts';
import { type ServerSettings, startServer } from '../../src/http/server.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { fakeApp } from './support/fake-app.ts';
import { FakeLive, frameOf, versionOf } from './support/fake-live.ts';
import { openRaw } from './support/raw-socket.ts';

const GRACE_MS = 20_000;
const REQUEST =
  'GET /sync/events?data=1 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer s1\r\n\r\n';

async function listen(t: TestContext, timeouts: ServerSettings['timeouts'] = {}) {
  const live = new FakeLive();
  const { app } = fakeApp({}, { live, clock: nodeSystem.clock, cors: ['https://app.example.org'] });
  const settings = { host: '127.0.0.1', port: 0, drain_ms: GRACE_MS, timeouts };
  const server = await startServer(app, settings);
  t.after(() => server.close(0));
  return { live, server };
}

/** Resolves when it holds; looked at in every turn of the loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

async function openPaused(port: number, live: FakeLive): Promise<Socket> {
  const before = live.all.length;
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(REQUEST);
  await until(() => live.all.length > before);
  return socket;
}

test('[SE-1] the first bytes go out at once, plain, and every event when it is written', async (t) => {
  const { live, server } = await listen(t);
  const raw = openRaw(server.port);
  raw.socket.write(REQUEST.replace('Host: x', 'Host: x\r\nOrigin: https://app.example.org'));
  await raw.seen(/retry: \d+\n\n/);
  assert.match(raw.text(), /^HTTP\/1\.1 200 OK/);
  assert.match(raw.text(), /Content-Type: text\/event-stream\r\n/i);
  assert.match(raw.text(), /Access-Control-Allow-Origin: https:\/\/app\.example\.org/i);
  assert.doesNotMatch(raw.text(), /Content-Encoding|Content-Length/i);
  live.last.sink.subscribed(versionOf(0), versionOf(0));
  await raw.seen(/event: connected\n/);
  for (let n = 1; n <= 3; n += 1) {
    live.last.sink.change(frameOf(n));
    await raw.seen(new RegExp(`id: ${versionOf(n)}\n`));
  }
  raw.socket.destroy();
});

test('[SE-9] a client that vanishes frees its subscription and its place at once', async (t) => {
  const { live, server } = await listen(t);
  for (let round = 0; round < 6; round += 1) {
    const raw = openRaw(server.port);
    raw.socket.write(REQUEST);
    await raw.seen(/retry/);
    raw.socket.resetAndDestroy();
    await until(() => live.open === 0);
  }
  assert.equal(live.all.length, 6, 'more than there are places at a time');
});

test('[SE-9] so does one that vanishes without having read, with a full buffer', async (t) => {
  const { live, server } = await listen(t);
  const socket = await openPaused(server.port, live);
  await fill(live);
  assert.equal(live.open, 1);
  socket.resetAndDestroy();
  await until(() => live.open === 0);
  assert.equal(live.last.sink.buffered_bytes, 0);
});

test('[SE-7] what waits for a reader that does not read is bounded, and it is cut in the end', async (t) => {
  const { live, server } = await listen(t, { idle: 300 });
  const socket = await openPaused(server.port, live);
  const most = await fill(live);
  assert.ok(most < EVENT_BUFFER_BYTES + 11_000, `${most} bytes waited`);
  await until(() => live.open === 0);
  socket.destroy();
});

/** Writes until the stream takes no more, also after a while; gives the most that waited. */
async function fill(live: FakeLive): Promise<number> {
  const { sink } = live.last;
  const data = { text: 'x'.repeat(10_000) };
  let most = 0;
  for (let n = 1, idle = 0; idle < 50; n += 1) {
    if (sink.ready) {
      sink.change(frameOf(n, data));
      idle = 0;
    } else {
      idle += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    most = Math.max(most, sink.buffered_bytes);
  }
  return most;
}

test('[SE-5] a server that closes waits for no stream that was told to leave', async (t) => {
  const { live, server } = await listen(t);
  const streams = [1, 2, 3].map(() => {
    const raw = openRaw(server.port);
    raw.socket.write(REQUEST);
    return raw;
  });
  await Promise.all(streams.map((raw) => raw.seen(/retry/)));
  const started = performance.now();
  for (const { sink } of live.all) sink.ended({ kind: 'draining' });
  await server.close(GRACE_MS);
  assert.ok(performance.now() - started < GRACE_MS / 4);
  for (const raw of streams) {
    await raw.closed;
    assert.match(raw.text(), /retry: \d+\n\n\r\n0\r\n\r\n$/, 'the body is whole');
  }
});
