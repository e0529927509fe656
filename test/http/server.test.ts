import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ListenError, type RunningServer, startServer } from '../../src/http/server.ts';
import type { AppOptions } from '../../src/http/route.ts';
import { call } from './support/call.ts';
import { type FakeApp, fakeApp, pushBody } from './support/fake-app.ts';
import { openRaw, parseRaw, sendRaw } from './support/raw-socket.ts';

const LOCAL = { host: '127.0.0.1', port: 0, drain_ms: 5_000 };
const AUTH = 'Host: x\r\nAuthorization: Bearer s1\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';

async function assertAlive(port: number): Promise<void> {
  const text = await sendRaw(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.equal(parseRaw(text).status, 200);
}

describe('[HT-23] requests that are no requests', () => {
  let fake: FakeApp;
  let server: RunningServer;
  before(async () => {
    fake = fakeApp();
    server = await startServer(fake.app, { ...LOCAL, timeouts: { headers: 200, request: 300 } });
  });
  after(() => server.close(0));

  const close = 'Connection: close\r\n';
  const big = 'a'.repeat(10_000);
  const cases: readonly (readonly [string, string, number, string])[] = [
    ['no HTTP', 'hello\r\n\r\n', 400, 'invalid_request'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'invalid_request'],
    ['no host', `GET / HTTP/1.1\r\n${close}\r\n`, 400, 'invalid_request'],
    ['no host in HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 400, 'invalid_request'],
    ['a host with a blank', `GET / HTTP/1.1\r\nHost: a b\r\n${close}\r\n`, 400, 'invalid_request'],
    ['a host with a path', `GET / HTTP/1.1\r\nHost: a/b\r\n${close}\r\n`, 400, 'invalid_request'],
    ['a host with a user', `GET / HTTP/1.1\r\nHost: a@b\r\n${close}\r\n`, 400, 'invalid_request'],
    ['two hosts', `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n${close}\r\n`, 400, 'invalid_request'],
    ['an empty host', `GET / HTTP/1.1\r\nHost:\r\n${close}\r\n`, 400, 'invalid_request'],
    ['target http://[', `GET http://[ HTTP/1.1\r\nHost: x\r\n${close}\r\n`, 400, 'invalid_request'],
    ['target *', `OPTIONS * HTTP/1.1\r\nHost: x\r\n${close}\r\n`, 400, 'invalid_request'],
    ['target //', `GET // HTTP/1.1\r\nHost: x\r\n${close}\r\n`, 404, 'not_found'],
    ['target /\\', `GET /\\a HTTP/1.1\r\nHost: x\r\n${close}\r\n`, 400, 'invalid_request'],
    ['target /%zz', `GET /%zz HTTP/1.1\r\nHost: x\r\n${close}\r\n`, 404, 'not_found'],
    ['TRACE', `TRACE /sync/pull HTTP/1.1\r\nHost: x\r\n${close}\r\n`, 405, 'method_not_allowed'],
    [
      'length and chunks',
      `POST /sync/push HTTP/1.1\r\n${AUTH}${JSON_TYPE}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'invalid_request',
    ],
    [
      'two lengths',
      `POST /sync/push HTTP/1.1\r\n${AUTH}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      400,
      'invalid_request',
    ],
    [
      'a negative length',
      `POST /sync/push HTTP/1.1\r\n${AUTH}Content-Length: -1\r\n\r\n`,
      400,
      'invalid_request',
    ],
    ['a header with NUL', `GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n`, 400, 'invalid_request'],
    [
      'headers over 16 KiB',
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${big}\r\nB: ${big}\r\n\r\n`,
      431,
      'invalid_request',
    ],
    [
      'an address over 8 KiB',
      `GET /${big} HTTP/1.1\r\nHost: x\r\n${close}\r\n`,
      414,
      'uri_too_long',
    ],
    [
      'an address over 16 KiB',
      `GET /${big}${big} HTTP/1.1\r\nHost: x\r\n\r\n`,
      431,
      'invalid_request',
    ],
    ['headers that never end', 'GET / HTTP/1.1\r\nHost: x\r\n', 408, 'request_timeout'],
    [
      'a body that never ends',
      `POST /sync/push HTTP/1.1\r\n${AUTH}${JSON_TYPE}Content-Length: 100\r\n\r\n{`,
      408,
      'request_timeout',
    ],
  ];
  for (const [name, bytes, status, code] of cases) {
    test(`[HT-23] ${name}: ${status} ${code}, and the server lives`, async () => {
      const answer = parseRaw(await sendRaw(server.port, bytes));
      assert.equal(answer.status, status);
      const body = answer.body as { error: string; message: string; request_id: string };
      assert.equal(body.error, code);
      assert.ok(body.message.length > 0 && body.request_id.length > 0);
      await assertAlive(server.port);
    });
  }
  test('[HT-23] resets at every moment leave the server alive', async () => {
    const parts = [
      '',
      'GET /healthz HTT',
      `POST /sync/push HTTP/1.1\r\n${AUTH}${JSON_TYPE}Content-Length: 90\r\n\r\n{"client`,
      `GET /sync/pull?since=19700101T000000.000Z-0000 HTTP/1.1\r\n${AUTH}\r\n`,
    ];
    for (const part of parts) {
      const raw = openRaw(server.port);
      await new Promise<void>((resolve) => {
        raw.socket.once('connect', () => raw.socket.write(part || '\r\n', () => resolve()));
      });
      raw.socket.resetAndDestroy();
      await raw.closed;
    }
    await assertAlive(server.port);
  });
  test('[HT-12] a body cut in half has no effect', async () => {
    const asked = fake.asked.length;
    const raw = openRaw(server.port);
    const body = pushBody();
    raw.socket.write(
      `POST /sync/push HTTP/1.1\r\n${AUTH}${JSON_TYPE}Content-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
    );
    raw.socket.end();
    await raw.closed;
    assert.doesNotMatch(raw.text(), /^HTTP\/1.1 200/);
    await assertAlive(server.port);
    assert.equal(fake.asked.length, asked);
  });
  test('[HT-23] two Authorization headers reach the token check as one that fits no token', async () => {
    const text = await sendRaw(
      server.port,
      `GET /sync/capabilities HTTP/1.1\r\n${AUTH}Authorization: Bearer s2\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(parseRaw(text).status, 403, 'the fake splits at the comma and sees two scopes');
  });
});

describe('[HT-24] an upgrade to another protocol', () => {
  const upgrade =
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n';
  test('[HT-24] Upgrade: h2c is served as plain HTTP, GET and POST', async () => {
    const server = await startServer(fakeApp().app, LOCAL);
    const raw = openRaw(server.port);
    raw.socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
    await raw.seen(/"status":"ok"/);
    const body = pushBody();
    raw.socket.write(
      `POST /sync/push HTTP/1.1\r\n${AUTH}${upgrade}${JSON_TYPE}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    await raw.seen(/"results":\[\]/);
    assert.equal(raw.text().match(/HTTP\/1.1 200 OK/g)?.length, 2);
    raw.socket.destroy();
    await server.close(0);
  });
  test('[HT-24] a WebSocket where none is served is told so', async () => {
    const server = await startServer(fakeApp().app, LOCAL);
    const raw = openRaw(server.port);
    raw.socket.write(
      'GET /sync/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    await raw.seen(/websocket_required/);
    raw.socket.destroy();
    await server.close(0);
  });
});

describe('[HT-9] a body over the limit, on a socket', () => {
  const limits = {
    max_body_bytes: 1_000,
    push_max_changes: 500,
    pull_default_limit: 500,
    pull_max_limit: 1_000,
    full_default_limit: 1_000,
    full_max_limit: 5_000,
  };
  for (const framing of ['declared', 'chunked'] as const) {
    test(`[HT-9] ${framing}: a caller that goes on writing sees 413, then the end`, async () => {
      const fake = fakeApp({}, { limits });
      const server = await startServer(fake.app, LOCAL);
      const answer = await call(server.port, {
        method: 'POST',
        path: '/sync/push',
        headers: { authorization: 'Bearer s1', 'content-type': 'application/json' },
        body: ' '.repeat(4_000_000),
        chunked: framing === 'chunked',
      });
      assert.deepEqual([answer.status, answer.headers.connection], [413, 'close']);
      assert.equal(answer.json?.['error'], 'body_too_large');
      assert.equal(fake.asked.length, 0);
      await server.close(0);
    });
  }
  test('[HT-9] a body that never ends is cut', async () => {
    const server = await startServer(fakeApp({}, { limits }).app, LOCAL);
    const raw = openRaw(server.port);
    raw.socket.write(
      `POST /sync/push HTTP/1.1\r\n${AUTH}${JSON_TYPE}Transfer-Encoding: chunked\r\n\r\n${'7d0\r\n'}${'x'.repeat(2_000)}\r\n`,
    );
    await raw.seen(/body_too_large/);
    await raw.closed;
    await server.close(0);
  });
});

describe('[HT-25] closing', () => {
  const pull = `GET /sync/pull?since=19700101T000000.000Z-0000 HTTP/1.1\r\n${AUTH}\r\n`;
  function slowApp(options: Partial<AppOptions> = {}) {
    let finish: () => void = () => {};
    let begun: () => void = () => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const fake = fakeApp(
      {
        pull: async (_, query) => {
          begun();
          await held;
          const { since } = query;
          return {
            kind: 'page',
            changes: [],
            last_seq: since,
            has_more: false,
            head: since,
            head_bundle_seq: 0,
          };
        },
      },
      options,
    );
    return { fake, running, finish };
  }
  test('[HT-25] a running request is finished, idle connections end, new ones are refused', async () => {
    const { fake, running, finish } = slowApp();
    const server = await startServer(fake.app, LOCAL);
    const idle = openRaw(server.port);
    idle.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.seen(/"ok"/);
    const busy = openRaw(server.port);
    busy.socket.write(pull);
    await running;
    const closed = server.close(60_000);
    await idle.closed;
    const late = openRaw(server.port);
    await late.closed;
    assert.equal(late.text(), '');
    finish();
    await busy.closed;
    assert.match(busy.text(), /^HTTP\/1.1 200 OK[\s\S]*"changes":\[\]/);
    await closed;
  });
  test('[HT-25] a request that does not end is cut after the grace time', async () => {
    const { fake, running } = slowApp();
    const server = await startServer(fake.app, LOCAL);
    const busy = openRaw(server.port);
    busy.socket.write(pull);
    await running;
    await server.close(20);
    await busy.closed;
    assert.equal(busy.text(), '');
  });
  test('[HT-25] a connection that is never idle is told to close', async () => {
    let arrived: () => void = () => {};
    const second = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const requestLog = {
      finished: ({ route }: { route: string }) => route === '/healthz' && arrived(),
    };
    const { fake, running, finish } = slowApp({ requestLog });
    const server = await startServer(fake.app, LOCAL);
    const busy = openRaw(server.port);
    busy.socket.write(pull);
    await running;
    const closed = server.close(60_000);
    busy.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await second;
    finish();
    await closed;
    await busy.closed;
    assert.match(busy.text(), /"changes":\[\][\s\S]*Connection: close[\s\S]*"status":"ok"/);
  });
  test('[HT-25] a caller that is gone aborts the signal of its request', async () => {
    const { fake, running } = slowApp();
    const server = await startServer(fake.app, LOCAL);
    const busy = openRaw(server.port);
    busy.socket.write(pull);
    await running;
    const signal = fake.asked[0]?.context.signal;
    const aborted = new Promise((resolve) => signal?.addEventListener('abort', resolve));
    busy.socket.destroy();
    await aborted;
    await server.close(0);
  });
});

describe('[HT-26] listening', () => {
  test('[HT-26] a taken port is a ListenError with the code and the address', async () => {
    const server = await startServer(fakeApp().app, LOCAL);
    await assert.rejects(startServer(fakeApp().app, { ...LOCAL, port: server.port }), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.code, 'EADDRINUSE');
      assert.ok(error.message.includes(`127.0.0.1:${server.port}`));
      return true;
    });
    await server.close(0);
  });
  test('[HT-26] the address is told when it listens', async () => {
    const told: unknown[] = [];
    const onListening = (at: unknown) => void told.push(at);
    const server = await startServer(fakeApp().app, { ...LOCAL, onListening });
    assert.deepEqual(told, [{ address: '127.0.0.1', port: server.port }]);
    await server.close(0);
  });
  test('[HT-2] an answer on a socket names no server software', async () => {
    const server = await startServer(fakeApp().app, LOCAL);
    const { headers } = await call(server.port, { path: '/' });
    assert.ok(!('server' in headers) && !('x-powered-by' in headers));
    await server.close(0);
  });
});
