import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StreamError, StreamResync } from '../../src/protocol/stream.ts';
import { SyncError } from '../../src/protocol/errors.ts';
import { HEAD } from './support/fake-app.ts';
import { FAKE_NOW_MS } from './support/hand-clock.ts';
import { FIRST, frame } from './support/scripted-live.ts';
import type { StreamClient, Told } from './support/stream-client.ts';
import { startStream, TOKENS } from './support/stream-world.ts';

const SUBSCRIBE = { type: 'subscribe', since: FIRST };
const AHEAD = '20990101T000000.000Z-0000-a1b2';

/** What the client is told last, and how its connection ends. */
async function ended(client: StreamClient): Promise<{ code: unknown; close: number; last: Told }> {
  const { code: close } = await client.closed;
  const last = client.told.at(-1) as Told;
  if (last.type === 'error') StreamError.strict().parse(last);
  return { code: last['code'], close, last };
}

function factsOf(told: Told): string | undefined {
  const details = told['details'] as { reason?: string; issues?: { code: string }[] } | undefined;
  return details?.reason ?? details?.issues?.[0]?.code;
}

const BAD: readonly (readonly [string, unknown, number, string, string?])[] = [
  ['no JSON', 'hello', 4400, 'invalid_request', 'invalid_json'],
  ['nothing', '', 4400, 'invalid_request', 'invalid_json'],
  ['null', 'null', 4400, 'invalid_request', 'invalid_message'],
  ['an array', '[]', 4400, 'invalid_request', 'invalid_message'],
  ['a repeated key', '{"type":"ping","type":"ping"}', 4400, 'invalid_request', 'duplicate_key'],
  ['too deep', `{"a":${'['.repeat(70)}`, 4400, 'invalid_request', 'nesting_too_deep'],
  ['no type', '{}', 4400, 'invalid_request', 'unknown_type'],
  ['an unknown type', { type: 'publish' }, 4400, 'invalid_request', 'unknown_type'],
  ['no since', { type: 'subscribe' }, 4400, 'hlc_invalid', 'invalid_since'],
  ['since as a number', { type: 'subscribe', since: 5 }, 4400, 'hlc_invalid', 'invalid_since'],
  ['junk in since', { type: 'subscribe', since: 'now' }, 4400, 'hlc_invalid', 'invalid_since'],
  [
    'no list',
    { ...SUBSCRIBE, collections: 'tasks' },
    4400,
    'validation_failed',
    'invalid_collections',
  ],
  [
    'an empty list',
    { ...SUBSCRIBE, collections: [] },
    4400,
    'validation_failed',
    'invalid_collections',
  ],
  [
    '51 names',
    { ...SUBSCRIBE, collections: Array(51).fill('a') },
    4400,
    'validation_failed',
    'invalid_collections',
  ],
  ['a near miss', { ...SUBSCRIBE, scopeId: 's1' }, 4400, 'validation_failed', 'near_miss'],
  [
    'a long client_id',
    { ...SUBSCRIBE, client_id: 'x'.repeat(129) },
    4400,
    'validation_failed',
    'invalid_client_id',
  ],
  [
    'a scope_id that is none',
    { ...SUBSCRIBE, scope_id: 7 },
    4400,
    'validation_failed',
    'invalid_scope_id',
  ],
  ['an epoch that is none', { ...SUBSCRIBE, epoch: 7 }, 4400, 'validation_failed', 'invalid_epoch'],
  ['a token that is none', { ...SUBSCRIBE, token: 7 }, 4400, 'validation_failed', 'invalid_token'],
  ['auth without a token', { type: 'auth' }, 4400, 'validation_failed', 'invalid_token'],
  ['a bad token', { ...SUBSCRIBE, token: 'bad' }, 4401, 'authentication_failed', 'token_invalid'],
  ['a bug', { ...SUBSCRIBE, token: 'broken' }, 1011, 'internal'],
  [
    'a forbidden collection',
    { ...SUBSCRIBE, collections: ['hidden'] },
    4403,
    'collection_forbidden',
  ],
  ['a foreign scope', { ...SUBSCRIBE, scope_id: 's2' }, 4403, 'scope_forbidden'],
];

