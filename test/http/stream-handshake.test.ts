import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { SyncError } from '../../src/protocol/errors.ts';
import { STREAM_SUBSCRIBE_MS } from '../../src/protocol/pure/limits.ts';
import { call } from './support/call.ts';
import { inTime, reached } from './support/reached.ts';
import { openRaw, parseRaw, sendRaw } from './support/raw-socket.ts';
import { startStream } from './support/stream-world.ts';

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const VERSION = 'Sec-WebSocket-Version: 13\r\n';
const ASK = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
const HOST = 'Host: sync.example.org\r\n';

function handshake(more = '', target = '/sync/stream', method = 'GET'): string {
  return `${method} ${target} HTTP/1.1\r\n${HOST}${ASK}${KEY}${VERSION}${more}\r\n`;
}

const long = 'a'.repeat(9_000);
const REFUSED: readonly (readonly [string, string, number, string, string?])[] = [
  ['target //', handshake('', '//'), 404, 'not_found'],
  ['target http://[', handshake('', 'http://['), 400, 'invalid_request', 'malformed_http'],
  ['a target of 9 kB', handshake('', `/${long}`), 414, 'uri_too_long'],
  ['another path', handshake('', '/sync/pull'), 404, 'not_found'],
  ['a path that begins alike', handshake('', '/sync/stream/x'), 404, 'not_found'],
  ['POST', handshake('', '/sync/stream', 'POST'), 405, 'method_not_allowed'],
  ['POST elsewhere', handshake('', '/sync/push', 'POST'), 404, 'not_found'],
  [
    'no host',
    `GET /sync/stream HTTP/1.1\r\n${ASK}${KEY}${VERSION}\r\n`,
    400,
    'invalid_request',
    'malformed_http',
  ],
  ['two hosts', handshake('Host: b\r\n'), 400, 'invalid_request', 'malformed_http'],
  [
    'no key',
    `GET /sync/stream HTTP/1.1\r\n${HOST}${ASK}${VERSION}\r\n`,
    400,
    'invalid_request',
    'websocket_key',
  ],
  [
    'a short key',
    `GET /sync/stream HTTP/1.1\r\n${HOST}${ASK}${VERSION}Sec-WebSocket-Key: abc\r\n\r\n`,
    400,
    'invalid_request',
    'websocket_key',
  ],
  ['two keys', handshake(KEY), 400, 'invalid_request', 'websocket_key'],
  [
    'version 7',
    `GET /sync/stream HTTP/1.1\r\n${HOST}${ASK}${KEY}Sec-WebSocket-Version: 7\r\n\r\n`,
    400,
    'invalid_request',
    'websocket_version',
  ],
  [
    'a subprotocol',
    handshake('Sec-WebSocket-Protocol: a\r\n'),
    400,
    'invalid_request',
    'websocket_protocol',
  ],
  ['a foreign origin', handshake('Origin: https://evil.example\r\n'), 403, 'origin_forbidden'],
  ['origin null', handshake('Origin: null\r\n'), 403, 'origin_forbidden'],
  [
    'an origin that ends alike',
    handshake('Origin: https://evil-sync.example.org\r\n'),
    403,
    'origin_forbidden',
  ],
  ['Sync-Protocol 2', handshake('Sync-Protocol: 2\r\n'), 426, 'upgrade_required'],
  [
    'a bad token',
    handshake('Authorization: Bearer bad\r\n'),
    401,
    'authentication_failed',
    'token_invalid',
  ],
  ['a bug', handshake('Authorization: Bearer broken\r\n'), 500, 'internal'],
  ['an unknown parameter', handshake('', '/sync/stream?a=1'), 422, 'validation_failed'],
  [
    'a token in the address',
    handshake('', '/sync/stream?token=s1'),
    400,
    'invalid_request',
    'token_in_query',
  ],
  [
    'another name of it',
    handshake('', '/sync/stream?access_token=s1'),
    400,
    'invalid_request',
    'token_in_query',
  ],
];

describe('[WS-1] handshakes that are refused, with the envelope, before anything is remembered', () => {
  for (const [name, bytes, status, code, reason] of REFUSED) {
    test(`[WS-1] ${name}`, async (t) => {
      const world = await startStream(t);
      const reply = parseRaw(await sendRaw(world.port, bytes));
      const body = reply.body as { error: string; details?: { reason?: string } };
      assert.equal(reply.status, status);
      assert.equal(body.error, code);
      assert.equal(body.details?.reason, reason);
      assert.match(reply.headers, /connection: close/i);
      assert.equal(world.admission.open, 0);
      assert.equal(world.streams.size, 0);
      assert.deepEqual(
        world.finished.map((one) => [one.status, one.code]),
        [[status, code]],
      );
      const client = await world.connectAs();
      assert.equal(world.streams.size, 1);
      client.ws.terminate();
    });
  }
});

