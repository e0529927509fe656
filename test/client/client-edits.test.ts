/** The client contract of edits: stamps, parents, what survives a restart. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { ClientState } from '../../examples/minimal-client.mjs';
import { isHlc } from '../../src/protocol/pure/hlc.ts';
import { connect, pushed, savingClient, view } from './support/clients.ts';
import { FakeServer } from './support/fake-server.ts';

test('[RC-10] stamps are HLCs that rise, above every version and stamp seen before', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2020, 0, 1) });
  const server = new FakeServer();
  server.now = Date.UTC(2020, 0, 1);
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  await client.put('tasks', 'b', { n: 1 });
  server.write('tasks', 'far', { n: 1, stamp: '20200101T000059.000Z-fffe-zzzz' });
  await client.sync();
  await client.put('tasks', 'c', { n: 1 });
  server.write('tasks', 'far', { n: 2 });
  await client.sync();
  await client.put('tasks', 'far', { n: 3 });
  await client.put('tasks', 'far', { n: 4 });
  await client.sync();
  const stamps = server
    .requests('push')
    .flatMap(({ body }) => body?.changes ?? [])
    .map((c) => c.change_version);
  for (const stamp of stamps) assert.equal(isHlc(stamp), true, stamp);
  assert.deepEqual(stamps, [...stamps].sort());
  assert.equal(new Set(stamps).size, stamps.length);
  assert.ok((stamps[2] as string) > '20200101T000059.000Z-fffe-zzzz');
  assert.equal(client.get('tasks', 'far')?.['n'], 4);
});

test('[RC-30] ids of clients and edits are random without crypto.randomUUID', async (t) => {
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true });
  t.after(() => Reflect.deleteProperty(crypto, 'randomUUID'));
  const server = new FakeServer();
  const clients = [connect(server), connect(server)];
  const ids: string[] = [];
  for (const client of clients) {
    ids.push(client.place.client_id);
    for (const n of [1, 2]) ids.push(await client.put('tasks', 'a', { n }));
    await client.sync();
  }
  assert.equal(new Set(ids).size, 6);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});

test('[RC-10] a stamp seen at the last counter of a millisecond is followed by the next millisecond', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2020, 0, 1) });
  const server = new FakeServer();
  server.now = Date.UTC(2020, 0, 1);
  const client = connect(server);
  await client.sync();
  server.write('tasks', 'x', { n: 1, stamp: '20200101T000059.999Z-fffe-zzzz' });
  await client.sync();
  for (const n of [2, 3, 4]) await client.put('tasks', 'x', { n });
  await client.push();
  assert.deepEqual(
    pushed(server, 0).map(({ change_version }) => change_version.slice(0, 25)),
    ['20200101T000059.999Z-ffff', '20200101T000100.000Z-0000', '20200101T000100.000Z-0001'],
  );
});

test('[RC-10] a version ahead of every clock is outranked too, whether pulled or read in full', async () => {
  for (const fresh of [true, false]) {
    const server = new FakeServer();
    const client = connect(server);
    if (!fresh) await client.sync();
    const start = server.now;
    server.now += 3_600_000;
    const version = server.write('tasks', 'x', { n: 1 });
    server.now = start;
    await client.sync();
    await client.put('tasks', 'x', { n: 2 });
    await client.push();
    const stamp = pushed(server, 0)[0]?.change_version ?? '';
    assert.ok(stamp > version, `${stamp} above ${version}`);
  }
});

test('[RC-10] a wrong clock is corrected by Sync-Time', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2030, 0, 1) });
  const server = new FakeServer();
  const client = connect(server);
  await client.sync();
  t.mock.timers.setTime(Date.UTC(2030, 0, 1) + 5_000);
  await client.put('tasks', 'a', { n: 1 });
  await client.push();
  assert.match(pushed(server, 0)[0]?.change_version ?? '', /^20260502T120005\.000Z-0000-/);
});

test('[RC-11] an edit names the version it was made on, and a further edit the edit before it', async () => {
  const server = new FakeServer();
  const version = server.write('tasks', 'a', { n: 0 });
  const client = connect(server);
  await client.sync();
  const first = await client.put('tasks', 'a', { n: 1 });
  const second = await client.put('tasks', 'a', { n: 2 });
  await client.put('tasks', 'new', { n: 1 });
  await client.push();
  const third = await client.remove('tasks', 'a');
  await client.push();
  const sent = [...pushed(server, 0), ...pushed(server, 1)];
  assert.deepEqual(
    sent.map(({ mutation_id, parent_version, parent_mutation_id, operation }) => [
      mutation_id,
      parent_version,
      parent_mutation_id,
      operation,
    ]),
    [
      [first, version, null, 'upsert'],
      [second, version, first, 'upsert'],
      [sent[2]?.mutation_id, null, null, 'upsert'],
      [third, version, second, 'delete'],
    ],
  );
  await client.sync();
  assert.equal(client.get('tasks', 'a'), undefined);
});

test('[RC-11] an edit above an own edit keeps the version that the chain began on, whatever was pulled', async () => {
  const server = new FakeServer();
  const version = server.write('tasks', 'a', { n: 0 });
  const client = connect(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  server.write('tasks', 'a', { n: 'unseen' });
  await client.pull();
  await client.put('tasks', 'a', { n: 2 });
  await client.push();
  assert.deepEqual(
    pushed(server, 0).map(({ parent_version }) => parent_version),
    [version, version],
  );
});

test('[RC-11] a document made again after a delete names the version of the delete', async () => {
  const server = new FakeServer();
  server.write('tasks', 'a', { n: 0 });
  const client = connect(server);
  await client.sync();
  const version = server.write('tasks', 'a', null);
  await client.sync();
  assert.equal(client.get('tasks', 'a'), undefined);
  await client.put('tasks', 'a', { n: 1 });
  await client.push();
  assert.equal(pushed(server, 0)[0]?.parent_version, version);
});

test('[RC-13] a client goes on from its saved state: same id, same queue, same since', async () => {
  const server = new FakeServer();
  const first = savingClient(server);
  server.write('tasks', 'x', { n: 0 });
  await first.client.sync();
  await first.client.put('tasks', 'a', { n: 1 });
  await first.client.push();
  const queued = await first.client.put('tasks', 'b', { n: 1 });
  const second = savingClient(server, first.kept.state);
  assert.deepEqual(view(second.client), view(first.client));
  assert.equal(second.client.pending, 2);
  await second.client.sync();
  assert.equal(server.requests('full').length, 1);
  assert.deepEqual(
    pushed(server, 1).map((c) => c.mutation_id),
    [queued],
  );
  assert.equal(
    server.requests('push')[0]?.body?.client_id,
    server.requests('push')[1]?.body?.client_id,
  );
  assert.equal(second.client.pending, 0);
  assert.deepEqual(second.kept.state?.outbox, []);
});

test('[RC-13] a state saved before the answer repeats the push and changes nothing twice', async () => {
  const server = new FakeServer();
  const { client, kept } = savingClient(server);
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  const before = kept.state;
  await client.sync();
  await client.put('tasks', 'a', { n: 2 });
  await client.sync();
  const again = connect(server, {}, before);
  await again.sync();
  assert.equal(server.rows.length, 2);
  assert.equal(again.pending, 0);
  assert.deepEqual(view(again), { a: { n: 2 } });
});

test('[RC-13] with other collections than before the base copy starts anew and edits are kept', async () => {
  const server = new FakeServer();
  server.write('tasks', 'x', { n: 1 });
  server.write('notes', 'y', { n: 1 });
  const kept: { state?: ClientState } = {};
  const save = (state: ClientState): void => {
    kept.state = state;
  };
  const tasks = connect(server, { collections: ['tasks'], save });
  await tasks.sync();
  await tasks.put('tasks', 'mine', { n: 1 });
  const both = connect(server, {}, kept.state);
  await both.sync();
  assert.equal(server.requests('full').length, 2);
  assert.deepEqual(view(both), { x: { n: 1 }, mine: { n: 1 } });
  assert.deepEqual(view(both, 'notes'), { y: { n: 1 } });
});

test('[RC-13] an edit is saved before put resolves, and a failing save is told', async () => {
  const server = new FakeServer();
  const { client, kept } = savingClient(server);
  const id = await client.put('tasks', 'a', { n: 1 });
  assert.equal(kept.state?.outbox[0]?.change.mutation_id, id);
  const failing = connect(server, { save: () => Promise.reject(new Error('disk full')) });
  await assert.rejects(failing.put('tasks', 'a', { n: 1 }), /disk full/);
});

test('[RC-16] an edit is a copy, and only of a collection that is synced', async () => {
  const server = new FakeServer();
  const client = connect(server);
  const data = { list: [1] };
  await client.put('tasks', 'a', data);
  data.list.push(2);
  assert.deepEqual(client.get('tasks', 'a'), { list: [1] });
  await assert.rejects(client.put('unknown', 'a', {}), RangeError);
  await client.remove('tasks', 'a');
  assert.equal(client.get('tasks', 'a'), undefined);
  assert.deepEqual(client.list('tasks'), []);
  assert.equal(client.pending, 2);
});
