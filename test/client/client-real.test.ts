/** The reference client against the real engine over HTTP, on both stores. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ClientOptions, ClientState, SyncClient } from '../../examples/minimal-client.mjs';
import { STORE_KINDS } from '../http/support/stores.ts';
import { view } from './support/clients.ts';
import { type RealServer, startRealServer } from './support/real-server.ts';

type Fetch = NonNullable<ClientOptions['fetch']>;

/** Carries the first push out and loses its answer. */
function losingFirstPush(): Fetch {
  let lost = false;
  return async (url, init) => {
    const response = await fetch(url, init);
    if (lost || !url.endsWith('/push')) return response;
    lost = true;
    await response.text();
    throw new TypeError('fetch failed');
  };
}

/** Answers of pushes as a client got them. */
function listening(answers: Record<string, unknown>[][]): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    if (!url.endsWith('/push')) return response;
    const body = (await response.json()) as { results: Record<string, unknown>[] };
    answers.push(body.results);
    return Response.json(body, { headers: response.headers });
  };
}

/** Creates, replaces, removes or leaves a document, so that clients meet in every way. */
async function editOffline(client: SyncClient, id: string, step: number): Promise<void> {
  if (step % 4 === 0) await client.put('tasks', id, { step, text: '€😀' });
  if (step % 4 === 1) await client.put('tasks', id, { step });
  if (step % 4 === 2 && client.get('tasks', id)) await client.remove('tasks', id);
}

/** Four rounds of offline edits by everybody, a pruned log in between, and time to settle. */
async function editInTurns(
  server: RealServer,
  clients: readonly SyncClient[],
  ids: readonly string[],
): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    for (const [who, client] of clients.entries()) {
      for (const [i, id] of ids.entries()) await editOffline(client, id, round + who + i);
      if ((round + who) % 2 === 0) await client.sync();
    }
    if (round === 2) await server.prune();
  }
  for (let turn = 0; turn < 2; turn += 1) for (const client of clients) await client.sync();
}

