/** The client contract of pull and full resync: restores, stale answers, pages that were cut. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SERVER_URL, connect, pushed, savingClient, view } from './support/clients.ts';
import {
  cutAfter,
  dropLine,
  FakeServer,
  loseRequest,
  type Mishap,
  refuse,
} from './support/fake-server.ts';

test('[RC-6] an answered edit that a restore took away is sent again with its id', async () => {
  const server = new FakeServer();
  const [client, other] = [connect(server), connect(server, { clientId: 'other' })];
  await client.sync();
  const backup = server.backup();
  const id = await client.put('tasks', 'a', { n: 1 });
  await client.push();
  server.restore(backup);
  server.write('tasks', 'b', { n: 1 });
  await client.pull();
  assert.equal(client.pending, 1);
  assert.deepEqual(view(client), { a: { n: 1 }, b: { n: 1 } });
  await client.sync();
  assert.equal(pushed(server, 1)[0]?.mutation_id, id);
  assert.equal(client.pending, 0);
  await other.sync();
  assert.deepEqual(view(other), view(client));
  assert.deepEqual(server.documents('tasks'), { a: { n: 1 }, b: { n: 1 } });
});

test('[RC-6] a client that is ahead of a restored server resyncs and heals it with what it still holds', async () => {
  const server = new FakeServer();
  const client = connect(server);
  server.write('tasks', 'x', { n: 0 });
  await client.sync();
  const backup = server.backup();
  server.write('tasks', 'x', { n: 1 });
  await client.pull();
  await client.put('tasks', 'mine', { n: 2 });
  await client.push();
  server.restore(backup);
  await client.sync();
  assert.equal(server.requests('full').length, 2);
  assert.equal(client.pending, 0);
  assert.deepEqual(view(client), { x: { n: 0 }, mine: { n: 2 } });
  assert.deepEqual(server.documents('tasks'), view(client));
});

test('[RC-7] after a full resync an answered edit is asked for again: known from before, it is done', async () => {
  const server = new FakeServer();
  const client = connect(server);
  server.write('tasks', 'x', { n: 0 });
  await client.sync();
  await client.put('tasks', 'a', { n: 1 });
  await client.push();
  server.write('tasks', 'a', { n: 9 });
  server.prune();
  await client.pull();
  assert.equal(client.pending, 1, 'nothing has told yet whether the edit is in what was read');
  await client.push();
  assert.equal(client.pending, 0);
  assert.equal(pushed(server, 1).length, 1);
  assert.equal(server.rows.length, 3);
  assert.deepEqual(view(client), { x: { n: 0 }, a: { n: 9 } });
});

test('[RC-7] a version above the low-water mark ends the edit only when its row is pulled', async () => {
  const server = new FakeServer();
  const { client, kept } = savingClient(server);
  await client.put('tasks', 'a', { n: 1 });
  server.mishaps.push.push(loseRequest);
  await assert.rejects(client.push());
  const late = JSON.stringify({
    client_id: kept.state?.client_id,
    changes: kept.state?.outbox.map(({ change }) => change),
  });
  server.mishaps.full.push(async (_, answer) => {
    const response = answer();
    await server.fetch(`${SERVER_URL}/sync/push`, { method: 'POST', body: late });
    return response;
  });
  server.mishaps.pull.push(loseRequest);
  await assert.rejects(client.pull());
  await client.push();
  assert.equal(client.pending, 1);
  assert.equal(kept.state?.outbox[0]?.answered, server.head);
  await client.pull();
  assert.equal(client.pending, 0);
  assert.equal(server.rows.length, 1);
});

for (const reason of ['epoch_changed', 'cursor_ahead', 'history_pruned', 'chain_broken']) {
  test(`[RC-8] a stale answer (${reason}) replaces the base copy of all collections`, async () => {
    const server = new FakeServer();
    const client = connect(server);
    server.write('tasks', 'gone', { n: 1 });
    server.write('notes', 'kept', { n: 1 });
    await client.sync();
    const backup = server.backup();
    server.write('tasks', 'gone', null);
    server.write('notes', 'kept', { n: 2 });
    if (reason === 'epoch_changed') server.epoch = 'epoch-2';
    if (reason === 'history_pruned') server.prune();
    if (reason === 'cursor_ahead' || reason === 'chain_broken') {
      await client.sync();
      server.restore(backup);
    }
    if (reason === 'chain_broken') server.write('notes', 'kept', { n: 3 });
    const before = server.requests('full').length;
    await client.sync();
    assert.equal(server.requests('full').length, before + 1);
    assert.deepEqual(view(client), server.documents('tasks'));
    assert.deepEqual(view(client, 'notes'), server.documents('notes'));
    assert.equal(server.requests('full').at(-1)?.query.get('collections'), 'tasks,notes');
  });
}

test('[RC-8] a full resync of several pages equals the server, with writes during the walk', async () => {
  const server = new FakeServer();
  server.fullLimit = 3;
  for (let i = 0; i < 8; i += 1) server.write('tasks', `t${i}`, { i });
  server.write('tasks', 't0', null);
  const writeMeanwhile: Mishap = (_, answer) => {
    const response = answer();
    server.write('tasks', 't7', { i: 'later' });
    server.write('tasks', 't1', null);
    server.write('tasks', 'new', { i: 'new' });
    return response;
  };
  server.mishaps.full.push(writeMeanwhile);
  const client = connect(server);
  await client.sync();
  assert.equal(server.requests('full').length, 3);
  assert.deepEqual(view(client), server.documents('tasks'));
  assert.equal(client.get('tasks', 't0'), undefined);
});

for (const [name, mishap] of [
  ['without its trailer', cutAfter(2)],
  ['in the middle of a line', () => new Response('{"collection":"tasks","doc_id":"t0","da')],
  ['before its first line', () => new Response('')],
  ['by the network', loseRequest],
  ['with a line missing', dropLine(1)],
] as [string, Mishap][]) {
  test(`[RC-8] a full page that was cut ${name} changes nothing (invariant 17)`, async () => {
    const server = new FakeServer();
    server.fullLimit = 3;
    for (let i = 0; i < 5; i += 1) server.write('tasks', `t${i}`, { i });
    const { client, kept } = savingClient(server);
    await client.sync();
    await client.put('notes', 'mine', { n: 1 });
    const shown = [view(client), view(client, 'notes')];
    const saved = kept.state;
    for (let i = 0; i < 5; i += 1) server.write('tasks', `t${i}`, { i: 'new' });
    server.prune();
    server.mishaps.full.push((_, answer) => answer(), mishap);
    await assert.rejects(client.pull());
    assert.deepEqual([view(client), view(client, 'notes')], shown);
    assert.deepEqual(kept.state, saved);
    await client.sync();
    assert.deepEqual(view(client), server.documents('tasks'));
    assert.deepEqual(view(client, 'notes'), { mine: { n: 1 } });
  });
}

test('[RC-8] a version that the walk has shown does not go back while older rows are pulled', async () => {
  const server = new FakeServer();
  server.fullLimit = 1;
  server.pageLimit = 1;
  server.write('tasks', 'a', { n: 0 });
  server.write('tasks', 'x', { n: 0 });
  server.mishaps.full.push((_, answer) => {
    const response = answer();
    for (const n of [1, 2]) server.write('tasks', 'x', { n });
    return response;
  });
  server.mishaps.pull.push((_, answer) => answer(), loseRequest);
  const client = connect(server);
  await assert.rejects(client.pull());
  assert.deepEqual(client.get('tasks', 'x'), { n: 2 });
  await client.pull();
  assert.deepEqual(view(client), server.documents('tasks'));
});

test('[RC-8] a refused cursor ends the walk; the next attempt begins it again', async () => {
  const server = new FakeServer();
  server.fullLimit = 2;
  for (let i = 0; i < 5; i += 1) server.write('tasks', `t${i}`, { i });
  server.mishaps.full.push((_, answer) => answer(), refuse(400, 'cursor_invalid'));
  const client = connect(server);
  await assert.rejects(client.sync(), { code: 'cursor_invalid', status: 400 });
  await client.sync();
  assert.equal(server.requests('full')[2]?.query.get('cursor'), null);
  assert.deepEqual(view(client), server.documents('tasks'));
});

test('[RC-9] a resync that the history outruns starts again three times, then gives up', async () => {
  const server = new FakeServer();
  server.write('tasks', 'a', { n: 0 });
  const outrun: Mishap = (_, answer) => {
    const response = answer();
    server.write('tasks', 'a', { n: 1 });
    server.write('tasks', 'b', { n: 1 });
    server.prune();
    return response;
  };
  server.mishaps.full.push(outrun, outrun, outrun, outrun);
  const client = connect(server);
  await assert.rejects(client.sync(), /outlast/);
  assert.equal(server.requests('full').length, 4);
  await client.sync();
  assert.equal(server.requests('full').length, 5);
  assert.deepEqual(view(client), server.documents('tasks'));
});

test('[RC-15] pull goes on until has_more is false, over pages without a row for it', async () => {
  const server = new FakeServer();
  const client = connect(server, { collections: ['tasks'] });
  await client.sync();
  server.pageLimit = 2;
  for (let i = 0; i < 6; i += 1) server.write('other', `o${i}`, { i });
  server.write('tasks', 'a', { n: 1 });
  await client.pull();
  assert.equal(server.requests('pull').length, 1 + 4);
  assert.deepEqual(view(client), { a: { n: 1 } });
});

test('[RC-15] a pull that does not advance is an error, not a loop', async () => {
  const server = new FakeServer();
  const client = connect(server);
  await client.sync();
  const stuck: Mishap = ({ query }) =>
    Response.json({ changes: [], last_seq: query.get('since'), has_more: true, head: server.head });
  server.mishaps.pull.push(stuck);
  await assert.rejects(client.pull(), /advance/);
});

test('[RC-15] requests carry protocol, token, scope header and the epoch of the base copy', async () => {
  const server = new FakeServer();
  const client = connect(server, { token: 'secret', headers: { 'Sync-Scope': 's1' } });
  await client.put('tasks', 'a', { n: 1 });
  await client.sync();
  for (const { headers } of server.asked) {
    assert.equal(headers.get('Sync-Protocol'), '1');
    assert.equal(headers.get('Authorization'), 'Bearer secret');
    assert.equal(headers.get('Sync-Scope'), 's1');
  }
  assert.equal(server.requests('pull')[0]?.headers.get('Sync-Epoch'), 'epoch-1');
  assert.equal(server.requests('push')[0]?.headers.get('Content-Type'), 'application/json');
});

test('[RC-15] a remove row takes the document away', async () => {
  const server = new FakeServer();
  server.write('tasks', 'a', { n: 1 });
  const client = connect(server);
  await client.sync();
  const removed: Mishap = async (_, answer) => {
    const page = (await answer().json()) as { changes: { operation: string }[] };
    return Response.json({
      ...page,
      changes: page.changes.map((c) => ({ ...c, operation: 'remove' })),
    });
  };
  server.write('tasks', 'a', null);
  server.mishaps.pull.push(removed);
  await client.pull();
  assert.equal(client.get('tasks', 'a'), undefined);
  assert.deepEqual(client.list('tasks'), []);
  await client.put('tasks', 'a', { n: 2 });
  await client.push();
  assert.equal(pushed(server, 0)[0]?.parent_version, null);
});
