import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import type { SyncServer } from '../../src/index.ts';
import { freshPlace, openServer, PLACES } from './support/embedded-app.ts';
import { openRaw } from './support/raw-socket.ts';
import { FIRST } from './support/scripted-live.ts';
import { StreamClient } from './support/stream-client.ts';

/** A plain server of an application that has a protocol of its own beside the stream. */
async function listenWith(t: TestContext, sync: SyncServer): Promise<number> {
  const server = createServer(sync.handler);
  server.on('upgrade', sync.handleUpgrade);
  server.on('upgrade', (request, socket) => {
    if (request.url === '/mine') socket.end('HTTP/1.1 101 Mine\r\n\r\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function push(port: number, doc_id: string): Promise<Response> {
  const change = { collection: 'tasks', doc_id, operation: 'upsert', data: { n: 1 } };
  return fetch(`http://127.0.0.1:${port}/sync/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user': 'bob' },
    body: JSON.stringify({ client_id: 'c1', changes: [change] }),
  });
}

for (const kind of PLACES) {
  describe(`${kind}: the stream inside an application`, () => {
    test('[WS-17] a plain http.Server serves it, and other upgrades are left alone', async (t) => {
      const sync = await openServer(t, await freshPlace(t, kind));
      const port = await listenWith(t, sync);
      const client = await new StreamClient(port, { headers: { 'x-user': 'ann' } }).opened();
      assert.equal((await push(port, 't1')).status, 200);
      client.send({ type: 'subscribe', since: FIRST });
      await client.heard('caught_up');
      assert.equal((await push(port, 't2')).status, 200);
      await client.until(() => client.told.filter(({ type }) => type === 'change').length === 2);
      const changes = client.told.filter(({ type }) => type === 'change');
      assert.deepEqual(
        changes.map((one) => one['doc_id']),
        ['t1', 't2'],
      );
      for (const ask of ['GET /mine', 'GET /mine']) {
        const raw = openRaw(port);
        raw.socket.write(
          `${ask} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
        );
        await raw.closed;
        assert.equal(raw.text(), 'HTTP/1.1 101 Mine\r\n\r\n');
      }
      const closing = sync.close();
      assert.equal((await client.closed).code, 1012);
      await closing;
    });

    test('[WS-17] on its own port too, and no token reaches a log line', async (t) => {
      const lines: unknown[] = [];
      const note = (...parts: unknown[]): void => {
        lines.push(parts);
      };
      const logger = { trace: note, debug: note, info: note, warn: note, error: note };
      const sync = await openServer(t, await freshPlace(t, kind), {
        port: 0,
        stream: { token_in_query: true },
        logger: logger as never,
        auth: {
          authenticate: (request) =>
            request.headers.get('authorization') === 'Bearer my-secret-token'
              ? { actor_id: 'ann', scope_ids: ['red'] }
              : null,
        },
      });
      const { port } = await sync.listen();
      for (const path of ['/sync/stream?token=my-secret-token', '/sync/stream']) {
        const client = await new StreamClient(port, { path }).opened();
        client.send({ type: 'subscribe', since: null, token: 'my-secret-token' });
        await client.heard('caught_up');
        client.ws.close(1000);
        await client.closed;
      }
      const refused = new StreamClient(port, { path: '/sync/stream?token=my-secret-other' });
      await refused.closed;
      await sync.close();
      const text = JSON.stringify(lines);
      assert.match(text, /sync\/stream/);
      assert.doesNotMatch(text, /my-secret/);
    });
  });
}
