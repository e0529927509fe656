/** GET and POST /sync/status: answers over both stores, and conditional requests. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { AppOptions } from '../../src/http/route.ts';
import type { ScopeStatus } from '../../src/protocol/scope-status.ts';
import { change } from './bad-input/inputs.ts';
import { type Call, call, type Reply } from './support/call.ts';
import { fakeApp, HEAD, JSON_HEADERS, upToDate } from './support/fake-app.ts';
import { FAKE_NOW_MS } from './support/hand-clock.ts';
import { STORE_KINDS } from './support/stores.ts';
import { bearer, startWorld, type World } from './support/world.ts';

const PATH = '/sync/status';
const ZERO = '19700101T000000.000Z-0000';
const TOKEN = { authorization: 'Bearer s1' };

/** Requests of one actor in one scope. */
function callerOf(world: World, scopes: string) {
  const send = (request: Call): Promise<Reply> => {
    const headers = { authorization: bearer({ scopes }), 'content-type': 'application/json' };
    return call(world.port, { ...request, headers: { ...headers, ...request.headers } });
  };
  const push = async (...ids: string[]): Promise<string> => {
    const changes = ids.map((doc_id) => change({ doc_id, data: { canary: `of ${scopes}` } }));
    const body = JSON.stringify({ client_id: 'c1', changes });
    const { json } = await send({ method: 'POST', path: '/sync/push', body });
    return String(json?.['head']);
  };
  const status = async (query = '', headers = {}) => {
    const reply = await send({ path: `${PATH}${query}`, headers });
    return { reply, said: reply.json as unknown as ScopeStatus };
  };
  const post = (body: string) => send({ method: 'POST', path: PATH, body });
  return { send, push, status, post };
}

/** The answer without what time alone changes. */
function lasting(said: ScopeStatus): object {
  const { server_timestamp: _, ...rest } = said;
  return rest;
}

