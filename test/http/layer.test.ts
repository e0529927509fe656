import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ROUTES } from '../../src/http/app.ts';
import type { ErrorEnvelope } from '../../src/protocol/error-envelope.ts';
import { URI_BYTES_MAX } from '../../src/protocol/pure/limits.ts';
import { fakeApp, HEAD, JSON_HEADERS, pushBody } from './support/fake-app.ts';
import { FAKE_NOW_MS } from './support/hand-clock.ts';

const SINCE = 'since=19700101T000000.000Z-0000';
const TOKEN = { authorization: 'Bearer s1' };

async function envelope(response: Response): Promise<ErrorEnvelope> {
  return (await response.json()) as ErrorEnvelope;
}

describe('[HT-1] request ids', () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ['a', true],
    ['01J9-abc_DEF.7:8~9', true],
    ['a'.repeat(128), true],
    ['a'.repeat(129), false],
    ['a b', false],
    ['a"b', false],
    ['<script>', false],
  ];
  for (const [id, kept] of cases) {
    test(`[HT-1] ${id.slice(0, 24)} (${id.length}) is ${kept ? 'kept' : 'replaced'}`, async () => {
      const { app, finished } = fakeApp();
      const response = await app.request('/healthz', { headers: { 'x-request-id': id } });
      const seen = response.headers.get('x-request-id');
      assert.equal(seen === id, kept);
      assert.match(seen ?? '', /^[\w.:~-]{1,128}$/);
      assert.equal(finished[0]?.request_id, seen);
    });
  }
  test('[HT-1] made ids differ, and the engine and the error get the same one', async () => {
    const { app, asked } = fakeApp({ pull: async () => assert.fail('no') });
    const one = await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN });
    const other = await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN });
    const id = one.headers.get('x-request-id');
    assert.notEqual(id, other.headers.get('x-request-id'));
    assert.equal(asked[0]?.context.request_id, id);
    assert.equal((await envelope(one)).request_id, id);
  });
});

describe('[HT-2] headers of every answer', () => {
  const paths = ['/', '/healthz', '/nowhere', '/sync/pull', `/sync/pull?${SINCE}`];
  for (const path of paths) {
    test(`[HT-2] GET ${path}`, async () => {
      const { app } = fakeApp();
      const { headers } = await app.request(path, { headers: path.includes('?') ? TOKEN : {} });
      assert.equal(headers.get('sync-protocol'), '1');
      assert.equal(headers.get('sync-epoch'), 'epoch-1');
      assert.equal(headers.get('sync-time'), new Date(FAKE_NOW_MS).toISOString());
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('server'), null);
      assert.equal(headers.get('x-powered-by'), null);
    });
  }
});

describe('[HT-3] the order of the checks', () => {
  test('[HT-3] address, protocol, token, scope, Accept, then the query or the body', async () => {
    const { app, asked } = fakeApp();
    const long = `/sync/push?${'x'.repeat(URI_BYTES_MAX)}`;
    const steps: [string, Record<string, string>, string][] = [
      [long, { 'sync-protocol': '2', accept: 'image/png' }, 'uri_too_long'],
      ['/sync/push', { 'sync-protocol': '2', accept: 'image/png' }, 'upgrade_required'],
      ['/sync/push', { 'sync-scope': 'x', accept: 'image/png' }, 'authentication_failed'],
      ['/sync/push', { ...TOKEN, 'sync-scope': 'x', accept: 'image/png' }, 'scope_forbidden'],
      ['/sync/push', { ...TOKEN, accept: 'image/png' }, 'not_acceptable'],
      ['/sync/push', TOKEN, 'unsupported_media_type'],
      ['/sync/push', JSON_HEADERS, 'invalid_request'],
    ];
    for (const [path, headers, code] of steps) {
      const response = await app.request(path, { method: 'POST', headers, body: 'x' });
      assert.equal((await envelope(response)).error, code);
    }
    assert.equal(asked.length, 0);
  });
});

