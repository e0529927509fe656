import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { freshAdmission } from './support/admission.ts';
import { HEAD } from './support/fake-app.ts';
import { FIRST, frame } from './support/scripted-live.ts';
import { inTime, reached } from './support/reached.ts';
import { openRaw, parseRaw, sendRaw } from './support/raw-socket.ts';
import type { StreamClient } from './support/stream-client.ts';
import { startStream, type StreamWorld } from './support/stream-world.ts';

const SUBSCRIBE = { type: 'subscribe', since: FIRST };
const HANDSHAKE =
  'GET /sync/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

async function follow(world: StreamWorld): Promise<StreamClient> {
  const client = await world.connectAs();
  client.send(SUBSCRIBE);
  await client.heard('caught_up');
  return client;
}

describe('[WS-15] the caps', () => {
  test('[WS-15] the eleventh connection of an actor is answered 429 before it is open', async (t) => {
    const world = await startStream(t);
    const clients = await Promise.all(Array.from({ length: 10 }, () => world.connectAs()));
    const over = parseRaw(
      await sendRaw(world.port, `${HANDSHAKE}${KEY}Authorization: Bearer s1\r\n\r\n`),
    );
    assert.equal(over.status, 429);
    assert.match(over.headers, /retry-after: 1/i);
    const other = await world.connectAs('bob.s1');
    clients[0]?.ws.close(1000);
    await clients[0]?.closed;
    await reached(() => world.admission.open === 10);
    await world.connectAs();
    other.ws.terminate();
  });

  test('[WS-15] over the cap by its first message a connection is closed with 4429', async (t) => {
    const world = await startStream(t, { limits: { max_connections_per_actor: 1 } });
    await world.connectAs();
    const client = await world.connect().opened();
    client.send({ ...SUBSCRIBE, token: 's1' });
    assert.equal((await client.closed).code, 4429);
    assert.equal(world.live.subscriptions.length, 0);
  });

  test('[WS-15] connections without a token are few; those that name one do not count', async (t) => {
    const world = await startStream(t, { limits: { max_unauthenticated: 2 } });
    const waiting = [await world.connect().opened(), await world.connect().opened()];
    assert.equal(parseRaw(await sendRaw(world.port, `${HANDSHAKE}${KEY}\r\n`)).status, 429);
    await world.connectAs();
    waiting[0]?.send({ type: 'auth', token: 's1' });
    waiting[0]?.send({ type: 'ping' });
    await waiting[0]?.heard('pong');
    await world.connect().opened();
  });

  test('[WS-15] a process has a cap, shared with event streams', async (t) => {
    const world = await startStream(t, { limits: { max_connections: 2 } });
    const place = world.admission.takePlace('events', 'bob');
    await world.connectAs();
    const over = `${HANDSHAKE}${KEY}Authorization: Bearer s1\r\n\r\n`;
    assert.equal(parseRaw(await sendRaw(world.port, over)).status, 429);
    place.release();
    place.release();
    await world.connectAs();
  });

  test('[WS-15] places are given back once, and each kind has its own count', () => {
    const admission = freshAdmission({ max_events_per_actor: 1 });
    const place = admission.takePlace('events', 'ann');
    assert.throws(() => admission.takePlace('events', 'ann'), { code: 'rate_limited' });
    const socket = admission.takeUnnamed(false);
    socket.name('ann');
    assert.equal(admission.open, 2);
    place.release();
    place.release();
    socket.release();
    assert.equal(admission.open, 0);
    admission.takePlace('events', 'ann').release();
  });
});