for (const kind of STORE_KINDS) {
  describe(`${kind.name}: reference client`, () => {
    let server: RealServer;
    before(async () => {
      server = await startRealServer(kind);
    });
    after(() => server.close());

    test(`[RC-17] ${kind.name}: clients that edit offline and sync in turns end equal to the store (invariant 13)`, async () => {
      const clients = [server.connect(), server.connect(), server.connect()];
      const ids = Array.from({ length: 6 }, (_, i) => `conv-${i}`);
      for (const client of clients) await client.sync();
      await editInTurns(server, clients, ids);
      const fresh = server.connect();
      await fresh.sync();
      const stored = await server.stored('tasks', ids);
      assert.ok(Object.keys(stored).length > 0);
      assert.ok(server.events.some((one) => one.event === 'push.committed' && one.resolved > 0));
      for (const client of [...clients, fresh]) {
        assert.equal(client.pending, 0);
        assert.deepEqual(view(client), stored);
      }
    });

    test(`[RC-17] ${kind.name}: edits on top of own edits meet no conflict, whichever answers are in`, async () => {
      const answers: Record<string, unknown>[][] = [];
      const client = server.connect({ fetch: listening(answers) });
      await client.sync();
      await client.put('notes', 'chain', { n: 1 });
      await client.put('notes', 'chain', { n: 2 });
      await client.push();
      await client.put('notes', 'chain', { n: 3 });
      await client.push();
      await client.remove('notes', 'chain');
      await client.put('notes', 'chain', { n: 4 });
      await client.sync();
      assert.deepEqual(
        answers.flat().map(({ status, resolution }) => [status, resolution]),
        Array.from({ length: 5 }, () => ['accepted', 'applied']),
      );
      assert.equal(client.pending, 0);
      assert.deepEqual(await server.stored('notes', ['chain']), { chain: { n: 4 } });
    });

    test(`[RC-17] ${kind.name}: a lost answer is a duplicate the second time and writes no row (invariant 9)`, async () => {
      const saved: { state?: ClientState } = {};
      const save = (state: ClientState): void => {
        saved.state = structuredClone(state);
      };
      const client = server.connect({ fetch: losingFirstPush(), save });
      await client.sync();
      await client.put('tasks', 'lost', { n: 1 });
      const rows = await server.rows();
      await assert.rejects(client.push(), /fetch failed/);
      assert.equal(await server.rows(), rows + 1);
      const answers: Record<string, unknown>[][] = [];
      const again = server.connect({ fetch: listening(answers) }, saved.state);
      await again.push();
      assert.equal(answers[0]?.[0]?.['duplicate'], true);
      assert.equal(await server.rows(), rows + 1);
      await again.sync();
      await client.sync();
      assert.deepEqual([again.pending, client.pending], [0, 0]);
      assert.deepEqual(client.get('tasks', 'lost'), { n: 1 });
    });

    test(`[RC-17] ${kind.name}: after a pruned log a client with answered and queued edits resyncs and loses none`, async () => {
      const answers: Record<string, unknown>[][] = [];
      const client = server.connect({ fetch: listening(answers) });
      const other = server.connect();
      await client.sync();
      await client.put('tasks', 'answered', { by: 'client' });
      await client.push();
      await other.sync();
      await other.put('tasks', 'theirs', { by: 'other' });
      await other.sync();
      await server.prune();
      await client.put('tasks', 'queued', { by: 'client' });
      await client.sync();
      assert.equal(client.pending, 0);
      assert.ok(answers.flat().some(({ duplicate }) => duplicate === true));
      const ids = ['answered', 'theirs', 'queued'];
      const stored = await server.stored('tasks', ids);
      assert.deepEqual(Object.keys(stored).sort(), [...ids].sort());
      for (const id of ids) assert.deepEqual(client.get('tasks', id), stored[id]);
    });

    test(`[RC-17] ${kind.name}: a queue of 1,000 edits goes in two pushes and comes back to others`, async () => {
      const answers: Record<string, unknown>[][] = [];
      const client = server.connect({ fetch: listening(answers) });
      const other = server.connect();
      await client.sync();
      await other.sync();
      for (let i = 0; i < 1_000; i += 1) await client.put('notes', `queue-${i}`, { i });
      await client.sync();
      assert.deepEqual(
        answers.map((results) => results.length),
        [500, 500],
      );
      assert.equal(client.pending, 0);
      await other.sync();
      assert.deepEqual(view(other, 'notes'), view(client, 'notes'));
    });

    test(`[RC-17] ${kind.name}: Extended JSON comes back as it was sent, and pushed again changes nothing`, async () => {
      const data = {
        at: { $date: '2026-05-02T12:00:00.000Z' },
        id: { $oid: '507f1f77bcf86cd799439011' },
        long: { $numberLong: '9007199254740993' },
        price: { $numberDecimal: '1.50' },
        nan: { $numberDouble: 'NaN' },
        zero: { $numberDouble: '-0' },
        bytes: { $binary: { base64: 'AQI=', subType: '00' } },
        uuid: { $uuid: '3f2504e0-4f89-41d3-9a0c-0305e82c3301' },
        plain: { n: [0, -1.5, 2 ** 31, 2 ** 53 - 1], text: '€😀\u2028', nothing: null },
      };
      const answers: Record<string, unknown>[][] = [];
      const client = server.connect({ fetch: listening(answers) });
      const other = server.connect();
      await client.sync();
      await client.put('tasks', 'types', data);
      await client.sync();
      await other.sync();
      assert.deepEqual(other.get('tasks', 'types'), data);
      await client.put('tasks', 'types', other.get('tasks', 'types') ?? null);
      await client.sync();
      assert.equal(answers.at(-1)?.[0]?.['resolution'], 'noop');
      assert.equal(client.pending, 0);
    });

    test(`[RC-17] ${kind.name}: refused edits are reported with the catalogue's code`, async () => {
      const codes: string[] = [];
      const onRejected: ClientOptions['onRejected'] = (_, { code }) => {
        codes.push(code);
      };
      const client = server.connect({ onRejected });
      await client.put('tasks', 'reserved', { _sync_version: 'x' });
      await client.put('tasks', 'keyed', { 'a.b': 1 });
      await client.put('tasks', 'fine', { n: 1 });
      await client.sync();
      assert.deepEqual(codes, ['reserved_field', 'invalid_key']);
      assert.equal(client.pending, 0);
      assert.equal(client.get('tasks', 'reserved'), undefined);
      assert.deepEqual(client.get('tasks', 'fine'), { n: 1 });
    });

    test(`[RC-17] ${kind.name}: a refused request throws the server's code, and no edit is lost`, async () => {
      const client = server.connect({ headers: { 'Sync-Protocol': '9' } });
      await client.put('tasks', 'kept', { n: 1 });
      await assert.rejects(client.sync(), { status: 426, code: 'upgrade_required' });
      assert.equal(client.pending, 1);
    });
  });
}