describe('[WS-5] a bad message is named, and its close code is that of its kind', () => {
  for (const [name, message, close, code, facts] of BAD) {
    test(`[WS-5] ${name}`, async (t) => {
      const world = await startStream(t);
      const client = await world.connectAs();
      client.send(message);
      const end = await ended(client);
      assert.deepEqual({ ...end, last: factsOf(end.last) }, { code, close, last: facts });
      await world.streams.idle();
      assert.equal(world.admission.open, 0);
    });
  }

  test('[WS-5] a binary message', async (t) => {
    const world = await startStream(t);
    const client = await world.connectAs();
    client.ws.send(Buffer.from('{"type":"ping"}'), { binary: true });
    assert.equal((await ended(client)).close, 4400);
  });

  for (const type of ['ping', 'ack', 'unsubscribe']) {
    test(`[WS-5] ${type} before anybody is known`, async (t) => {
      const client = await (await startStream(t)).connect().opened();
      client.send({ type });
      const end = await ended(client);
      assert.deepEqual([end.close, factsOf(end.last)], [4400, 'not_authenticated']);
    });
  }

  test('[WS-5] a subscription without any token', async (t) => {
    const client = await (await startStream(t)).connect().opened();
    client.send(SUBSCRIBE);
    const end = await ended(client);
    assert.deepEqual([end.close, factsOf(end.last)], [4401, 'token_missing']);
  });
});

test('[WS-7] several scopes need a choice: by the message, or by the header', async (t) => {
  const world = await startStream(t);
  const none = await world.connectAs('s1,s2');
  none.send(SUBSCRIBE);
  const end = await ended(none);
  assert.deepEqual([end.close, end.code], [4403, 'scope_ambiguous']);
  const named = await world.connectAs('s1,s2');
  named.send({ ...SUBSCRIBE, scope_id: 's2', epoch: 'epoch-0' });
  assert.equal((await named.heard('subscribed'))['scope_id'], 's2');
  assert.equal(world.live.last().context.epoch, 'epoch-0');
  const encoded = await world.connectAs('s1,sü');
  encoded.send({ ...SUBSCRIBE, scope_id: 's%C3%BC' });
  assert.equal((await encoded.heard('subscribed'))['scope_id'], 'sü');
  const other = await world.connectAs('s1,s2');
  other.send({ ...SUBSCRIBE, scope_id: 's3' });
  assert.equal((await ended(other)).code, 'scope_forbidden');
  const headers = { 'sync-scope': 's%C3%BC', 'sync-epoch': 'epoch-9' };
  const chosen = world.connect({ headers: { ...headers, authorization: 'Bearer ann.s1,s2' } });
  await chosen.opened();
  chosen.send(SUBSCRIBE);
  assert.equal((await ended(chosen)).code, 'scope_forbidden');
  const far = await world.connect({ headers }).opened();
  far.send({ ...SUBSCRIBE, token: 'ann.s2,sü' });
  assert.equal((await far.heard('subscribed'))['scope_id'], 'sü');
  const fits = world.connect({
    headers: { ...headers, 'sync-scope': 's1', authorization: 'Bearer s1,s2' },
  });
  await fits.opened();
  fits.send(SUBSCRIBE);
  assert.equal((await fits.heard('subscribed'))['scope_id'], 's1');
  assert.equal(world.live.last().context.epoch, 'epoch-9');
});

test('[WS-4] a history that does not reach back is said before the close', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  client.send({ ...SUBSCRIBE, since: AHEAD });
  const { close, last } = await ended(client);
  StreamResync.strict().parse(last);
  assert.equal(close, 4410);
  assert.deepEqual(last, {
    type: 'full_resync_required',
    reason: 'cursor_ahead',
    collections: ['tasks', 'notes'],
    head: HEAD,
    epoch: 'epoch-1',
  });
});

