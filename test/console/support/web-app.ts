/**
 * A web application of its own origin: a page that imports the reference client as modules, as they
 * are in `examples/`, and keeps it live against a server elsewhere.
 */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** Host under which a page is no "secure context", as one over plain HTTP in a local network. */
export const PLAIN_HOST = 'app.example.test';

const MODULES = ['live-client.mjs', 'live-transports.mjs', 'minimal-client.mjs'];
const SCRIPT = 'text/javascript; charset=utf-8';

/** The script of the page: `start(options)` makes a client live, and notes what it takes. */
const APPLICATION = `
import { startLive } from './live-client.mjs';
import { SyncClient } from './minimal-client.mjs';

globalThis.start = async ({ url, token, newToken, headers, saved, ...choice }) => {
  const app = { states: [], taken: [], pulls: 0, asked: 0 };
  const ask = async (address, init) => {
    const response = await fetch(address, init);
    if (!address.includes('/sync/pull')) return response;
    app.pulls += 1;
    const { changes = [] } = await response.clone().json();
    app.taken.push(...changes.map(({ version }) => version));
    return response;
  };
  const save = (state) => {
    app.saved = state;
  };
  const client = new SyncClient({ url, token, collections: ['tasks'], headers, fetch: ask, save }, saved);
  const take = client.applyLive.bind(client);
  client.applyLive = async (batch) => {
    const done = await take(batch);
    if (done) app.taken.push(...batch.changes.map(({ version }) => version));
    return done;
  };
  const live = startLive(client, {
    ...choice,
    pollMs: 200,
    getToken: () => {
      app.asked += 1;
      return newToken;
    },
    onState: (state) => app.states.push(state),
  });
  Object.assign(globalThis, { app, client, live });
};
globalThis.documents = () =>
  JSON.stringify(client.list('tasks').sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1)));
globalThis.loaded = true;
`;

/** A running application. */
export interface WebApp {
  /** Its origin on this machine. */
  readonly origin: string;
  /** Its origin under a name over plain HTTP. */
  readonly plain: string;
  close(): Promise<void>;
}

/**
 * Serves the application. Its content security policy permits what `connects` lists, which is read
 * with each page: what an operator of a web application has to write.
 */
export async function startWebApp(connects: () => readonly string[]): Promise<WebApp> {
  const files = new Map<string, readonly [string, string]>([
    [
      '/',
      [
        'text/html',
        '<!doctype html><title>app</title><script type="module" src="app.mjs"></script>',
      ],
    ],
    ['/app.mjs', [SCRIPT, APPLICATION]],
    ...MODULES.map(
      (name) => [`/${name}`, [SCRIPT, readFileSync(`examples/${name}`, 'utf8')]] as const,
    ),
  ]);
  const server = http.createServer((request, response) => {
    const [type, text] = files.get(String(request.url)) ?? [];
    const policy = `default-src 'none'; script-src 'self'; connect-src ${connects().join(' ')}`;
    const headers = { 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' };
    response.writeHead(text === undefined ? 404 : 200, {
      'Content-Type': type ?? 'text/plain',
      ...headers,
    });
    response.end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    plain: `http://${PLAIN_HOST}:${port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