describe('[HT-4] the protocol version', () => {
  for (const [version, status] of [
    ['1', 200],
    ['2', 426],
    ['', 426],
    ['1.0', 426],
  ] as const) {
    test(`[HT-4] Sync-Protocol "${version}" is answered ${status}`, async () => {
      const { app } = fakeApp();
      const headers = { ...TOKEN, 'sync-protocol': version };
      assert.equal((await app.request(`/sync/pull?${SINCE}`, { headers })).status, status);
    });
  }
});

describe('[HT-5] paths and methods', () => {
  const unknown = [
    '/nowhere',
    '/sync',
    '/sync/',
    '/sync/pull/',
    '/sync/Pull',
    '/%zz',
    '//',
    '/sync//pull',
  ];
  for (const path of unknown) {
    test(`[HT-5] ${path} is 404`, async () => {
      const { app, finished } = fakeApp();
      const response = await app.request(`http://localhost${path}`, { headers: TOKEN });
      assert.equal(response.status, 404);
      assert.equal((await envelope(response)).error, 'not_found');
      assert.equal(finished[0]?.route, 'unmatched');
    });
  }
  for (const path of new Set(ROUTES.map((route) => route.path))) {
    test(`[HT-5] ${path} names its methods to others`, async () => {
      const { app } = fakeApp();
      const served: string[] = ROUTES.filter((route) => route.path === path).map(
        ({ method }) => method,
      );
      const allow = served.map((method) => (method === 'GET' ? 'GET, HEAD' : method)).join(', ');
      const others = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND'];
      for (const method of others.filter((one) => !served.includes(one))) {
        const response = await app.request(path, { method, headers: TOKEN });
        assert.equal(response.status, 405, method);
        assert.equal(response.headers.get('allow'), allow);
        assert.equal((await envelope(response)).error, 'method_not_allowed');
      }
    });
  }
  test('[HT-5] the index names every other path', async () => {
    const { app } = fakeApp();
    const { links } = (await (await app.request('/')).json()) as { links: Record<string, string> };
    const paths = new Set(ROUTES.map(({ path }) => path).filter((path) => path !== '/'));
    assert.deepEqual(Object.values(links).sort(), [...paths].sort());
  });
});

describe('[HT-6] long addresses', () => {
  test('[HT-6] 8,192 bytes are served, one more is 414', async () => {
    const { app } = fakeApp();
    const fill = (length: number) => `/healthz?${'a'.repeat(length - '/healthz?'.length)}`;
    assert.equal((await app.request(fill(URI_BYTES_MAX))).status, 200);
    const response = await app.request(fill(URI_BYTES_MAX + 1));
    assert.equal(response.status, 414);
    assert.equal((await envelope(response)).error, 'uri_too_long');
  });
});

describe('[HT-7] the scope of a request', () => {
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    ['s1', undefined, 's1'],
    ['s1', 's1', 's1'],
    ['s1,s2', 's2', 's2'],
    ['büro 7', 'b%C3%BCro%207', 'büro 7'],
    ['s1', 's2', 'scope_forbidden'],
    ['s1,s2', undefined, 'scope_ambiguous'],
    ['s1,s2', 'S1', 'scope_forbidden'],
    ['s1,s2', 's1,s2', 'scope_forbidden'],
    ['s1,s2', '', 'scope_forbidden'],
  ];
  for (const [held, wanted, expected] of cases) {
    test(`[HT-7] holding ${held}, asking for ${JSON.stringify(wanted)}: ${expected}`, async () => {
      const scope_ids = held.split(',');
      const { app, asked } = fakeApp(
        {},
        {
          access: {
            authenticate: async () => ({ actor_id: 'ann', scope_ids }),
            authorize: () => true,
          },
        },
      );
      const headers: Record<string, string> = wanted === undefined ? {} : { 'sync-scope': wanted };
      const response = await app.request('/sync/capabilities', { headers });
      if (response.status === 200) assert.equal(asked[0]?.context.scope_id, expected);
      else assert.equal((await envelope(response)).error, expected);
    });
  }
  test('[HT-7] the identity and the epoch header reach the engine', async () => {
    const { app, asked } = fakeApp();
    await app.request(`/sync/pull?${SINCE}`, { headers: { ...TOKEN, 'sync-epoch': 'old' } });
    await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN });
    const [first, second] = asked.map(({ context }) => context);
    assert.deepEqual(first?.identity, { actor_id: 'ann', scope_ids: ['s1'] });
    assert.deepEqual([first?.epoch, second?.epoch], ['old', undefined]);
    assert.equal(first?.signal?.aborted, false);
  });
});