test('[WS-4] other ends have their close codes', async (t) => {
  const world = await startStream(t);
  const ends = [
    [{ kind: 'slow' }, 1013],
    [{ kind: 'draining' }, 1012],
    [{ kind: 'failed', cause: new Error('db.internal is down') }, 1011],
  ] as const;
  for (const [end, code] of ends) {
    const client = await world.connectAs();
    client.send(SUBSCRIBE);
    await client.heard('caught_up');
    world.live.last().sink.ended(end);
    assert.equal((await client.closed).code, code);
    assert.doesNotMatch(JSON.stringify(client.told), /db\.internal/);
  }
  await world.streams.idle();
  assert.match(String(world.closed.at(-1)?.cause), /db\.internal/);
});

test('[WS-8] a new token on the open connection replaces the time of the old one', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs(`ann.s1.${FAKE_NOW_MS + 5_000}`);
  client.send(SUBSCRIBE);
  await client.heard('caught_up');
  client.send({ type: 'auth', token: `ann.s1.${FAKE_NOW_MS + 9_000}` });
  client.send({ type: 'ping' });
  await client.heard('pong');
  world.pass(8_000);
  client.send({ type: 'ping' });
  await client.until(() => client.told.filter(({ type }) => type === 'pong').length === 2);
  world.pass(1_000);
  const end = await ended(client);
  assert.deepEqual([end.close, factsOf(end.last)], [4401, 'token_expired']);
});

test('[WS-8] a token of somebody else, without the scope, or a bad one ends the connection', async (t) => {
  const world = await startStream(t);
  const cases = [
    ['bob.s1', 4403, 'scope_forbidden'],
    ['ann.s2', 4403, 'scope_forbidden'],
    ['bad', 4401, 'authentication_failed'],
  ] as const;
  for (const [token, close, code] of cases) {
    const client = await world.connectAs('ann.s1');
    client.send(SUBSCRIBE);
    await client.heard('caught_up');
    client.send({ type: 'auth', token });
    const end = await ended(client);
    assert.deepEqual([end.close, end.code], [close, code]);
    assert.ok(world.live.last().closed);
  }
});

test('[WS-10] a token that expires without a new one ends the connection', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs(`ann.s1.${FAKE_NOW_MS + 5_000}`);
  client.send(SUBSCRIBE);
  await client.heard('caught_up');
  world.pass(5_000);
  assert.equal((await ended(client)).close, 4401);
});

test('[WS-10] a permission that is lost ends the connection within a minute', async (t) => {
  const lost: {
    token?: boolean;
    actor?: boolean;
    scopes?: boolean;
    scope?: boolean;
    collection?: boolean;
    keys?: boolean;
  } = {};
  const world = await startStream(t, {
    access: {
      async authenticate(authorization, request) {
        if (lost.keys) throw new SyncError('service_unavailable');
        const identity = await TOKENS.authenticate(
          lost.token ? 'Bearer bad' : authorization,
          request,
        );
        if (lost.scopes) throw new SyncError('scope_missing');
        if (lost.actor) return { ...identity, actor_id: 'bob' };
        return lost.scope ? { ...identity, scope_ids: ['other'] } : identity;
      },
      authorize: (_, collection, action) =>
        action === 'stream' && !(lost.collection && collection === 'notes'),
    },
  });
  const follow = async (): Promise<StreamClient> => {
    const client = await world.connectAs();
    client.send(SUBSCRIBE);
    await client.heard('caught_up');
    return client;
  };
  const cases = [
    ['token', 4401],
    ['actor', 4401],
    ['scopes', 4403],
    ['scope', 4403],
    ['collection', 4403],
  ] as const;
  for (const [what, code] of cases) {
    const client = await follow();
    // Nothing is lost at the first look; pongs of the pings in between keep the connection.
    for (let half = 1; half <= 2; half += 1) {
      world.pass(30_000);
      await client.until(() => client.pings.length === half);
    }
    client.send({ type: 'ping' });
    await client.heard('pong');
    lost[what] = true;
    world.pass(60_000);
    assert.equal((await ended(client)).close, code, what);
    lost[what] = false;
  }
  const client = await follow();
  lost.keys = true;
  world.pass(60_000);
  await client.until(() => client.pings.length > 0);
  client.send({ type: 'ping' });
  await client.heard('pong');
  assert.equal(client.ws.readyState, client.ws.OPEN, 'what cannot be asked now is no refusal');
});

