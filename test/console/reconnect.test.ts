/** The page at /console while its server crashes and comes back, and while its connection is cut. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TcpProxy } from '../support/process/tcp-proxy.ts';
import { Browser, type Page } from './support/browser.ts';
import { Site } from './support/site.ts';

/** Folder for pictures that somebody wants to look at. */
const PICTURES = process.env['SYNC_TEST_PICTURES'];

const text = (id: string) => `document.getElementById('${id}').textContent`;
const STATE = text('state');
const VERSIONS = `[...document.querySelectorAll('#changes tbody tr')].map((row) => row.cells[0].textContent)`;
/** Gone after a reload. */
const MARK = 'globalThis.notReloaded === true';

let browser: Browser;
before(async () => {
  browser = await Browser.start();
});
after(() => browser.close());

/** The page, live, reached under this address. */
async function open(site: Site, url: string): Promise<Page> {
  const page = await browser.open(`${url}/console`);
  await page.until(`document.activeElement.id === 'token'`);
  await page.type(site.token);
  await page.press('Enter');
  await page.until(`${STATE} === 'live'`);
  await page.value('globalThis.notReloaded = true');
  return page;
}

/** Once the page shows as many rows as there are: they are those, in order, and it is the same page. */
async function showsAll(page: Page, site: Site): Promise<void> {
  const expected = (await site.versions()).reverse();
  await page.until(`${STATE} === 'live' && ${VERSIONS}.length >= ${expected.length}`);
  assert.deepEqual(await page.value(VERSIONS), expected);
  assert.equal(await page.value(MARK), true);
  assert.equal(await page.value(text('message')), '');
}

describe('[CO-8] reconnecting', () => {
  test('[CO-8] a server that is killed and comes back: the page says so, and shows every row once, in order', async (t) => {
    const site = await Site.open(t);
    const { port, url } = site.server;
    const page = await open(site, url);
    await site.push(3);
    await page.until(`${VERSIONS}.length === 15 && ${text('reader-count')}.startsWith('1 ')`);
    await site.push(2); // some of it may not be shown before the crash
    await site.server.kill();

    await page.until(`${STATE} === 'disconnected'`);
    assert.match(
      await page.value(text('message')),
      /^The connection broke\. Trying again (in .*s|now)\.$/,
    );
    await page.until(`${text('no-readers')} === 'Not known until a server answers.'`);
    assert.equal(await page.value(`document.querySelectorAll('#readers tbody tr').length`), 0);
    assert.equal(await page.value(text('scope-state')), '');
    if (PICTURES !== undefined) {
      writeFileSync(path.join(PICTURES, 'console-disconnected.png'), await page.picture());
    }
    await site.start(0); // where the page does not look
    await site.push(4);
    await site.server.stop();
    assert.equal(await page.value(STATE), 'disconnected');
    await site.start(port);
    await site.push(2);

    await showsAll(page, site);
    await site.push(1);
    await showsAll(page, site);
    await page.until(`${text('reader-count')}.startsWith('1 ')`);
    const network = /^Failed to load resource: net::ERR_/;
    assert.deepEqual(
      page.complaints.filter((one) => !network.test(one)),
      [],
    );
    await page.close();
  });

  test('[CO-8] a connection that is cut, also within a row: every row once, in order', async (t) => {
    const site = await Site.open(t);
    let answerBytes: number | undefined;
    const { port } = site.server;
    const proxy = await TcpProxy.start(t, {
      port,
      answerBytes: () => answerBytes,
      thenSilent: true,
    });
    const page = await open(site, proxy.url);
    await site.push(2);
    await page.until(`${VERSIONS}.length === 10`);
    answerBytes = 75_000; // some rows and a part of one on each connection from now on
    proxy.refuse();
    await page.until(`${STATE} === 'disconnected'`);
    await site.push(5);
    proxy.accept();
    // Chromium drops what it had not handed out when a connection ends: the rows before the cut are waited for.
    for (const shown of [15, 20]) {
      await page.until(`${VERSIONS}.length > ${shown}`);
      assert.ok((await page.value<number>(`${VERSIONS}.length`)) < 35, 'a part is still to come');
      proxy.cut();
      await page.until(`${STATE} === 'disconnected'`);
    }
    answerBytes = undefined;
    await showsAll(page, site);
    await site.push(1);
    proxy.cut();
    await site.push(1);
    await showsAll(page, site);
    await page.close();
  });
});
