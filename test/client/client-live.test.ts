/** Live mode of the reference client: what it does with the rows of a stream. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startLive } from '../../examples/live-client.mjs';
import { connect, view } from './support/clients.ts';
import { LiveServer } from './support/live-server.ts';
import { goLive } from './support/live-world.ts';
import { settled } from './support/manual-clock.ts';

for (const transport of ['websocket', 'events'] as const) {
  test(`[RC-19] ${transport}: rows come without a pull, from the client's own place`, async () => {
    const server = new LiveServer();
    server.write('tasks', 'old', { n: 0 });
    const { client, live, states, changes } = await goLive({ server, transports: [transport] });
    assert.deepEqual(states, ['live']);
    const pulls = server.requests('pull').length;
    const before = changes.count;
    server.write('tasks', 'a', { n: 1, text: '€😀: \n\n' });
    server.write('tasks', 'old', null);
    await settled();
    assert.deepEqual(view(client), { a: { n: 1, text: '€😀: \n\n' } });
    assert.equal(client.place.since, server.head);
    assert.equal(server.requests('pull').length, pulls);
    assert.ok(changes.count > before);
    live.stop();
  });

  test(`[RC-19] ${transport}: a stream is asked for what the client needs to go on`, async () => {
    const server = new LiveServer();
    server.write('tasks', 'old', { n: 0 });
    const { client, live } = await goLive({
      server,
      transports: [transport],
      client: { token: 'secret', clientId: 'laptop' },
    });
    assert.deepEqual(server.stream.opened, {
      since: client.place.since,
      collections: ['tasks', 'notes'],
      token: 'secret',
      epoch: 'epoch-1',
      client_id: 'laptop',
    });
    live.stop();
  });

  test(`[RC-20] ${transport}: a bundle is taken when it is whole; what broke off comes again`, async () => {
    const { server, client, clock, live } = await goLive({ transports: [transport] });
    const since = client.place.since;
    server.held = true;
    server.writeBundle([
      ['tasks', 'a', { n: 1 }],
      ['other', 'x', { n: 1 }],
      ['tasks', 'b', { n: 1 }],
      ['notes', 'c', { n: 1 }],
      ['other', 'y', { n: 1 }],
    ]);
    server.stream.deliver(2);
    server.stream.say({ type: 'ping', last_seq: server.stream.position });
    await settled();
    assert.deepEqual([view(client), client.place.since], [{}, since]);
    server.stream.end(1006);
    server.held = false;
    await clock.pass(500);
    assert.equal(server.stream.opened.since, since);
    assert.deepEqual(view(client), { a: { n: 1 }, b: { n: 1 } });
    assert.deepEqual(view(client, 'notes'), { c: { n: 1 } });
    assert.equal(client.place.since, server.head);
    live.stop();
  });
}

test('[RC-19] a row that a pull brought meanwhile, or that is told twice, is taken once', async () => {
  const { server, client, live, states } = await goLive();
  server.held = true;
  server.write('tasks', 'a', { n: 1 });
  server.write('tasks', 'a', { n: 2 });
  server.write('tasks', 'b', { n: 2 });
  await client.pull();
  const { stream } = server;
  const applied: unknown[] = [];
  const taken = client.applyLive.bind(client);
  client.applyLive = async (batch) => {
    const before = client.place.since;
    const fits = await taken(batch);
    applied.push([before === client.place.since, fits]);
    return fits;
  };
  const [first] = stream.waiting;
  if (first === undefined) throw new Error('nothing to send');
  stream.sendRow(first);
  stream.sendRow(first);
  await settled();
  assert.deepEqual(applied, [[true, true]]);
  assert.deepEqual(view(client), { a: { n: 2 }, b: { n: 2 } });
  stream.deliver();
  server.write('tasks', 'c', { n: 3 });
  stream.deliver();
  await settled();
  assert.deepEqual(view(client), { a: { n: 2 }, b: { n: 2 }, c: { n: 3 } });
  assert.deepEqual(states, ['live']);
  live.stop();
});

test('[RC-19] rows that do not follow what is here are not taken: another place, another history', async () => {
  const server = new LiveServer();
  server.write('tasks', 'a', { n: 1 });
  const client = connect(server);
  const nothing = { epoch: undefined, after: '', changes: [], last_seq: server.head };
  assert.equal(await client.applyLive(nothing), false, 'there is no base copy yet');
  await client.sync();
  const { since, epoch } = client.place;
  const gap = `${since}-x`;
  const row = { collection: 'tasks', doc_id: 'z', operation: 'upsert', data: { n: 9 } };
  const changes = [{ ...row, version: `${since}-y` }];
  const last_seq = `${since}-y`;
  assert.equal(await client.applyLive({ epoch, after: gap, changes, last_seq }), false);
  assert.equal(
    await client.applyLive({ epoch: 'epoch-2', after: since ?? '', changes, last_seq }),
    false,
  );
  assert.deepEqual([client.place.since, view(client)], [since, { a: { n: 1 } }]);
  assert.equal(await client.applyLive({ epoch, after: since ?? '', changes, last_seq }), true);
  assert.deepEqual([client.place.since, client.get('tasks', 'z')], [last_seq, { n: 9 }]);
});

for (const [name, spoil] of [
  ['a row without a version', (text: string) => text.replace('"version"', '"other"')],
  ['a frame that is no JSON', () => '{"type":"change"'],
  ['a row of a collection that is not synced', (text: string) => text.replace('tasks', 'others')],
] as const) {
  test(`[RC-19] after ${name} the client pulls and begins another stream`, async () => {
    const { server, client, clock, live, states } = await goLive();
    server.held = true;
    server.write('tasks', 'a', { n: 1 });
    const pulls = server.requests('pull').length;
    const { stream } = server;
    const [row] = stream.waiting;
    const text = spoil(JSON.stringify({ type: 'change', bundle_end: true, ...row }));
    stream.wire.raw(text);
    await settled();
    server.held = false;
    await clock.pass(250);
    assert.equal(server.requests('pull').length, pulls + 1);
    assert.deepEqual(view(client), { a: { n: 1 } });
    assert.equal(server.stream.opened.since, server.head);
    assert.deepEqual(states, ['live', 'waiting', 'connecting', 'live']);
    assert.ok(live.error);
    live.stop();
  });
}

test('[RC-19] after a resync to an earlier place the rows of the old stream are not taken', async () => {
  const { server, client, clock, live } = await goLive();
  server.write('tasks', 'a', { n: 1 });
  await settled();
  const backup = server.backup();
  server.write('tasks', 'b', { n: 1 });
  await settled();
  server.restore(backup);
  server.held = true;
  await client.pull();
  assert.deepEqual(view(client), { a: { n: 1 } });
  const { stream } = server;
  server.write('tasks', 'c', { n: 1 });
  server.write('tasks', 'd', { n: 1 });
  stream.position = server.rows.at(-2)?.version ?? '';
  stream.deliver();
  await settled();
  assert.equal(client.get('tasks', 'd'), undefined, 'c would be lost');
  server.held = false;
  await clock.pass(500);
  assert.deepEqual(view(client), server.documents('tasks'));
  live.stop();
});

test('[RC-21] caught_up and ping move the place past rows of other collections', async () => {
  const { server, client, clock, live } = await goLive();
  server.write('other', 'x', { n: 1 });
  server.stream.ping();
  await settled();
  assert.equal(client.place.since, server.head);
  server.stream.end(1006);
  server.write('other', 'x', { n: 2 });
  await clock.pass(500);
  assert.equal(server.streams.length, 2);
  assert.equal(client.place.since, server.head);
  live.stop();
});

test('[RC-19] bundles that come while the client is busy are taken together and saved once', async () => {
  const saves: string[] = [];
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { server, client, live } = await goLive({
    client: {
      async save({ since }) {
        saves.push(since ?? '');
        if (saves.length > 1) await slow;
      },
    },
  });
  const before = saves.length;
  for (let n = 0; n < 5; n += 1) server.write('tasks', `t${n}`, { n });
  await settled();
  release();
  await settled();
  assert.equal(Object.keys(view(client)).length, 5);
  assert.ok(saves.length <= before + 3, `${saves.length - before} saves`);
  live.stop();
});

test('[RC-19] it is live when the replay was taken', async () => {
  const server = new LiveServer();
  const client = connect(server);
  await client.sync();
  server.write('tasks', 'a', { n: 1 });
  const shown: unknown[] = [];
  const live = startLive(client, {
    WebSocket: server.WebSocket,
    onState: (state) => shown.push([state, view(client)]),
  });
  await settled();
  live.stop();
  assert.deepEqual(shown[0], ['live', { a: { n: 1 } }]);
});