describe('[WS-16] what a client sends', () => {
  test('[WS-16] a message over 64 KiB', async (t) => {
    const world = await startStream(t);
    const client = await world.connectAs();
    client.send({ type: 'ack', more: 'x'.repeat(65_000) });
    client.send({ type: 'ping' });
    await client.heard('pong');
    client.send('x'.repeat(65_537));
    assert.equal((await client.closed).code, 1009);
  });

  test('[WS-16] 41 messages at once; 20 a second are fine', async (t) => {
    const world = await startStream(t);
    const [fast, steady] = [await world.connectAs(), await world.connectAs()];
    for (let count = 1; count <= 100; count += 1) {
      steady.send({ type: 'ping' });
      await steady.until(() => steady.told.length === count);
      world.pass(50);
    }
    for (let count = 0; count < 41; count += 1) fast.send({ type: 'ping' });
    assert.equal((await fast.closed).code, 4429);
    assert.equal(fast.told.filter(({ type }) => type === 'pong').length, 40);
  });

  for (const kind of ['ping', 'pong'] as const) {
    test(`[WS-16] a flood of ${kind} frames`, async (t) => {
      const world = await startStream(t);
      const client = await world.connectAs();
      for (let count = 0; count < 1_000; count += 1) client.ws[kind]();
      assert.equal((await client.closed).code, 4429);
    });
  }

  const broken: readonly (readonly [string, readonly number[], number])[] = [
    ['an unmasked frame', [0x81, 0x02, 0x7b, 0x7d], 1002],
    ['reserved bits', [0xf1, 0x80, 0, 0, 0, 0], 1002],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['bad UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
    ['close code 999', [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe7], 1002],
    ['close code 5000', [0x88, 0x82, 0, 0, 0, 0, 0x13, 0x88], 1002],
  ];
  for (const [name, bytes, code] of broken) {
    test(`[WS-16] ${name}`, async (t) => {
      const world = await startStream(t);
      assert.equal(await closeOf(world, Buffer.from(bytes)), code);
      assert.equal(world.admission.open, 0);
    });
  }

  test('[WS-16] 10,000 fragments are closed with 1008; 64 are a message', async (t) => {
    const world = await startStream(t);
    const start = Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x20]);
    const part = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x20]);
    const end = Buffer.from([0x80, 0x81, 0, 0, 0, 0, 0x20]);
    const parts = (count: number) => Array.from({ length: count }, () => part);
    assert.equal(await closeOf(world, Buffer.concat([start, ...parts(10_000)])), 1008);
    const raw = openRaw(world.port);
    raw.socket.write(`${HANDSHAKE}${KEY}Authorization: Bearer s1\r\n\r\n`);
    await raw.seen(/\r\n\r\n/);
    raw.socket.write(Buffer.concat([start, ...parts(62), end]));
    await raw.seen(/invalid_json/);
    raw.socket.destroy();
  });
});

/** Sends bytes on an open connection; the code of the close frame that comes back. */
async function closeOf(world: StreamWorld, bytes: Buffer): Promise<number> {
  const raw = openRaw(world.port);
  raw.socket.write(`${HANDSHAKE}${KEY}Authorization: Bearer s1\r\n\r\n`);
  await raw.seen(/\r\n\r\n/);
  raw.socket.write(bytes);
  await inTime(raw.closed, () => 'still open');
  await world.streams.idle();
  const answer = Buffer.from(raw.text().split('\r\n\r\n')[1] ?? '', 'latin1');
  assert.equal(answer[0], 0x88, 'a close frame must come');
  return answer.readUInt16BE(2);
}

describe('[WS-9] the times', () => {
  test('[WS-9] ten seconds without a subscription', async (t) => {
    const world = await startStream(t);
    const clients = [await world.connect().opened(), await world.connectAs()];
    const subscribed = await follow(world);
    world.pass(9_999);
    await subscribed.ws.ping();
    world.pass(1);
    for (const client of clients) {
      assert.equal((await client.closed).code, 4408);
      assert.equal(client.told.at(-1)?.['code'], 'request_timeout');
    }
    assert.equal(subscribed.ws.readyState, subscribed.ws.OPEN);
    subscribed.send({ type: 'unsubscribe' });
    subscribed.send({ type: 'ping' });
    await subscribed.heard('pong');
    world.pass(9_999);
    await new Promise((resolve) => setTimeout(resolve, 20));
    subscribed.send({ type: 'ping' });
    await subscribed.until(
      () => subscribed.told.filter(({ type }) => type === 'pong').length === 2,
    );
    world.pass(1);
    assert.equal((await subscribed.closed).code, 4408);
  });

  test('[WS-9] pings every 30 s, with the place; who answers stays', async (t) => {
    const world = await startStream(t);
    const client = await follow(world);
    for (let count = 1; count <= 5; count += 1) {
      world.pass(30_000);
      await client.until(() => client.pings.length === count);
      await client.until(() => client.told.filter(({ type }) => type === 'ping').length === count);
    }
    assert.deepEqual(client.told.at(-1), { type: 'ping', last_seq: HEAD });
  });

  test('[WS-9] two missed pongs cut the connection', async (t) => {
    const world = await startStream(t);
    const client = await world.connectAs('s1', { autoPong: false });
    client.send(SUBSCRIBE);
    await client.heard('caught_up');
    for (let count = 1; count <= 2; count += 1) {
      world.pass(30_000);
      await client.until(() => client.pings.length === count);
    }
    world.pass(14_999);
    assert.equal(client.ws.readyState, client.ws.OPEN);
    world.pass(1);
    assert.equal((await client.closed).code, 1006);
    await world.streams.idle();
    assert.equal(world.admission.open, 0);
  });
});

