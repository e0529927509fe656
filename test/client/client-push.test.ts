/** The client contract between an edit and its row, through lost answers, refusals and large queues. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { ClientChange, ClientOptions, ClientState } from '../../examples/minimal-client.mjs';
import { baseOf, connect, pushed, savingClient, view } from './support/clients.ts';
import { FakeServer, loseAnswer, loseRequest, type Mishap, refuse } from './support/fake-server.ts';

test('[RC-1] a push answer does not touch the base copy; the pulled row does', async () => {
  const server = new FakeServer();
  const { client, kept } = savingClient(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  await client.push();
  assert.deepEqual(baseOf(kept.state), []);
  assert.deepEqual(view(client), { a: { n: 1 } });
  await client.pull();
  assert.deepEqual(baseOf(kept.state), ['a']);
});

test('[RC-2] an answered edit stays laid over the base copy until its own row was pulled', async () => {
  const server = new FakeServer();
  const client = connect(server);
  server.write('tasks', 'a', { n: 0 });
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  await client.push();
  server.write('tasks', 'a', { n: 2 });
  assert.equal(client.pending, 1);
  assert.deepEqual(client.get('tasks', 'a'), { n: 1 });
  await client.pull();
  assert.equal(client.pending, 0);
  assert.deepEqual(client.get('tasks', 'a'), { n: 2 });
});

test('[RC-2] a row with the same mutation id of another client ends nothing', async () => {
  const server = new FakeServer();
  const [one, two] = [connect(server, { clientId: 'one' }), connect(server, { clientId: 'two' })];
  await one.sync();
  await two.sync();
  const id = await one.put('tasks', 'a', { n: 1 });
  await one.push();
  const saved: ClientState = {
    client_id: 'two',
    collections: ['tasks', 'notes'],
    since: '19700101T000000.000Z-0000',
    low: '19700101T000000.000Z-0000',
    stamp: '19700101T000000.000Z-0000',
    base: [],
    outbox: [
      { change: { ...pushed(server, 0)[0], mutation_id: id } as ClientChange, answered: null },
    ],
  };
  const other = connect(server, {}, saved);
  await other.pull();
  assert.equal(other.pending, 1);
});

test('[RC-3] a lost answer is asked for again with the same body, and the edit happens once', async () => {
  const server = new FakeServer();
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  server.mishaps.push.push(loseAnswer);
  await assert.rejects(client.sync(), /fetch failed/);
  assert.deepEqual(client.get('tasks', 'a'), { n: 1 });
  await client.sync();
  assert.deepEqual(pushed(server, 1), pushed(server, 0));
  assert.equal(server.rows.length, 1);
  assert.equal(client.pending, 0);
  assert.deepEqual(view(client), { a: { n: 1 } });
});

test('[RC-3] an edit whose row was pulled before its answer arrived is not sent again', async () => {
  const server = new FakeServer();
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  server.mishaps.push.push(loseAnswer);
  await assert.rejects(client.push());
  await client.pull();
  assert.equal(client.pending, 0);
  await client.push();
  assert.equal(server.requests('push').length, 1);
});

test('[RC-4] an edit that wrote no row leaves the overlay with its answer', async () => {
  const server = new FakeServer();
  const client = connect(server);
  server.write('tasks', 'same', { n: 1 });
  server.write('tasks', 'lost', { n: 1 });
  await client.sync();
  await client.put('tasks', 'same', { n: 1 });
  await client.put('tasks', 'lost', { n: 2 });
  server.write('tasks', 'lost', { n: 3, stamp: '99991231T235959.999Z-ffff-zzzz' });
  await client.push();
  assert.equal(client.pending, 0);
  assert.deepEqual(client.get('tasks', 'lost'), { n: 1 });
  await client.pull();
  assert.deepEqual(view(client), {
    same: { n: 1 },
    lost: { n: 3, stamp: '99991231T235959.999Z-ffff-zzzz' },
  });
});

test('[RC-5] a refused edit is reported, leaves the overlay, and blocks no other', async () => {
  const server = new FakeServer();
  const refusals: unknown[] = [];
  const onRejected: ClientOptions['onRejected'] = (change, { code }) => {
    refusals.push([change.doc_id, change.data, code, view(client)]);
  };
  const client = connect(server, { onRejected });
  server.write('tasks', 'bad', { n: 0 });
  await client.sync();
  server.refused.set('bad', 'unique_violation');
  await client.put('tasks', 'bad', { n: 1 });
  await client.put('tasks', 'good', { n: 1 });
  await client.sync();
  assert.deepEqual(
    refusals.map((refusal) => (refusal as unknown[]).slice(0, 3)),
    [['bad', { n: 1 }, 'unique_violation']],
  );
  assert.equal(client.pending, 0);
  assert.deepEqual(view(client), { bad: { n: 0 }, good: { n: 1 } });
});

test('[RC-5] when a later edit is refused, the earlier one shows again', async () => {
  const server = new FakeServer();
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  await client.push();
  server.refused.set('a', 'validation_failed');
  await client.put('tasks', 'a', { n: 2 });
  await client.push();
  assert.deepEqual(client.get('tasks', 'a'), { n: 1 });
  assert.equal(client.pending, 1);
});

test('[RC-12] a queue of 1,000 edits goes in two pushes, in the order of the edits', async () => {
  const server = new FakeServer();
  const client = connect(server);
  const ids: string[] = [];
  for (let i = 0; i < 1_000; i += 1) ids.push(await client.put('tasks', `t${i}`, { i }));
  await client.push();
  assert.deepEqual(
    server.requests('push').map(({ body }) => body?.changes.length),
    [500, 500],
  );
  assert.deepEqual(
    [...pushed(server, 0), ...pushed(server, 1)].map((c) => c.mutation_id),
    ids,
  );
  await client.sync();
  assert.equal(client.pending, 0);
  assert.deepEqual(view(client), server.documents('tasks'));
});

test('[RC-12] large documents make smaller pushes', async () => {
  const server = new FakeServer();
  const client = connect(server);
  for (let i = 0; i < 5; i += 1)
    await client.put('tasks', `t${i}`, { text: 'x'.repeat(1_500_000) });
  await client.push();
  assert.deepEqual(
    server.requests('push').map(({ body }) => body?.changes.length),
    [2, 2, 1],
  );
});

test('[RC-12] pushes and pulls of one client never overlap', async () => {
  const server = new FakeServer();
  let running = 0;
  let most = 0;
  const slow: ClientOptions['fetch'] = async (url, init) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    const response = await server.fetch(url, init);
    running -= 1;
    return response;
  };
  const client = connect(server, { fetch: slow });
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  await Promise.all([client.push(), client.sync(), client.pull(), client.push()]);
  assert.equal(most, 1);
  assert.equal(server.requests('push').length, 1);
});

test('[RC-12] a push that is too much is sent in halves; a change that alone is too much is given up', async () => {
  const server = new FakeServer();
  const codes: string[] = [];
  const most = 3;
  const limited: ClientOptions['fetch'] = (url, init) => {
    const { changes = [] } = init.body ? JSON.parse(String(init.body)) : {};
    const tooMuch = changes.length > most || changes.some((c: ClientChange) => c.doc_id === 'huge');
    const refused = { error: tooMuch ? 'body_too_large' : '', message: 'too large' };
    return tooMuch
      ? Promise.resolve(Response.json(refused, { status: 413 }))
      : server.fetch(url, init);
  };
  const onRejected: ClientOptions['onRejected'] = (_, { code }) => void codes.push(code);
  const client = connect(server, { fetch: limited, onRejected });
  for (const id of ['a', 'b', 'huge', 'c', 'd']) await client.put('tasks', id, { id });
  await client.sync();
  assert.deepEqual(codes, ['body_too_large']);
  assert.deepEqual(Object.keys(server.documents('tasks')).sort(), ['a', 'b', 'c', 'd']);
  assert.equal(client.pending, 0);
});

for (const path of ['push', 'pull'] as const) {
  test(`[RC-14] a failed ${path} throws the server's code and leaves the state as it was`, async () => {
    const server = new FakeServer();
    const { client, kept } = savingClient(server);
    server.write('tasks', 'x', { n: 0 });
    await client.sync();
    await client.put('tasks', 'a', { n: 1 });
    server.write('tasks', 'y', { n: 0 });
    const state = kept.state;
    for (const mishap of [
      refuse(503, 'database_unavailable'),
      refuse(401, 'authentication_failed'),
    ]) {
      server.mishaps[path].push(mishap);
      await assert.rejects(client[path](), /refused/);
    }
    server.mishaps[path].push(() => new Response('<html>', { status: 502 }));
    await assert.rejects(client[path](), { status: 502 });
    server.mishaps[path].push(() => new Response('{"results":[{}],"chan'));
    await assert.rejects(client[path](), SyntaxError);
    server.mishaps[path].push(loseRequest);
    await assert.rejects(client[path](), TypeError);
    assert.deepEqual(kept.state, state);
    await client.sync();
    assert.deepEqual(view(client), server.documents('tasks'));
  });
}

test('[RC-14] an answer that does not fit the push is refused as a whole', async () => {
  const server = new FakeServer();
  const client = connect(server);
  await client.put('tasks', 'a', { n: 1 });
  await client.put('tasks', 'b', { n: 1 });
  const swapped: Mishap = async (_, answer) => {
    const body = (await answer().json()) as { results: unknown[] };
    return Response.json({ ...body, results: body.results.reverse() });
  };
  server.mishaps.push.push(swapped);
  await assert.rejects(client.push(), /does not fit/);
  assert.equal(client.pending, 2);
  await client.sync();
  assert.equal(client.pending, 0);
});

test('[RC-18] a server that takes no pushes for now is read all the same, and the edits stay', async () => {
  const server = new FakeServer();
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  server.write('tasks', 'b', { n: 2 });
  server.mishaps.push.push(refuse(503, 'service_unavailable', { reason: 'push_disabled' }));
  await client.sync();
  assert.deepEqual(view(client), { a: { n: 1 }, b: { n: 2 } });
  assert.equal(client.pending, 1);
  server.mishaps.push.push(refuse(503, 'service_unavailable', { reason: 'draining' }));
  await assert.rejects(client.sync(), { reason: 'draining' });
  await client.sync();
  assert.equal(client.pending, 0);
  assert.deepEqual(server.documents('tasks'), { a: { n: 1 }, b: { n: 2 } });
});
