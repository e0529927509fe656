import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { StreamChange, StreamSubscribed } from '../../src/protocol/stream.ts';
import { HEAD } from './support/fake-app.ts';
import { openRaw, parseRaw, sendRaw } from './support/raw-socket.ts';
import { FIRST, frame } from './support/scripted-live.ts';
import { inTime, reached } from './support/reached.ts';
import { startStream } from './support/stream-world.ts';

const HANDSHAKE =
  'GET /sync/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const SUBSCRIBE = { type: 'subscribe', since: FIRST };

test('[WS-4] a token in the first message: subscribed, rows, caught up, live', async (t) => {
  const world = await startStream(t);
  const client = world.connect();
  await client.opened();
  client.send({ ...SUBSCRIBE, collections: ['tasks', 'tasks'], token: 's1', client_id: 'phone' });
  await client.heard('caught_up');
  const { context, request, sink } = world.live.last();
  assert.deepEqual(client.told, [
    {
      type: 'subscribed',
      since: FIRST,
      head: HEAD,
      scope_id: 's1',
      collections: ['tasks'],
      epoch: 'epoch-1',
    },
    { type: 'caught_up', last_seq: HEAD },
  ]);
  assert.equal(context.identity.actor_id, 'ann');
  assert.deepEqual(request, {
    since: FIRST,
    collections: ['tasks'],
    mode: 'rows',
    transport: 'websocket',
    client_id: 'phone',
  });
  sink.change(frame('t1'));
  const change = await client.heard('change');
  StreamSubscribed.strict().parse(client.told[0]);
  StreamChange.strict().parse(change);
  assert.equal(JSON.stringify(change), frame('t1').json);
  client.ws.close(1000);
  assert.equal((await client.closed).code, 1000);
  assert.ok(world.live.last().closed);
});

test('[WS-4] a token in the header; since null means from now on; a second subscription replaces the first', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  client.send({ type: 'subscribe', since: null });
  await client.heard('caught_up');
  assert.equal(world.live.last().request.since, null);
  client.send({ ...SUBSCRIBE, collections: ['notes'] });
  await client.until(() => client.told.length === 4);
  const [first, second] = world.live.subscriptions;
  assert.ok(first?.closed);
  assert.ok(!second?.closed);
  assert.deepEqual(client.told[2]?.['collections'], ['notes']);
});

test('[WS-6] a ping is answered, ack and pong are taken, unsubscribe ends delivery', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  client.send(SUBSCRIBE);
  await client.heard('caught_up');
  for (const type of ['ack', 'pong', 'unsubscribe', 'ping']) client.send({ type });
  await client.heard('pong');
  assert.ok(world.live.last().closed);
  assert.equal(client.ws.readyState, client.ws.OPEN);
});

test('[WS-13] frames of every length arrive as they were made', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  client.send(SUBSCRIBE);
  await client.heard('caught_up');
  const sizes = [0, 80, 125, 126, 65_000, 65_535, 65_536, 300_000];
  const bare = frame('t').json.length - 10;
  const { sink } = world.live.last();
  for (const size of sizes) sink.change(frame('t', Math.max(0, size - bare)));
  await client.until(() => client.told.length === 2 + sizes.length);
  for (const [index, size] of sizes.entries()) {
    const text = JSON.stringify(client.told[2 + index]);
    assert.equal(text, frame('t', Math.max(0, size - bare)).json);
  }
});

test('[WS-12] a stopping server refuses handshakes and closes with 1012', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  const closing = world.server.close(5_000);
  assert.deepEqual(await client.closed, { code: 1012, reason: 'restart' });
  await closing;
  assert.deepEqual(world.open.at(-1), 0);
  assert.equal(world.admission.open, 0);
});

test('[WS-12] what does not answer the close is cut after the grace', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  client.ws.pause();
  await inTime(world.server.close(50), () => 'not cut');
  assert.deepEqual(
    world.closed.map(({ close_code }) => close_code),
    [1006],
  );
  client.ws.resume();
  await once(client.ws, 'close');
});

/** A server whose access answers when it is told to; `asked` says for how many. */
async function startSlow(t: TestContext) {
  const waiting: (() => void)[] = [];
  const world = await startStream(t, {
    access: {
      authenticate: () =>
        new Promise((resolve) => {
          waiting.push(() => resolve({ actor_id: 'ann', scope_ids: ['s1'] }));
        }),
    },
  });
  return { world, waiting };
}

test('[WS-12] who is being asked for when the server stops is answered 503, and later ones at once', async (t) => {
  const { world, waiting } = await startSlow(t);
  const early = sendRaw(world.port, HANDSHAKE);
  await reached(() => waiting.length === 1);
  world.streams.stop();
  const late = sendRaw(world.port, HANDSHAKE);
  assert.equal(parseRaw(await inTime(late, () => 'asked although it stops')).status, 503);
  waiting[0]?.();
  assert.equal(parseRaw(await early).status, 503);
  assert.equal(waiting.length, 1);
  assert.equal(world.admission.open, 0);
});

test('[WS-12] who is being asked for is cut after the grace', async (t) => {
  const { world, waiting } = await startSlow(t);
  const raw = openRaw(world.port);
  raw.socket.write(HANDSHAKE);
  await reached(() => waiting.length === 1);
  await inTime(world.server.close(50), () => 'not cut');
  await raw.closed;
  await reached(() => world.admission.open === 0);
});