describe('[WS-13] a reader that is slower than what it is sent', () => {
  test('[WS-13] at most the bound waits for it, and it is given more when it reads', async (t) => {
    const buffer_bytes = 262_144;
    const world = await startStream(t, { buffer_bytes });
    const client = await follow(world);
    client.ws.pause();
    const { sink } = world.live.last();
    const one = frame('t1', 50_000);
    let sent = 0;
    while (sink.ready) {
      sink.change(one);
      sent += 1;
      assert.ok(
        sink.buffered_bytes <= buffer_bytes + one.json.length + 10,
        String(sink.buffered_bytes),
      );
      if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sent > 5);
    assert.equal(world.live.last().resumed, 0);
    client.ws.resume();
    await reached(() => world.live.last().resumed === 1);
    assert.ok(sink.ready);
    await client.until(() => client.told.filter(({ type }) => type === 'change').length === sent);
  });

  test('[WS-13] a piece that fills the bound is followed by more as soon as it has left', async (t) => {
    // Less than what a socket tells of by itself.
    const world = await startStream(t, { buffer_bytes: 4_096 });
    const client = await follow(world);
    const { sink } = world.live.last();
    let sent = 0;
    for (let piece = 1; piece <= 3; piece += 1) {
      sink.cork?.();
      for (; sink.ready; sent += 1) sink.change(frame(`t${sent}`, 5_000));
      assert.ok(sink.buffered_bytes > 5_000, 'nothing leaves before the end of the piece');
      sink.uncork?.();
      await reached(() => world.live.last().resumed === piece);
    }
    await client.until(() => client.told.filter(({ type }) => type === 'change').length === sent);
  });

  test('[WS-13] one frame over the bound waits alone, and its place is not told before it', async (t) => {
    const world = await startStream(t, { buffer_bytes: 65_536 });
    const client = await follow(world);
    const { sink } = world.live.last();
    client.ws.pause();
    let sent = 0;
    while (sink.buffered_bytes === 0) {
      sink.change(frame('small', 20_000));
      sent += 1;
    }
    const before = sink.buffered_bytes;
    sink.change(frame('big', 300_000));
    assert.ok(!sink.ready);
    assert.ok(sink.buffered_bytes > before + 300_000, 'what waits outside counts');
    world.pass(30_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.ws.resume();
    await reached(() => world.live.last().resumed === 1);
    await client.until(
      () => client.told.filter(({ type }) => type === 'change').length === sent + 1,
    );
    assert.equal(client.told.at(-1)?.['doc_id'], 'big');
    assert.equal(client.pings.length, 1);
    assert.ok(!client.told.some(({ type }) => type === 'ping'));
  });

  test('[WS-13] a paused reader that is cut is told why once it reads', async (t) => {
    const world = await startStream(t, { buffer_bytes: 65_536 });
    const client = await follow(world);
    client.ws.pause();
    const { sink } = world.live.last();
    while (sink.ready) sink.change(frame('t', 60_000));
    sink.ended({ kind: 'slow' });
    client.ws.resume();
    assert.deepEqual(await client.closed, { code: 1013, reason: 'slow_consumer' });
  });
});

test('[WS-1] 8,000 bad handshakes do not grow the heap', { timeout: 60_000 }, async (t) => {
  const world = await startStream(t);
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const bad = [
    `${HANDSHAKE}Sec-WebSocket-Key: bad\r\n\r\n`,
    `${HANDSHAKE}${KEY}Authorization: Bearer bad\r\n\r\n`,
    `${HANDSHAKE}${KEY}Origin: null\r\n\r\n`,
    `${HANDSHAKE.replace('/sync/stream', '//')}${KEY}\r\n`,
  ];
  const run = async (count: number): Promise<number> => {
    for (let sent = 0; sent < count; sent += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => {
          const raw = openRaw(world.port);
          raw.socket.write(bad[index % bad.length] as string);
          if (index % 7 === 0) raw.socket.destroy();
          return raw.closed;
        }),
      );
      world.finished.length = 0;
    }
    gc();
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    return process.memoryUsage().heapUsed;
  };
  const before = await run(1_000);
  const after = await run(8_000);
  assert.ok(after - before < 4_000_000, `${after - before} bytes stayed`);
  assert.equal(world.admission.open, 0);
});
