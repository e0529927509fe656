import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { StreamChange, StreamSubscribed } from '../../src/protocol/stream.ts';
import { HEAD } from './support/fake-app.ts';
import { FIRST, frame } from './support/scripted-live.ts';
import { startStream } from './support/stream-world.ts';

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
  await world.server.close(50);
  assert.deepEqual(
    world.closed.map(({ close_code }) => close_code),
    [1006],
  );
  client.ws.resume();
  await once(client.ws, 'close');
});
