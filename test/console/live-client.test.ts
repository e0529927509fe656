/** Live mode of the reference client in a browser: a page of another origin, a real server, each transport. */

import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { Browser, type Page } from './support/browser.ts';
import { SCOPE, Site } from './support/site.ts';
import { PLAIN_HOST, startWebApp, type WebApp } from './support/web-app.ts';
import { TcpProxy } from '../support/process/tcp-proxy.ts';
import { tokenFor } from '../support/process/tokens.ts';

const TRANSPORTS = ['websocket', 'events', 'poll'] as const;
type Transport = (typeof TRANSPORTS)[number];
const CURRENT = { websocket: 'live', events: 'live', poll: 'polling' } as const;

let browser: Browser;
let app: WebApp;
let connects: readonly string[] = [];
before(async () => {
  browser = await Browser.start([`--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`]);
  app = await startWebApp(() => connects);
});
after(async () => {
  await browser.close();
  await app.close();
});

/** A server that permits the application, behind a network that can be cut. */
async function openSite(t: TestContext) {
  const origins = JSON.stringify([app.origin, app.plain]);
  const site = await Site.open(t, { SYNC_CORS__ORIGINS: origins });
  const proxy = await TcpProxy.start(t, { port: site.server.port });
  connects = [proxy.url, proxy.url.replace('http', 'ws')];
  return { site, proxy };
}

interface Start {
  readonly transports?: readonly Transport[];
  readonly origin?: string;
  readonly token?: string;
  readonly scope_id?: string;
  /** State of an earlier client, that this one goes on from. */
  readonly saved?: unknown;
}

/** Opens the application and starts its client. */
async function open(actor: string, url: string, start: Start = {}) {
  const { origin = app.origin, scope_id = SCOPE, ...more } = start;
  const page = await browser.open(origin);
  await page.until('globalThis.loaded === true');
  const newToken = await tokenFor(actor, scope_id);
  // No header of a browser holds other characters than those of Latin-1.
  const headers = { 'Sync-Scope': encodeURIComponent(scope_id) };
  const options = { url, token: newToken, newToken, headers, ...more };
  await page.value(`start(${JSON.stringify(options)})`);
  return page;
}

const state = (one: string) => `live.state === '${one}'`;
const shows = (id: string, n: number) => `client.get('tasks', '${id}')?.n === ${n}`;
const put = (page: Page, id: string, n: number) =>
  page.value(`client.put('tasks', '${id}', { n: ${n} })`);
const taken = (page: Page) => page.value<string[]>('app.taken');

/** Both show what the server has, and each took every row once, in order. */
async function converged(pages: readonly Page[], site: Site): Promise<void> {
  const versions = await site.versions();
  const documents = await site.documents();
  for (const page of pages) {
    await page.until(
      `client.pending === 0 && documents() === ${JSON.stringify(JSON.stringify(documents))}`,
    );
    assert.deepEqual(await taken(page), versions);
  }
}

/** What the browser says of connections that these tests cut, and of tokens that are refused. */
const EXPECTED =
  /net::ERR_|status of 401|WebSocket connection to .* failed|WebSocket is closed before/;

/** Ends the clients; whatever else their pages complained of is a fault. */
async function finish(pages: readonly Page[]): Promise<void> {
  for (const page of pages) {
    await page.value('live.stop()');
    assert.deepEqual(
      page.complaints.filter((one) => !EXPECTED.test(one)),
      [],
    );
    await page.close();
  }
}

