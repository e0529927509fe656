/** The server as a library: inside a Hono application, a plain Node server, and on a port of its own. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { freshPlace, meet, openServer, PLACES } from './support/embedded-app.ts';

const JSON_TYPE = { 'Content-Type': 'application/json', 'x-user': 'ann' };
/** As they were before any server was made. */
const GLOBALS = { Request, Response };
const EMPTY_PUSH = JSON.stringify({ client_id: 'c1', changes: [] });

for (const kind of PLACES) {
  describe(`${kind}: library`, () => {
    test('[LB-1] inside a Hono application the reference client works, and the rest is left alone', async (t) => {
      const sync = await openServer(t, await freshPlace(t, kind));
      const app = new Hono();
      app.get('/', (c) => c.text('mine'));
      app.route('/', sync.app);
      app.notFound((c) => c.text('not mine', 404));
      const url = await listenOn(t, listenerOf(app));
      await meet(url);
      assert.equal(await (await fetch(url)).text(), 'mine');
      assert.equal(await (await fetch(`${url}/healthz`)).text(), 'not mine');
      assert.equal(await (await fetch(`${url}/metrics`)).text(), 'not mine');
    });

    test('[LB-1] the same below a prefix, by app.route and by app.mount', async (t) => {
      const sync = await openServer(t, await freshPlace(t, kind));
      const app = new Hono();
      app.route('/a', sync.app);
      app.mount('/b', sync.fetch);
      const url = await listenOn(t, listenerOf(app));
      await meet(`${url}/a`);
      const again = await fetch(`${url}/b/sync/push`, {
        method: 'POST',
        headers: JSON_TYPE,
        body: EMPTY_PUSH,
      });
      assert.equal(again.status, 200);
    });

    test('[LB-2] inside a plain Node server the reference client works', async (t) => {
      const sync = await openServer(t, await freshPlace(t, kind));
      const url = await listenOn(t, (request, response) => {
        if (request.url?.startsWith('/sync/')) sync.handler(request, response);
        else response.end('mine');
      });
      await meet(url);
      assert.equal(await (await fetch(`${url}/healthz`)).text(), 'mine');
    });

    test('[LB-3] on a port of its own it serves every path, beside a mounted copy', async (t) => {
      const sync = await openServer(t, await freshPlace(t, kind), { port: 0 });
      const { url, port } = await sync.listen();
      assert.ok(port > 0);
      await meet(url);
      assert.equal((await fetch(`${url}/healthz`)).status, 200);
      assert.equal((await fetch(`${url}/readyz`)).status, 200);
      const mounted = await sync.fetch(new Request('http://app/sync/capabilities', asAnn()));
      assert.equal(mounted.status, 200);
    });

    test('[LB-6] close lets a running request finish, refuses the next, and may be called again', async (t) => {
      const sync = await openServer(t, await freshPlace(t, kind), { port: 0 });
      const { url } = await sync.listen();
      const changes = Array.from({ length: 200 }, (_, i) => ({
        ...{ collection: 'tasks', doc_id: `t${i}`, operation: 'upsert', data: { i } },
      }));
      const body = JSON.stringify({ client_id: 'c1', changes });
      const running = sync.fetch(
        new Request('http://app/sync/push', { method: 'POST', headers: JSON_TYPE, body }),
      );
      await new Promise((resolve) => setImmediate(resolve));
      const closed = sync.close();
      const answer = (await (await running).json()) as { results: { status: string }[] };
      assert.deepEqual(new Set(answer.results.map(({ status }) => status)), new Set(['accepted']));
      await closed;
      const late = await sync.fetch(new Request('http://app/sync/capabilities', asAnn()));
      const pull = 'http://app/sync/pull?since=19700101T000000.000Z-0000';
      const refused = await sync.fetch(new Request(pull, asAnn()));
      assert.deepEqual([late.status, refused.status], [200, 503]);
      await assert.rejects(fetch(url), /fetch failed/);
      await sync.close();
    });
  });
}

test('[LB-1] other methods and preflights are answered below a prefix too', async (t) => {
  const origin = 'https://app.example.org';
  const sync = await openServer(t, await freshPlace(t, 'embedded'), {
    cors: { origins: [origin] },
  });
  const app = new Hono();
  app.route('/api', sync.app);
  const wrong = await app.request('/api/sync/push', { method: 'DELETE', headers: JSON_TYPE });
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.get('allow'), 'POST');
  const preflight = await app.request('/api/sync/pull', {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Method': 'GET' },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
});

test('[LB-2] a body that the application has read is a fault of the application, not a wait', async (t) => {
  const lines: string[] = [];
  const note = (fields: object) => lines.push(JSON.stringify(fields));
  const logger = { error: note, warn: note, info: () => {}, debug: () => {} };
  const sync = await openServer(t, await freshPlace(t, 'embedded'), { logger });
  const url = await listenOn(t, (request, response) => {
    request.resume().once('end', () => sync.handler(request, response));
  });
  const push = { method: 'POST', headers: JSON_TYPE, body: EMPTY_PUSH };
  assert.equal((await fetch(`${url}/sync/push`, push)).status, 500);
  const used = new Request('http://app/sync/push', push);
  await used.text();
  assert.equal((await sync.fetch(used)).status, 500);
  assert.equal(
    lines.filter((line) => /before body parsers/.test(line)).length,
    2,
    lines.join('\n'),
  );
});

test('[LB-3] with operational_paths the mounted application has them, metrics behind their token', async (t) => {
  const place = await freshPlace(t, 'embedded');
  const sync = await openServer(t, place, { operational_paths: true });
  const status = async (path: string) =>
    (await sync.fetch(new Request(`http://app${path}`))).status;
  assert.deepEqual(
    [
      await status('/healthz'),
      await status('/readyz'),
      await status('/metrics'),
      await status('/'),
    ],
    [200, 200, 401, 404],
  );
});

test('[LB-3] an address that is taken fails listen and leaves the mounted server working', async (t) => {
  const taken = createServer();
  t.after(() => taken.close());
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const sync = await openServer(t, await freshPlace(t, 'embedded'), { port });
  await assert.rejects(sync.listen(), { code: 'EADDRINUSE' });
  const answer = await sync.fetch(new Request('http://app/sync/capabilities', asAnn()));
  assert.equal(answer.status, 200);
});

test('[LB-6] nothing of the process is touched: no listeners, no global objects', async (t) => {
  const before = { events: listeners(), ...GLOBALS };
  const sync = await openServer(t, await freshPlace(t, 'embedded'), { port: 0 });
  const { url } = await sync.listen();
  await fetch(`${url}/healthz`);
  await listenOn(t, sync.handler).then((other) => fetch(`${other}/sync/capabilities`));
  assert.deepEqual({ events: listeners(), Request, Response }, before);
  await sync.close();
  assert.deepEqual(listeners(), before.events);
});

/** An application that keeps the global objects too, so that it shows who would replace them. */
function listenerOf(app: Hono): RequestListener {
  return getRequestListener(app.fetch, { overrideGlobalObjects: false });
}

function listeners(): Record<string, number> {
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP', 'exit', 'beforeExit', 'uncaughtException'] as const;
  const count = (name: string) => process.listenerCount(name);
  return Object.fromEntries([...names, 'unhandledRejection'].map((name) => [name, count(name)]));
}

function asAnn(): RequestInit {
  return { headers: { 'x-user': 'ann' } };
}

async function listenOn(t: TestContext, listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  t.after(() => void server.close().closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
