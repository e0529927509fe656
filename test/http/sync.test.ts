import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Capabilities } from '../../src/protocol/status.ts';
import { change } from './bad-input/inputs.ts';
import { type Call, call, type Reply } from './support/call.ts';
import { STORE_KINDS } from './support/stores.ts';
import { bearer, startWorld, type World } from './support/world.ts';

const ZERO = '19700101T000000.000Z-0000';

interface PullBody {
  readonly changes: readonly { readonly doc_id: string; readonly version: string }[];
  readonly last_seq: string;
  readonly has_more: boolean;
  readonly head: string;
}

/** Requests of one actor in one scope. */
function callerOf(world: World, scopes: string) {
  const send = (request: Call): Promise<Reply> => {
    const headers = { authorization: bearer({ scopes }), 'content-type': 'application/json' };
    return call(world.port, { ...request, headers: { ...headers, ...request.headers } });
  };
  const push = (...changes: object[]) => {
    const body = JSON.stringify({ client_id: 'c1', changes });
    return send({ method: 'POST', path: '/sync/push', body });
  };
  const pull = async (since: string, query = '') => {
    const reply = await send({ path: `/sync/pull?since=${since}${query}` });
    return { reply, body: reply.json as unknown as PullBody };
  };
  const full = (query: string, headers = {}) => send({ path: `/sync/full?${query}`, headers });
  return { send, push, pull, full };
}

function lines(reply: Reply): Record<string, unknown>[] {
  return reply.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

for (const kind of STORE_KINDS) {
  describe(`[HT-16] push, pull and full over HTTP on ${kind.name}`, () => {
    let world: World;
    before(async () => {
      world = await startWorld(kind);
    });
    after(() => world.close());

    test(`[HT-16] ${kind.name}: a scope without a row has the zero HLC as its head`, async () => {
      const { pull, full } = callerOf(world, 'empty');
      const { reply, body } = await pull(ZERO);
      assert.deepEqual(body, { changes: [], last_seq: ZERO, has_more: false, head: ZERO });
      const walk = await full('collections=tasks');
      assert.equal(walk.text, '');
      for (const { headers } of [reply, walk]) {
        assert.deepEqual([headers['sync-head'], headers['sync-head-seq']], [ZERO, '0']);
      }
      assert.equal(walk.headers['x-sync-lastseq'], ZERO);
      assert.equal(walk.headers['x-sync-cursor'], undefined);
    });

    test(`[HT-16] ${kind.name}: a pushed change is pulled and walked, and the head moves`, async () => {
      const { push, pull, full } = callerOf(world, 'one');
      const pushed = await push(change({ doc_id: `${kind.name}-1`, mutation_id: 'm1' }));
      const [result] = (pushed.json?.['results'] ?? []) as { new_version: string }[];
      const head = pushed.json?.['head'];
      assert.equal(result?.new_version, head);
      assert.deepEqual([pushed.headers['sync-head'], pushed.headers['sync-head-seq']], [head, '1']);
      const { body } = await pull(ZERO);
      assert.equal(body.last_seq, head);
      const [row] = body.changes;
      assert.deepEqual(row, {
        version: head,
        parent_version: null,
        collection: 'tasks',
        doc_id: `${kind.name}-1`,
        operation: 'upsert',
        data: { a: 1 },
        actor_id: 'ann',
        client_id: 'c1',
        mutation_id: 'm1',
        change_version: head,
        bundle_seq: 1,
        bundle_end: true,
      });
      const walk = await full('collections=tasks');
      assert.deepEqual(lines(walk), [
        {
          collection: 'tasks',
          doc_id: `${kind.name}-1`,
          data: { a: 1 },
          deleted: false,
          version: head,
        },
      ]);
      assert.equal(walk.headers['x-sync-lastseq'], head);
    });

    test(`[HT-14] ${kind.name}: gzip and plain answers say the same`, async () => {
      const { push, send } = callerOf(world, 'gzip');
      const data = { text: 'é'.repeat(500) };
      await push(...['a', 'b', 'c'].map((id) => change({ doc_id: `gzip-${id}`, data })));
      const paths = [`/sync/pull?since=${ZERO}`, '/sync/full?collections=tasks'];
      for (const path of paths) {
        const plain = await send({ path, headers: { 'accept-encoding': 'identity' } });
        const packed = await send({ path, headers: { 'accept-encoding': 'gzip' } });
        assert.equal(plain.headers['content-encoding'], undefined);
        assert.equal(packed.headers['content-encoding'], 'gzip');
        assert.equal(packed.text, plain.text);
      }
    });

    test(`[HT-15] ${kind.name}: a walk by cursor delivers each document once, and a trailer on request`, async () => {
      const { push, full } = callerOf(world, 'walk');
      const ids = Array.from({ length: 7 }, (_, i) => `walk-${i}`);
      await push(...ids.map((doc_id) => change({ doc_id })));
      const seen: unknown[] = [];
      const lastSeqs = new Set<unknown>();
      let cursor: string | undefined = '';
      while (cursor !== undefined) {
        const next: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const page = await full(`collections=tasks,notes&limit=3&trailer=1${next}`);
        const all = lines(page);
        const trailer = all.pop();
        seen.push(...all.map(({ doc_id }) => doc_id));
        lastSeqs.add(page.headers['x-sync-lastseq']).add(trailer?.['last_seq']);
        cursor = page.headers['x-sync-cursor'] as string | undefined;
        const expected = { type: 'end', count: all.length, cursor: cursor ?? null };
        assert.deepEqual({ ...trailer, last_seq: undefined }, { ...expected, last_seq: undefined });
      }
      assert.deepEqual(seen, ids);
      assert.equal(lastSeqs.size, 1);
    });

    test(`[HT-15] ${kind.name}: the longest ids can be walked past`, async () => {
      const { push, full } = callerOf(world, 'long');
      const ids = ['水', '火'].map((letter) => letter.repeat(256));
      await push(...ids.map((doc_id) => change({ doc_id })));
      const first = await full('collections=tasks&limit=1');
      const cursor = encodeURIComponent(String(first.headers['x-sync-cursor']));
      const second = await full(`collections=tasks&limit=1&cursor=${cursor}`);
      assert.equal(second.status, 200, second.text);
      const seen = [first, second].flatMap(lines).map(({ doc_id }) => doc_id);
      assert.deepEqual(seen.sort(), ids.sort());
    });

    test(`[HT-7] ${kind.name}: a token of several scopes sees the one it asks for`, async () => {
      const { push, pull } = callerOf(world, 'mine');
      await push(change({ doc_id: `mine-${kind.name}` }));
      const both = bearer({ scopes: ['mine', 'other'] });
      const ask = (scope: string) =>
        call(world.port, {
          path: `/sync/pull?since=${ZERO}`,
          headers: { authorization: both, 'sync-scope': scope },
        });
      const mine = (await ask('mine')).json as unknown as PullBody;
      const other = (await ask('other')).json as unknown as PullBody;
      assert.deepEqual(mine, (await pull(ZERO)).body);
      assert.deepEqual(other.changes, []);
    });

    test(`[HT-16] ${kind.name}: capabilities list what the caller may use`, async () => {
      const { send } = callerOf(world, 'any');
      const { json } = await send({ path: '/sync/capabilities' });
      const { collections, epoch } = json as unknown as Capabilities;
      const names = collections.map(({ name }) => name);
      assert.deepEqual(names.sort(), [
        'final',
        'notes',
        'objects',
        'owned',
        'shared',
        'strict',
        'tasks',
      ]);
      assert.equal(epoch, 'epoch-1');
    });
  });
}