describe('[HT-13] what the caller accepts', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['/sync/pull', 'application/json', 200],
    ['/sync/pull', '*/*', 200],
    ['/sync/pull', 'application/*', 200],
    ['/sync/pull', 'text/html, application/json;q=0.1', 200],
    ['/sync/pull', 'text/html,application/xhtml+xml,*/*;q=0.8', 200],
    ['/sync/pull', 'image/png', 406],
    ['/sync/pull', 'application/json;q=0', 406],
    ['/sync/pull', '*/*, application/json;q=0', 406],
    ['/sync/pull', 'application/x-ndjson', 406],
    ['/sync/full', 'application/x-ndjson', 200],
    ['/sync/full', 'application/json', 200],
    ['/sync/full', 'text/csv', 406],
  ];
  for (const [path, accept, status] of cases) {
    test(`[HT-13] ${path} with Accept: ${accept} is ${status}`, async () => {
      const { app } = fakeApp();
      const query = path === '/sync/pull' ? SINCE : 'collections=tasks';
      const response = await app.request(`${path}?${query}`, { headers: { ...TOKEN, accept } });
      assert.equal(response.status, status);
      if (status === 406) assert.equal((await envelope(response)).error, 'not_acceptable');
    });
  }
});

describe('[HT-17] HEAD', () => {
  for (const target of [`/sync/pull?${SINCE}`, '/sync/full?collections=tasks']) {
    test(`[HT-17] HEAD ${target} answers headers without reading anything`, async () => {
      const { app, asked } = fakeApp();
      const response = await app.request(target, { method: 'HEAD', headers: TOKEN });
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type') ?? '', /json/);
      assert.equal(await response.text(), '');
      assert.equal(asked.length, 0);
    });
  }
  test('[HT-17] HEAD is checked like GET', async () => {
    const { app } = fakeApp();
    const head = (path: string, headers = {}) => app.request(path, { method: 'HEAD', headers });
    assert.equal((await head('/sync/pull')).status, 401);
    assert.equal((await head('/sync/pull', TOKEN)).status, 422);
    assert.equal((await head('/sync/push', TOKEN)).status, 405);
    assert.equal((await head('/healthz')).status, 200);
  });
});

describe('[HT-18] browsers of other origins', () => {
  const cors = ['https://app.example.org'];
  const origin = 'https://app.example.org';
  test('[HT-18] a listed origin may read the answer and its headers, errors included', async () => {
    const { app } = fakeApp({}, { cors });
    for (const path of ['/healthz', '/sync/pull']) {
      const { headers } = await app.request(path, { headers: { origin } });
      assert.equal(headers.get('access-control-allow-origin'), origin);
      assert.match(headers.get('vary') ?? '', /\bOrigin\b/);
      for (const name of [
        'X-Sync-Cursor',
        'X-Sync-LastSeq',
        'Sync-Head',
        'Sync-Time',
        'Retry-After',
      ]) {
        assert.ok(headers.get('access-control-expose-headers')?.includes(name), name);
      }
      assert.equal(headers.get('access-control-allow-credentials'), null);
    }
  });
  test('[HT-18] a preflight of a listed origin is answered without a token', async () => {
    const { app, asked } = fakeApp({}, { cors });
    const response = await app.request('/sync/push', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get('access-control-allow-origin'), origin);
    assert.equal(response.headers.get('access-control-allow-methods'), 'POST');
    assert.match(
      response.headers.get('access-control-allow-headers') ?? '',
      /Authorization.*Sync-Scope/,
    );
    assert.equal(asked.length, 0);
  });
  for (const other of [
    'https://evil.example.org',
    'http://app.example.org',
    'null',
    `${origin}.evil.org`,
  ]) {
    test(`[HT-18] ${other} gets no permission`, async () => {
      const { app } = fakeApp({}, { cors });
      const simple = await app.request('/healthz', { headers: { origin: other } });
      const preflight = await app.request('/sync/push', {
        method: 'OPTIONS',
        headers: { origin: other, 'access-control-request-method': 'POST' },
      });
      for (const { headers } of [simple, preflight]) {
        assert.equal(headers.get('access-control-allow-origin'), null);
        assert.equal(headers.get('access-control-allow-methods'), null);
      }
    });
  }
});