for (const transport of TRANSPORTS) {
  describe(`[RC-30] ${transport} in a browser`, () => {
    test(`[RC-30] ${transport}: two pages of another origin converge, through cuts and a crash of the server`, async (t) => {
      const { site, proxy } = await openSite(t);
      const { port } = site.server;
      const start = { transports: [transport] };
      const [ann, bob] = [await open('ann', proxy.url, start), await open('bob', proxy.url, start)];
      const pages = [ann, bob];
      for (const page of pages) await page.until(state(CURRENT[transport]));
      await put(ann, 'a', 1);
      await bob.until(shows('a', 1));
      await put(bob, 'a', 2);
      await put(bob, 'b', 1);
      await ann.until(`${shows('a', 2)} && ${shows('b', 1)}`);
      await converged(pages, site);

      const pulls = await ann.value('app.pulls');
      proxy.cut();
      await site.push(3);
      await converged(pages, site);
      if (transport !== 'poll')
        assert.equal(await ann.value('app.pulls'), pulls, 'it went on in place');

      await site.server.kill();
      await put(ann, 'c', 1);
      for (const page of pages) await page.until(state('waiting'));
      await site.start(0); // where the pages do not look
      await site.push(2);
      await site.server.stop();
      await site.start(port);
      for (const page of pages) await page.value('live.wake()');
      await bob.until(shows('c', 1));
      await converged(pages, site);
      for (const page of pages) await page.until(state(CURRENT[transport]));
      await finish(pages);
    });
  });
}

describe('[RC-30] what only a browser has', () => {
  test('[RC-30] a page over plain HTTP in a local network, without crypto.randomUUID', async (t) => {
    const { site, proxy } = await openSite(t);
    const ann = await open('ann', proxy.url, { origin: app.plain });
    const bob = await open('bob', proxy.url);
    assert.equal(await ann.value('isSecureContext || crypto.randomUUID !== undefined'), false);
    for (const page of [ann, bob]) await page.until(state('live'));
    await put(ann, 'a', 1);
    await put(ann, 'b', 1);
    await bob.until(`${shows('a', 1)} && ${shows('b', 1)}`);
    await converged([ann, bob], site);
    await finish([ann, bob]);
  });

  test('[RC-30] a page whose policy permits no WebSocket goes on with events', async (t) => {
    const { site, proxy } = await openSite(t);
    connects = [proxy.url];
    const page = await open('ann', proxy.url);
    await page.until(state('live'));
    await site.push(1);
    await converged([page], site);
    assert.equal(page.complaints.length, 3, 'tries of a WebSocket');
    assert.ok(page.complaints.every((one) => /violates .* "connect-src/.test(one)));
    await page.close();
  });

  for (const transport of TRANSPORTS) {
    test(`[RC-30] ${transport}: a refused token is known across origins, and replaced in place`, async (t) => {
      const { site, proxy } = await openSite(t);
      await site.push(1);
      const first = await open('ann', proxy.url, { transports: [transport] });
      await first.until(`${state(CURRENT[transport])} && client.list('tasks').length === 5`);
      const saved = await first.value('app.saved');
      await finish([first]);
      await site.push(1);
      const page = await open('ann', proxy.url, { transports: [transport], token: 'stale', saved });
      await page.until(`${state(CURRENT[transport])} && client.list('tasks').length === 10`);
      assert.equal(await page.value('app.asked'), 1);
      assert.deepEqual(await taken(page), (await site.versions()).slice(5));
      if (transport !== 'poll') assert.equal(await page.value('app.pulls'), 0);
      await finish([page]);
    });

    test(`[RC-30] ${transport}: a scope whose name no header can hold`, async (t) => {
      const { proxy } = await openSite(t);
      const start = { transports: [transport], scope_id: 'Łódź/東京' };
      const [ann, bob] = [await open('ann', proxy.url, start), await open('bob', proxy.url, start)];
      for (const page of [ann, bob]) await page.until(state(CURRENT[transport]));
      await put(ann, 'a', 1);
      await bob.until(shows('a', 1));
      await finish([ann, bob]);
    });
  }

  test('[RC-30] a page of an origin that is not listed gets nothing, and says what is wrong', async (t) => {
    const site = await Site.open(t);
    await site.push(1);
    connects = [site.server.url, site.server.url.replace('http', 'ws')];
    const page = await open('ann', site.server.url);
    await page.until(`${state('waiting')} && live.error !== null`);
    assert.deepEqual([await taken(page), await page.value('documents()')], [[], '[]']);
    assert.equal(await page.value('live.error.message'), 'Failed to fetch');
    await page.close();
  });
});