test('[WS-2] listed origins, the own host and callers without an origin may connect', async (t) => {
  const world = await startStream(t, { origins: ['https://app.example.com'] });
  for (const origin of ['https://app.example.com', `http://127.0.0.1:${world.port}`]) {
    const client = await world.connectAs('s1', { origin });
    client.ws.terminate();
  }
  await world.connectAs();
});

test('[WS-3] a token in the address, where the operator allows it, and its absence from the log', async (t) => {
  const world = await startStream(t, { token_in_query: true });
  for (const name of ['token', 'access_token']) {
    const client = world.connect({ path: `/sync/stream?${name}=s7.secret` });
    await client.opened();
    client.ws.terminate();
  }
  const both = await sendRaw(world.port, handshake('', '/sync/stream?token=s1&access_token=s1'));
  assert.equal(
    (parseRaw(both).body as { details: { reason: string } }).details.reason,
    'two_tokens',
  );
  await sendRaw(world.port, handshake('', '/sync/stream?token=bad'));
  assert.deepEqual(
    world.finished.map(({ status }) => status),
    [101, 101, 400, 401],
  );
  assert.doesNotMatch(JSON.stringify(world.finished), /secret|bad|token=/);
});

test('[WS-1] a stopping server answers handshakes with 503', async (t) => {
  const world = await startStream(t);
  world.streams.stop();
  const reply = parseRaw(await sendRaw(world.port, handshake()));
  assert.equal(reply.status, 503);
  assert.match(reply.headers, /retry-after: 1/i);
});

test('[WS-1] resets at any time are harmless: while the caller is asked for, and after', async (t) => {
  const waiting: (() => void)[] = [];
  let asked: () => void = () => {};
  const world = await startStream(t, {
    access: {
      authenticate: () =>
        new Promise((resolve) => {
          waiting.push(() => resolve({ actor_id: 'ann', scope_ids: ['s1'] }));
          asked();
        }),
    },
  });
  for (const end of ['reset', 'fin'] as const) {
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const socket = connect(world.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(handshake());
    await isAsked;
    assert.equal(world.admission.open, 1);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    if (end === 'reset') socket.resetAndDestroy();
    else socket.destroy();
    await gone;
    // Long enough for the server to notice.
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const go of waiting.splice(0)) go();
    await reached(() => world.admission.open === 0 && world.streams.size === 0);
  }
  assert.equal((await call(world.port, { path: '/healthz' })).status, 200);
});

test('[WS-1] a caller that cannot be asked for in time is cut, and its place is free', async (t) => {
  let ask = (): void => {};
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const authenticate = () => {
    ask();
    return new Promise<never>(() => {});
  };
  const world = await startStream(t, { access: { authenticate } });
  const raw = openRaw(world.port);
  raw.socket.write(handshake('Authorization: Bearer s1\r\n'));
  await asked;
  world.pass(STREAM_SUBSCRIBE_MS);
  await inTime(raw.closed, () => 'still open');
  assert.equal(raw.text(), '');
  await reached(() => world.admission.open === 0);
  assert.deepEqual(
    world.finished.map(({ status, code }) => [status, code]),
    [[408, 'request_timeout']],
  );
});

test('[WS-1] the handshake is logged and named like a request', async (t) => {
  const world = await startStream(t);
  const raw = openRaw(world.port);
  raw.socket.write(handshake('X-Request-Id: my-name\r\n'));
  await raw.seen(/\r\n\r\n/);
  assert.match(raw.text(), /^HTTP\/1\.1 101 /);
  assert.match(raw.text(), /X-Request-Id: my-name\r\n/);
  assert.match(raw.text(), /Sync-Protocol: 1\r\n/);
  assert.doesNotMatch(raw.text(), /Sec-WebSocket-Extensions/i);
  const [{ ms: _, ...line } = { ms: 0 }] = world.finished;
  assert.deepEqual(line, {
    request_id: 'my-name',
    method: 'GET',
    route: '/sync/stream',
    status: 101,
  });
  raw.socket.destroy();
  await raw.closed;
});

test('[WS-1] GET without an upgrade says that one is needed', async (t) => {
  const world = await startStream(t);
  const reply = await call(world.port, { path: '/sync/stream' });
  assert.equal(reply.status, 426);
  assert.equal(reply.headers['upgrade'], 'websocket');
  assert.deepEqual(reply.json?.['details'], { reason: 'websocket_required' });
  assert.equal((await call(world.port, { path: '/sync/stream', method: 'POST' })).status, 405);
});

test('[WS-1] the application refuses an identity without scopes before the connection is open', async (t) => {
  const world = await startStream(t, {
    access: {
      authenticate: async () => {
        throw new SyncError('scope_missing');
      },
    },
  });
  assert.equal(parseRaw(await sendRaw(world.port, handshake())).status, 403);
});
