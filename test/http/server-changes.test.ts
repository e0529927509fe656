/** Back ends write over HTTP, on each store, and the path is not there without its token. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { change } from './bad-input/inputs.ts';
import { call, type Reply } from './support/call.ts';
import { fakeApp, SERVER_TOKEN } from './support/fake-app.ts';
import { STORE_KINDS } from './support/stores.ts';
import { bearer, startWorld, type World } from './support/world.ts';

const PATH = '/sync/server/changes';
const ZERO = '19700101T000000.000Z-0000';

interface SeenResult {
  readonly status: string;
  readonly resolution: string | null;
  readonly new_version: string | null;
  readonly duplicate?: boolean;
  readonly code: string | null;
  readonly data?: unknown;
}

function write(world: World, body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const good = { authorization: `Bearer ${SERVER_TOKEN}`, 'content-type': 'application/json' };
  return call(world.port, {
    method: 'POST',
    path: PATH,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { ...good, ...headers },
  });
}

function resultsOf(reply: Reply): readonly SeenResult[] {
  assert.equal(reply.status, 200, reply.text);
  return reply.json?.['results'] as readonly SeenResult[];
}

async function push(world: World, scopes: string, ...changes: object[]): Promise<Reply> {
  return call(world.port, {
    method: 'POST',
    path: '/sync/push',
    body: JSON.stringify({ client_id: 'phone', changes }),
    headers: { authorization: bearer({ scopes }), 'content-type': 'application/json' },
  });
}

for (const kind of STORE_KINDS) {
  describe(`[SW-2] server writes over HTTP on ${kind.name}`, () => {
    let world: World;
    before(async () => {
      world = await startWorld(kind);
    });
    after(() => world.close());

    test(`[SW-2] ${kind.name}: what a back end writes is pulled by devices of the scope`, async () => {
      const sent = { ...change({ doc_id: 'w1' }), mutation_id: 'm1' };
      const reply = await write(world, { scope_id: 'w', actor_id: 'ann', changes: [sent] });
      const [result] = resultsOf(reply);
      assert.equal(result?.resolution, 'applied');
      assert.deepEqual(
        [reply.headers['sync-head'], reply.headers['sync-head-seq'], reply.json?.['bundle_seq']],
        [result?.new_version, '1', 1],
      );
      const pulled = await call(world.port, {
        path: `/sync/pull?since=${ZERO}`,
        headers: { authorization: bearer({ scopes: 'w' }) },
      });
      const [row] = (pulled.json?.['changes'] ?? []) as Record<string, unknown>[];
      assert.deepEqual(
        [row?.['doc_id'], row?.['actor_id'], row?.['client_id'], row?.['mutation_id']],
        ['w1', 'ann', 'server', 'm1'],
      );
      const [again] = resultsOf(
        await write(world, { scope_id: 'w', actor_id: 'ann', changes: [sent] }),
      );
      assert.deepEqual([again?.duplicate, again?.new_version], [true, result?.new_version]);
    });

    test(`[SW-4] ${kind.name}: without a parent it holds and the device’s side is kept`, async () => {
      await push(world, 'c', change({ doc_id: 'c1', data: { by: 'device' } }));
      const sent = change({ doc_id: 'c1', data: { by: 'server' } });
      const [result] = resultsOf(await write(world, { scope_id: 'c', changes: [sent] }));
      assert.equal(result?.resolution, 'incoming');
      assert.match(JSON.stringify(await world.opened.dump()), /by.{1,5}device/);
      const [stale] = resultsOf(
        await write(world, {
          scope_id: 'c',
          changes: [{ ...sent, data: { by: 'late' }, parent_version: '20260101T000000.000Z-0000' }],
        }),
      );
      assert.deepEqual([stale?.resolution, stale?.data], ['current', { by: 'server' }]);
    });

    test(`[SW-6] ${kind.name}: collections that no device may push, and rules of the scope`, async () => {
      const reply = await write(world, {
        scope_id: 's9',
        changes: [
          change({ collection: 'hidden', doc_id: 'h' }),
          change({ collection: 'shared', doc_id: 'h' }),
          change({ collection: 'owned', doc_id: 'h', data: { meta: { tenant: 's1' } } }),
          change({ collection: 'nowhere', doc_id: 'h' }),
        ],
      });
      assert.deepEqual(
        resultsOf(reply).map(({ code }) => code),
        [null, 'scope_forbidden', 'scope_forbidden', 'collection_forbidden'],
      );
    });

    test(`[SW-8] ${kind.name}: bad input is refused and leaves the store unchanged`, async () => {
      const good = { scope_id: 'b', changes: [change()] };
      const stored = await world.opened.dump();
      const cases: readonly (readonly [unknown, Record<string, string>, number, string])[] = [
        ['{', {}, 400, 'invalid_request'],
        ['[]', {}, 422, 'validation_failed'],
        [{ changes: [] }, {}, 422, 'validation_failed'],
        [good, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
        [good, { accept: 'text/html' }, 406, 'not_acceptable'],
        [good, { authorization: '' }, 401, 'authentication_failed'],
        [good, { authorization: bearer() }, 401, 'authentication_failed'],
        [good, { authorization: `Bearer ${SERVER_TOKEN}x` }, 401, 'authentication_failed'],
        [good, { authorization: SERVER_TOKEN }, 401, 'authentication_failed'],
        [good, { 'sync-protocol': '2' }, 426, 'upgrade_required'],
        [
          { scope_id: 'b', changes: Array.from({ length: 501 }, () => change()) },
          {},
          413,
          'too_many_changes',
        ],
        [`{"scope_id":"b","changes":["${'x'.repeat(8_388_608)}"]}`, {}, 413, 'body_too_large'],
      ];
      for (const [body, headers, status, code] of cases) {
        const reply = await write(world, body, headers);
        assert.deepEqual([reply.status, reply.json?.['error']], [status, code]);
        assert.ok(!reply.text.includes(SERVER_TOKEN));
      }
      assert.deepEqual(await world.opened.dump(), stored);
    });
  });
}

test('[SW-1] no token at all is told apart from a wrong one', async () => {
  const { app } = fakeApp();
  const reasons: unknown[] = [];
  for (const headers of [{}, { authorization: 'Bearer s1' }]) {
    const response = await app.request(PATH, { method: 'POST', headers });
    const body = (await response.json()) as { details: { reason: string } };
    reasons.push([response.status, body.details.reason]);
  }
  assert.deepEqual(reasons, [
    [401, 'token_missing'],
    [401, 'token_invalid'],
  ]);
});

for (const server_token of [null, undefined]) {
  test(`[SW-1] without a configured token (${server_token}) the path is like any unknown one`, async () => {
    const { app, finished } = fakeApp({}, { server_token } as object);
    const seen = async (path: string, method: string) => {
      const headers = { authorization: 'Bearer null', origin: 'https://app.example.org' };
      const response = await app.request(path, { method, headers });
      const { request_id: _, ...body } = (await response.json()) as Record<string, unknown>;
      return [response.status, body];
    };
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const answer = await seen(PATH, method);
      assert.equal(answer[0], 404);
      assert.deepEqual(answer, await seen('/sync/nowhere', method));
    }
    assert.ok(finished.every(({ route }) => route === 'unmatched'));
    const { links } = (await (await app.request('/')).json()) as { links: object };
    assert.ok(!Object.values(links).includes(PATH));
  });
}

test('[SW-7] a push while pushing is off is 503 with its reason and when to come back', async () => {
  const [kind] = STORE_KINDS;
  assert.ok(kind !== undefined);
  const world = await startWorld(kind, { push_enabled: false });
  try {
    const reply = await push(world, 's1', change());
    assert.deepEqual(
      [reply.status, reply.json?.['error'], reply.json?.['retryable'], reply.json?.['details']],
      [503, 'service_unavailable', true, { reason: 'push_disabled' }],
    );
    assert.equal(reply.headers['retry-after'], '60');
    const [written] = resultsOf(await write(world, { scope_id: 's1', changes: [change()] }));
    assert.equal(written?.status, 'accepted');
    for (const path of [`/sync/pull?since=${ZERO}`, '/sync/full?collections=tasks']) {
      const read = await call(world.port, { path, headers: { authorization: bearer() } });
      assert.equal(read.status, 200);
      assert.match(read.text, /"doc_id":"new"/);
    }
    const capabilities = await call(world.port, {
      path: '/sync/capabilities',
      headers: { authorization: bearer() },
    });
    assert.match(capabilities.text, /"push":false/);
  } finally {
    await world.close();
  }
});
