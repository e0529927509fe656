/** What is left when a connection ends, or was never one of this server. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { Outbox } from '../../src/http/stream/outbox.ts';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { inTime, reached } from './support/reached.ts';
import { openRaw } from './support/raw-socket.ts';
import { FIRST, frame } from './support/scripted-live.ts';
import { startStream, type StreamWorld } from './support/stream-world.ts';

const ASK = 'Host: x\r\nConnection: Upgrade\r\n';
const HANDSHAKE = `GET /sync/stream HTTP/1.1\r\n${ASK}Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer s1\r\n\r\n`;

/** A frame of a client, masked with zeros. */
function masked(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80 + opcode, 0x80 + payload.length, 0, 0, 0, 0]), payload]);
}

const CLOSE = masked(8, Buffer.from([0x03, 0xe8]));

/** A subscribed connection of bare bytes whose client never ends its side by itself. */
async function follow(t: TestContext, world: StreamWorld): Promise<[Socket, () => Buffer]> {
  const socket = connect({ port: world.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.write(HANDSHAKE);
  const text = () => Buffer.concat(parts);
  await reached(() => text().includes('\r\n\r\n'));
  socket.write(masked(1, Buffer.from(`{"type":"subscribe","since":"${FIRST}"}`)));
  await reached(() => text().includes('caught_up'));
  return [socket, text];
}

const ENDS = [
  ['a close frame of the client', CLOSE, [0x88, 0x02, 0x03, 0xe8], 1000],
  ['a fault of the client', Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), [0x88, 0x02, 0x03, 0xea], 1006],
] as const;
for (const [name, bytes, answer, code] of ENDS) {
  test(`[WS-13] after ${name} nothing is written`, async (t) => {
    const world = await startStream(t);
    const [socket, received] = await follow(t, world);
    const { sink } = world.live.last();
    const before = received().length;
    socket.write(bytes);
    await reached(() => received().length > before);
    assert.equal(sink.ready, false);
    sink.change(frame('late'));
    sink.caughtUp(ZERO_HLC);
    socket.end();
    await reached(() => world.streams.size === 0);
    assert.deepEqual([...received().subarray(before)], answer);
    assert.equal(world.closed[0]?.close_code, code);
    assert.ok(world.live.last().closed);
  });
}

test('[WS-13] a frame that waits for a short one goes out after it, although the socket tells of no drain', async () => {
  const written: number[] = [];
  const taken: (() => void)[] = [];
  const socket = new Duplex({
    writableHighWaterMark: 1_000,
    write(chunk: Buffer, _, done) {
      written.push(chunk.length);
      taken.push(done);
    },
  });
  let resumed = 0;
  const outbox = new Outbox({ ws: { readyState: 1 }, socket }, 1_000, () => {
    resumed += 1;
  });
  outbox.write(Buffer.alloc(10));
  outbox.write(Buffer.alloc(995));
  assert.equal(outbox.hasSpace, false);
  for (let turn = 0; turn < 6; turn += 1) {
    for (const done of taken.splice(0)) done();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(written, [10, 0, 995]);
  assert.ok(resumed > 0);
});

test('[WS-6] who pings without reading collects no answers', async (t) => {
  const world = await startStream(t, { buffer_bytes: 65_536 });
  const client = await world.connectAs();
  client.send({ type: 'subscribe', since: FIRST });
  await client.heard('caught_up');
  client.ws.pause();
  // More than the system takes for a reader that does not read.
  world.live.last().sink.change(frame('big', 24_000_000));
  for (let second = 0; second < 20; second += 1) {
    for (let count = 0; count < 15; count += 1) client.send({ type: 'ping' });
    world.pass(1_000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  client.ws.resume();
  await client.heard('change');
  client.send({ type: 'ping' });
  await client.heard('pong');
  const pongs = client.told.filter(({ type }) => type === 'pong').length;
  assert.ok(pongs < 20, `${pongs} answers waited`);
});

/** A plain server of an application whose only listener for upgrades is the stream's, or not the only one. */
async function application(t: TestContext, world: StreamWorld, isAlone: boolean): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end(`served ${request.url}`));
  });
  server.on('upgrade', world.streams.handleUpgrade);
  if (!isAlone) server.on('upgrade', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('[WS-17] an upgrade that nobody else takes is served as if it asked for none', async (t) => {
  const port = await application(t, await startStream(t), true);
  const asked = [
    `GET /other HTTP/1.1\r\n${ASK}Upgrade: websocket\r\n\r\n`,
    `POST /sync/push HTTP/1.1\r\n${ASK}Upgrade: h2c\r\nContent-Length: 2\r\n\r\n{}`,
  ];
  for (const [bytes, path] of [
    [asked[0], '/other'],
    [asked[1], '/sync/push'],
  ] as const) {
    const raw = openRaw(port);
    raw.socket.write(bytes as string);
    const seen = raw.seen(new RegExp(`served ${path}`));
    await inTime(seen, () => `nobody answered: ${raw.text()}`);
    raw.socket.destroy();
    await raw.closed;
  }
});

test('[WS-17] a reset of an upgrade that nobody takes does not end the process', async (t) => {
  const world = await startStream(t);
  const port = await application(t, world, false);
  const faults: unknown[] = [];
  const note = (fault: unknown): void => {
    faults.push(fault);
  };
  process.on('uncaughtException', note);
  t.after(() => process.off('uncaughtException', note));
  for (let count = 0; count < 5; count += 1) {
    const raw = openRaw(port);
    raw.socket.write(`GET /other HTTP/1.1\r\n${ASK}Upgrade: websocket\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(raw.text(), '', 'it is left to the other listener');
    raw.socket.resetAndDestroy();
    await raw.closed;
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(faults, []);
});