test('[WS-11] messages wait for the one before, also while a caller is asked for slowly', async (t) => {
  const waiting: (() => void)[] = [];
  const world = await startStream(t, {
    access: {
      async authenticate(authorization, request) {
        if (authorization !== undefined) await new Promise<void>((go) => waiting.push(go));
        return TOKENS.authenticate(authorization, request);
      },
    },
  });
  const client = await world.connect().opened();
  client.send({ ...SUBSCRIBE, token: 's1' });
  client.send({ type: 'ping' });
  client.send({ ...SUBSCRIBE, collections: ['notes'] });
  client.send({ type: 'auth', token: 's1' });
  client.send({ type: 'ping' });
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(client.told, []);
  assert.equal(world.live.subscriptions.length, 0);
  waiting.shift()?.();
  await client.until(() => client.told.length === 5);
  assert.equal(world.live.subscriptions.length, 2);
  while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
  waiting.shift()?.();
  await client.until(() => client.told.filter(({ type }) => type === 'pong').length === 2);
  assert.deepEqual(
    client.told.map(({ type }) => type),
    ['subscribed', 'caught_up', 'pong', 'subscribed', 'caught_up', 'pong'],
  );
});

test('[WS-11] what fails inside a message ends that connection and nothing else', async (t) => {
  const world = await startStream(t);
  const [broken, fine] = [await world.connectAs(), await world.connectAs()];
  world.live.subscribe = () => {
    throw new TypeError('a bug that nobody expects');
  };
  broken.send(SUBSCRIBE);
  assert.equal((await ended(broken)).close, 1011);
  fine.send({ type: 'ping' });
  await fine.heard('pong');
  assert.match(String(world.closed[0]?.cause), /nobody expects/);
});

test('[WS-11] a client that is gone while its caller is asked for leaves nothing', async (t) => {
  let go: () => void = () => {};
  const world = await startStream(t, {
    access: {
      async authenticate(authorization, request) {
        if (authorization !== undefined) {
          await new Promise<void>((resolve) => {
            go = resolve;
          });
        }
        return TOKENS.authenticate(authorization, request);
      },
    },
  });
  const client = await world.connect().opened();
  client.send({ ...SUBSCRIBE, token: 's1' });
  await new Promise((resolve) => setImmediate(resolve));
  client.ws.terminate();
  await client.closed;
  world.streams.terminate();
  await world.streams.idle();
  go();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.live.subscriptions.length, 0);
  assert.equal(world.admission.open, 0);
});

test('[WS-4] rows of a replaced subscription are not written after the answer to the new one', async (t) => {
  const world = await startStream(t);
  const client = await world.connectAs();
  client.send(SUBSCRIBE);
  await client.heard('caught_up');
  const { sink } = world.live.last();
  client.ws.pause();
  for (let count = 0; count < 60; count += 1) sink.change(frame(`t${count}`, 400_000));
  client.send({ ...SUBSCRIBE, collections: ['notes'] });
  while (world.live.subscriptions.length < 2) await new Promise((go) => setImmediate(go));
  client.ws.resume();
  await client.until(() => client.told.filter(({ type }) => type === 'caught_up').length === 2);
  const types = client.told.map(({ type }) => type);
  const second = types.lastIndexOf('subscribed');
  assert.ok(!types.slice(second).includes('change'));
  assert.ok(types.filter((type) => type === 'change').length < 60, 'what waited is dropped');
});