describe('[HT-19] operations', () => {
  test('[HT-19] /healthz asks nobody', async () => {
    const { app } = fakeApp({}, { readiness: () => assert.fail('asked') });
    assert.deepEqual(await (await app.request('/healthz')).json(), { status: 'ok' });
  });
  test('[HT-19] /readyz is 200 when ready and 503 with the checks when not', async () => {
    const state = { ready: true, checks: [{ name: 'database', ok: true, detail: 'answers' }] };
    const { app } = fakeApp({}, { readiness: async () => state });
    assert.deepEqual(await (await app.request('/readyz')).json(), state);
    state.ready = false;
    const response = await app.request('/readyz');
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.deepEqual(await response.json(), state);
  });
  test('[HT-19] a readiness check that fails is an error like any other', async () => {
    const { app } = fakeApp({}, { readiness: async () => assert.fail('broken') });
    assert.equal((await envelope(await app.request('/readyz'))).error, 'internal');
  });
});

describe('[HT-20] the metrics page', () => {
  const page = {
    text: async () => ({ body: 'x 1\n', type: 'text/plain; version=0.0.4' }),
    token: 'm',
  };
  const cases: readonly (readonly [string | undefined, string])[] = [
    [undefined, 'token_missing'],
    ['m', 'token_invalid'],
    ['Bearer x', 'token_invalid'],
    ['Bearer m', 'x 1\n'],
  ];
  for (const [authorization, expected] of cases) {
    test(`[HT-20] with a configured token, ${JSON.stringify(authorization)} gives ${expected.trim()}`, async () => {
      const { app } = fakeApp({}, { metrics: page });
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const response = await app.request('/metrics', { headers });
      if (response.status === 200) assert.equal(await response.text(), expected);
      else assert.equal((await envelope(response)).details?.reason, expected);
    });
  }
  test('[HT-20] without a configured token the page is open', async () => {
    const { app } = fakeApp({}, { metrics: { ...page, token: null } });
    const response = await app.request('/metrics');
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4');
  });
});

describe('[HT-22] the request log', () => {
  test('[HT-22] one entry per request, with the route and without the query', async () => {
    const { app, finished } = fakeApp();
    await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN });
    await app.request('/sync/pull?token=secret', { headers: TOKEN });
    await app.request('/made-up/secret?x=secret');
    await app.request('/sync/push', { headers: TOKEN });
    const facts = finished.map(({ method, route, status, code }) => [method, route, status, code]);
    assert.deepEqual(facts, [
      ['GET', '/sync/pull', 200, undefined],
      ['GET', '/sync/pull', 422, 'validation_failed'],
      ['GET', 'unmatched', 404, 'not_found'],
      ['GET', '/sync/push', 405, 'method_not_allowed'],
    ]);
    assert.ok(!JSON.stringify(finished).includes('secret'));
    assert.ok(finished.every(({ ms }) => ms >= 0));
  });
  test('[HT-22] the reason of a refused token is logged', async () => {
    const { app, finished } = fakeApp();
    await app.request('/sync/pull');
    assert.equal(finished[0]?.reason, 'token_missing');
  });
});

describe('[HT-16] the head on sync answers', () => {
  test('[HT-16] push, pull and full carry Sync-Head and Sync-Head-Seq', async () => {
    const { app } = fakeApp();
    const answers = [
      await app.request('/sync/push', { method: 'POST', headers: JSON_HEADERS, body: pushBody() }),
      await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN }),
      await app.request('/sync/full?collections=tasks', { headers: TOKEN }),
    ];
    for (const { status, headers } of answers) {
      assert.equal(status, 200);
      assert.deepEqual([headers.get('sync-head'), headers.get('sync-head-seq')], [HEAD, '1']);
    }
  });
});