for (const kind of STORE_KINDS) {
  describe(`[SU-1] status over HTTP on ${kind.name}`, () => {
    let world: World;
    before(async () => {
      world = await startWorld(kind);
    });
    after(() => world.close());

    test(`[SU-1] ${kind.name}: an empty scope, a client that is behind, and one that is current`, async () => {
      const { push, status } = callerOf(world, 'one');
      const empty = await status();
      assert.deepEqual(lasting(empty.said), {
        needs_sync: null,
        head_version: ZERO,
        head_bundle_seq: 0,
        floor_version: null,
        pending_pull_count: null,
        capped: false,
        pending_bundles: null,
        full_resync_required: false,
        reason: null,
      });
      const first = await push('one-a');
      const head = await push('one-b', 'one-c');
      const { reply, said } = await status(`?since=${first}&client_id=laptop`);
      assert.deepEqual(lasting(said), {
        needs_sync: true,
        head_version: head,
        head_bundle_seq: 2,
        floor_version: first,
        pending_pull_count: 2,
        capped: false,
        pending_bundles: null,
        full_resync_required: false,
        reason: null,
      });
      assert.deepEqual([reply.headers['sync-head'], reply.headers['sync-head-seq']], [head, '2']);
      assert.match(said.server_timestamp, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      const current = await status(`?since=${head}`);
      assert.deepEqual([current.said.needs_sync, current.said.pending_pull_count], [false, 0]);
    });

    test(`[SU-1] ${kind.name}: a status leaves nothing in the store`, async () => {
      const stored = JSON.stringify(await world.opened.dump());
      const { status, post } = callerOf(world, 'nobody');
      await status(`?since=${ZERO}`);
      await post('{}');
      assert.equal(JSON.stringify(await world.opened.dump()), stored);
      assert.equal((await world.opened.store.readScope('nobody', null)).head, null);
    });

    test(`[SU-2] ${kind.name}: more than 1,000 rows are said to be more`, async () => {
      const { push, status } = callerOf(world, 'many');
      const ids = Array.from({ length: 1_001 }, (_, i) => `many-${i}`);
      for (let at = 0; at < ids.length; at += 500) await push(...ids.slice(at, at + 500));
      const { said } = await status(`?since=${ZERO}`);
      assert.deepEqual(
        [said.pending_pull_count, said.capped, said.pending_bundles],
        [1_000, true, 3],
      );
    });

    test(`[SU-3] ${kind.name}: pruned rows, a version of nobody, and another epoch`, async () => {
      const { push, status } = callerOf(world, 'pruned');
      const [one, two] = [await push('pruned-a'), await push('pruned-b')];
      const head = await push('pruned-c');
      await world.opened.store.prune('pruned', 2);
      const ahead = `${head.slice(0, 3)}9${head.slice(4)}`;
      const reasons = [];
      for (const since of [one, ZERO, two, ahead]) {
        reasons.push((await status(`?since=${since}`)).said.reason);
      }
      assert.deepEqual(reasons, ['history_pruned', 'history_pruned', null, 'cursor_ahead']);
      const { said } = await status(`?since=${head}`, { 'sync-epoch': 'epoch-0' });
      assert.deepEqual([said.reason, said.needs_sync], ['epoch_changed', true]);
      assert.equal((await status()).said.floor_version, head);
    });

    test(`[SU-5] ${kind.name}: another scope never shows, not even by the tag`, async () => {
      const [mine, other] = [callerOf(world, 'mine'), callerOf(world, 'theirs')];
      const quiet = await mine.status();
      const there = await other.push('theirs-a');
      const { reply, said } = await mine.status(`?since=${there}`);
      assert.deepEqual([said.reason, said.head_version], ['cursor_ahead', ZERO]);
      assert.ok(!`${reply.text}`.includes('theirs'));
      const again = await mine.status('', { 'if-none-match': quiet.reply.headers.etag ?? '' });
      assert.equal(again.reply.status, 304, 'what others write changes nothing here');
      const nobody = await callerOf(world, 'nothing').status();
      assert.deepEqual(lasting(nobody.said), lasting(quiet.said));
      assert.notEqual(nobody.reply.headers.etag, quiet.reply.headers.etag);
    });

    test(`[SU-6] ${kind.name}: two polls with nothing new are one 200 and one 304`, async () => {
      const { send, push, status } = callerOf(world, 'polled');
      const since = await push('polled-a');
      const query = `?since=${since}`;
      const first = await status(query);
      const etag = first.reply.headers.etag ?? '';
      assert.deepEqual([first.reply.status, etag.length > 10], [200, true]);
      const known = { 'if-none-match': etag };
      const second = await status(query, known);
      assert.deepEqual([second.reply.status, second.reply.text], [304, '']);
      assert.equal(second.reply.headers.etag, etag);
      const head = await send({ method: 'HEAD', path: `${PATH}${query}`, headers: known });
      assert.equal(head.status, 304);
      const fresh = await send({ method: 'HEAD', path: `${PATH}${query}` });
      assert.deepEqual([fresh.status, fresh.text, fresh.headers.etag], [200, '', etag]);
      await push('polled-b');
      const third = await status(query, known);
      assert.deepEqual([third.reply.status, third.said.pending_pull_count], [200, 1]);
      await world.opened.store.prune('polled', 1);
      const fourth = await status(query, { 'if-none-match': third.reply.headers.etag ?? '' });
      assert.equal(fourth.reply.status, 200, 'the floor moved');
    });

    test(`[SU-7] ${kind.name}: POST says what GET says`, async () => {
      const { push, status, post } = callerOf(world, 'posted');
      const since = await push('posted-a');
      await push('posted-b');
      const { said } = await status(`?since=${since}`);
      const posted = await post(JSON.stringify({ client_id: 'laptop', since }));
      assert.equal(posted.status, 200);
      assert.deepEqual(lasting(posted.json as unknown as ScopeStatus), lasting(said));
      assert.equal(posted.headers['sync-head'], said.head_version);
      assert.deepEqual(
        [posted.headers.etag, posted.headers['cache-control']],
        [undefined, 'no-store'],
      );
    });

    test(`[SU-7] ${kind.name}: junk is refused as a query and as a body`, async () => {
      const { status, post } = callerOf(world, 'junk');
      const answers = [
        (await status('?since=yesterday')).reply,
        (await status('?since=')).reply,
        (await status('?collections=tasks')).reply,
        (await status(`?since=${ZERO}&since=${ZERO}`)).reply,
        (await status('?client_id=')).reply,
        await post('{"since":"yesterday"}'),
        await post('{"since":7}'),
        await post('[]'),
        await post('{"clientId":"x"}'),
        await post(''),
        await post('{'),
      ];
      assert.deepEqual(
        answers.map(({ status: code, json }) => `${code} ${String(json?.['error'])}`),
        [
          '422 hlc_invalid',
          '422 hlc_invalid',
          '422 validation_failed',
          '422 validation_failed',
          '422 validation_failed',
          '422 hlc_invalid',
          '422 hlc_invalid',
          '422 validation_failed',
          '422 validation_failed',
          '400 invalid_request',
          '400 invalid_request',
        ],
      );
    });
  });
}

describe('[SU-6] conditional requests', () => {
  /** The tag of the status that the fake engine answers. */
  async function tagOf(said: Partial<ScopeStatus> = {}, headers = {}, query = ''): Promise<string> {
    const { app } = fakeApp({ status: async () => ({ ...(await upToDate()), ...said }) });
    const response = await app.request(`${PATH}${query}`, { headers: { ...TOKEN, ...headers } });
    assert.equal(response.status, 200);
    return response.headers.get('etag') ?? '';
  }

  test('[SU-6] lists, weak and strong spellings and * match; other tags do not', async () => {
    const etag = await tagOf();
    assert.match(etag, /^W\/"[0-9a-f]{32}"$/);
    const strong = etag.slice(2);
    for (const [known, status] of [
      [etag, 304],
      [strong, 304],
      [`"a", ${etag} , W/"b"`, 304],
      [`"a",${strong}`, 304],
      ['*', 304],
      ['"a"', 200],
      [strong.slice(1, -1), 200],
      [`w/${strong}`, 200],
      ['', 200],
    ] as const) {
      for (const method of ['GET', 'HEAD']) {
        const headers = { ...TOKEN, 'if-none-match': known };
        const response = await fakeApp().app.request(PATH, { method, headers });
        assert.equal(response.status, status, `${method} ${known}`);
        const isFull = status === 200 && method === 'GET';
        assert.equal((await response.text()) !== '', isFull, `${method} ${known}`);
        assert.deepEqual(
          [response.headers.get('etag'), response.headers.get('cache-control')],
          [etag, 'private, no-cache'],
        );
        assert.deepEqual(
          [response.headers.get('sync-head'), response.headers.get('sync-time')],
          [HEAD, new Date(FAKE_NOW_MS).toISOString()],
        );
      }
    }
  });

  test('[SU-6] the time does not change the tag, everything else does', async () => {
    const etag = await tagOf();
    assert.equal(await tagOf({ server_timestamp: '2030-01-01T00:00:00.000Z' }), etag);
    const others = await Promise.all([
      tagOf({ needs_sync: true }),
      tagOf({ head_version: ZERO }),
      tagOf({ head_bundle_seq: 2 }),
      tagOf({ floor_version: null }),
      tagOf({ pending_pull_count: 1 }),
      tagOf({ capped: true }),
      tagOf({ pending_bundles: 1 }),
      tagOf({ full_resync_required: true }),
      tagOf({ reason: 'cursor_ahead' }),
      tagOf({}, {}, `?since=${HEAD}`),
      tagOf({}, { authorization: 'Bearer s2' }),
    ]);
    assert.equal(new Set([etag, ...others]).size, others.length + 1);
    const engine = { epoch: 'epoch-2', status: upToDate } as unknown as AppOptions['engine'];
    const restored = await fakeApp({}, { engine }).app.request(PATH, { headers: TOKEN });
    assert.notEqual(restored.headers.get('etag'), etag, 'another history');
  });

  test('[SU-6] a browser may send the condition and read the tag', async () => {
    const origin = 'https://app.example.org';
    const { app } = fakeApp({}, { cors: [origin] });
    const answer = await app.request(PATH, { headers: { ...TOKEN, origin } });
    assert.match(answer.headers.get('access-control-expose-headers') ?? '', /\bETag\b/);
    const etag = answer.headers.get('etag') ?? '';
    const again = await app.request(PATH, { headers: { ...TOKEN, origin, 'if-none-match': etag } });
    assert.equal(again.status, 304);
    assert.equal(again.headers.get('access-control-allow-origin'), origin);
    assert.equal(again.headers.get('vary'), answer.headers.get('vary'));
    const preflight = await app.request(PATH, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET' },
    });
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /\bIf-None-Match\b/);
    assert.equal(preflight.headers.get('access-control-allow-methods'), 'GET, HEAD, POST');
  });

  test('[SU-6] who may not ask gets no 304', async () => {
    const { app, asked } = fakeApp();
    const anonymous = await app.request(PATH, { headers: { 'if-none-match': '*' } });
    assert.equal(anonymous.status, 401);
    const bad = await app.request(`${PATH}?since=x`, {
      headers: { ...TOKEN, 'if-none-match': '*' },
    });
    assert.equal(bad.status, 422);
    assert.deepEqual(asked, []);
  });

  test('[SU-7] POST is never conditional, and other methods are 405', async () => {
    const { app, asked } = fakeApp();
    const posted = await app.request(PATH, {
      method: 'POST',
      headers: { ...JSON_HEADERS, 'if-none-match': '*' },
      body: JSON.stringify({ since: HEAD }),
    });
    assert.equal(posted.status, 200);
    assert.deepEqual(asked.at(-1)?.query, { since: HEAD });
    const other = await app.request(PATH, { method: 'PUT', headers: TOKEN });
    assert.deepEqual([other.status, other.headers.get('allow')], [405, 'GET, HEAD, POST']);
  });
});
