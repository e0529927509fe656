/** The page at /console in a real browser, over a real server with two live clients. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createRowPrinter } from '../../src/cli/row-printer.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import type { OplogRead } from '../../src/core/ports/records.ts';
import { resultsOf } from '../http/bad-input/inputs.ts';
import { call } from '../http/support/call.ts';
import { BodyReader } from '../http/support/event-reader.ts';
import { STORE_KINDS } from '../http/support/stores.ts';
import { bearer, claims, PATIENT, startWorld, type World } from '../http/support/world.ts';
import { rawToken } from '../auth/raw-token.ts';
import { Browser, type Page } from './support/browser.ts';

/** Folder for pictures that somebody wants to look at. */
const PICTURES = process.env['SYNC_TEST_PICTURES'];

/** A document that tries to become a part of the page. */
const HOSTILE = {
  html: '<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=2</script>',
  close: '</td></tr></table><h1 id="forged">forged</h1>',
  line: 'a\n\nevent: change\ndata: {"version":"forged"}\n\n',
};
const HOSTILE_ID = '<b onclick=alert(1)>id</b>';

let world: World;
let browser: Browser;

async function push(doc_ids: readonly string[], data: object = { title: 'Buy milk' }) {
  const changes = doc_ids.map((doc_id) => ({
    collection: 'tasks',
    operation: 'upsert',
    doc_id,
    data,
  }));
  const reply = await call(world.port, {
    method: 'POST',
    path: '/sync/push',
    headers: { authorization: bearer(), 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: 'phone', changes }),
  });
  const statuses = resultsOf(reply).map(({ status }) => status);
  assert.deepEqual(new Set(statuses), new Set(['accepted']), reply.text);
}

function tokenOf(changes: Readonly<Record<string, unknown>> = {}): string {
  return rawToken({ payload: claims(changes) });
}

/** A live client beside the page. */
async function reader(client_id: string): Promise<BodyReader> {
  const headers = { authorization: bearer({ sub: client_id }) };
  const query = `data=1&client_id=${client_id}`;
  const body = new BodyReader(await fetch(`${world.url}/sync/events?${query}`, { headers }));
  await body.until(/event: connected/);
  return body;
}

/** Opens the page and enters a token by the keyboard alone. */
async function enter(token: string, url = world.url): Promise<Page> {
  const page = await browser.open(`${url}/console`);
  await type(page, token);
  return page;
}

async function type(page: Page, token: string): Promise<void> {
  await page.until(`document.activeElement.id === 'token'`);
  await page.type(token);
  await page.press('Enter');
}

const STATE = `document.getElementById('state').textContent`;
const MESSAGE = `document.getElementById('message').textContent`;
const rows = (table: string) =>
  `[...document.querySelectorAll('#${table} tbody tr:not(.document)')].map((row) => [...row.cells].map((cell) => cell.textContent))`;

before(async () => {
  const [embedded] = STORE_KINDS;
  world = await startWorld(embedded ?? assert.fail('no store'), {}, PATIENT);
  browser = await Browser.start();
});
let clients: BodyReader[] = [];
after(async () => {
  for (const one of clients) await one.cancel();
  await browser.close();
  await world.close();
});
beforeEach(async () => {
  for (const one of clients) await one.cancel();
  clients = [];
});

describe('[CO-2] live changes', () => {
  test('[CO-2] rows of two live clients appear without a reload, as inspect shows them', async () => {
    clients = [await reader('tablet'), await reader('laptop')];
    const page = await enter(tokenOf());
    await page.until(`${STATE} === 'live'`);
    await push(['t1']);
    await page.until(`${rows('changes')}.length === 1`);
    await push(['t2', 't3']);
    await page.until(`${rows('changes')}.length === 3`);
    const shown = await page.value<string[][]>(rows('changes'));
    assert.deepEqual(
      shown.map((cells) => cells.slice(1)),
      ['t3', 't2', 't1'].map((id) => ['tasks', 'upsert', 'ann', id, 'phone', 'show']),
    );
    assert.deepEqual(
      shown.map((cells) => cells.slice(0, 5).join(' | ')).reverse(),
      await inspected(),
    );
    for (const one of clients) await one.until(/"doc_id":"t3"/);
    assert.deepEqual(page.complaints, []);
    const elsewhere = page.asked.filter((url) => !url.startsWith(`${world.url}/`));
    assert.deepEqual(
      elsewhere.filter((url) => !url.startsWith('data:') && url !== 'about:blank'),
      [],
    );
    assert.ok(page.asked.every((url) => !url.includes(tokenOf().slice(0, 20))));
    await page.close();
  });
  test('[CO-2] with earlier changes when that is asked for; a document is shown on demand', async () => {
    const page = await browser.open(`${world.url}/console`);
    await page.value(`document.getElementById('history').click()`);
    await page.value(`document.getElementById('token').focus()`);
    await type(page, tokenOf());
    await page.until(`${rows('changes')}.length === 3`);
    assert.equal(await page.value(`document.querySelectorAll('pre').length`), 0);
    await page.value(`document.querySelector('#changes button').focus()`);
    await page.press('Enter');
    await page.until(`document.querySelectorAll('pre').length === 1`);
    const text = await page.value<string>(`document.querySelector('pre').textContent`);
    assert.deepEqual(JSON.parse(text), { title: 'Buy milk' });
    await page.press('Enter');
    await page.until(`document.querySelectorAll('pre').length === 0`);
    assert.deepEqual(page.complaints, []);
    await page.close();
  });
  test('[CO-2] the newest 500 rows are kept', async () => {
    const page = await enter(tokenOf());
    await page.until(`${STATE} === 'live'`);
    for (let n = 0; n < 3; n += 1) {
      await push(Array.from({ length: 200 }, (_, at) => `many-${n * 200 + at}`));
    }
    await page.until(`${rows('changes')}[0]?.[4] === 'many-599'`);
    const shown = await page.value<string[][]>(rows('changes'));
    assert.deepEqual([shown.length, shown.at(-1)?.[4]], [500, 'many-100']);
    await page.close();
  });
});

/** What the terminal shows of the scope, without its name and in one column less. */
async function inspected(): Promise<string[]> {
  const pulled = await call(world.port, {
    path: '/sync/pull?since=19700101T000000.000Z-0000',
    headers: { authorization: bearer() },
  });
  const lines: string[] = [];
  const printer = createRowPrinter(
    {
      json: false,
      isTerminal: true,
      columns: 160,
      data: async (line) => void lines.push(line),
      jsonLine: async () => {},
      info: () => {},
      warn: () => {},
    },
    { data: false, collections: ['tasks'] },
  );
  const changes = pulled.json?.['changes'] as { version: Hlc }[];
  for (const change of changes) {
    const line = JSON.stringify(change).replace(/,"bundle_end":(true|false)\}$/, '');
    const row = { ...change, line } as unknown as OplogRead;
    await printer.print({ kind: 'row', scope_id: 's1', row });
  }
  return lines.slice(1).map((line) => {
    const [version, , ...rest] = line.trim().split(/ {2,}/);
    return [version, ...rest].join(' | ');
  });
}

describe('[CO-3] tokens', () => {
  test('[CO-3] a token that expires leads to a clear message, and another one goes on', async () => {
    const now = Math.floor(Date.now() / 1_000);
    // Sixty seconds of tolerance belong to a token: this one lives for three more.
    const page = await enter(tokenOf({ iat: now - 600, exp: now - 57 }));
    await page.until(`${STATE} === 'live'`);
    await page.until(`${STATE} === 'refused'`);
    assert.equal(await page.value(MESSAGE), 'This token has expired. Enter another one.');
    assert.equal(await page.value(`sessionStorage.length`), 0);
    await type(page, tokenOf());
    await page.until(`${STATE} === 'live'`);
    assert.equal(await page.value(MESSAGE), '');
    await page.close();
  });
  const refused: [string, () => string, RegExp][] = [
    ['no token', () => ' ', /asks for a token/],
    ['junk', () => 'junk', /refused/],
    ['expired', () => tokenOf({ iat: 1_000, exp: 2_000 }), /expired/],
    ['several scopes', () => tokenOf({ scopes: ['s1', 's2'] }), /several scopes/],
  ];
  for (const [name, token, expected] of refused) {
    test(`[CO-3] ${name}: ${expected}`, async () => {
      const page = await enter(token());
      await page.until(`${STATE} === 'refused'`);
      assert.match(await page.value(MESSAGE), expected);
      assert.equal(await page.value(`document.activeElement.id`), 'token');
      await page.close();
    });
  }
  test('[CO-3] the token survives a reload in this tab only, and leaving forgets it', async () => {
    const page = await enter(tokenOf());
    await page.until(`${STATE} === 'live'`);
    await page.go(`${world.url}/console`);
    await page.until(`${STATE} === 'live'`);
    const other = await browser.open(`${world.url}/console`);
    assert.equal(await other.value(STATE), 'idle');
    await page.value(`document.getElementById('leave').click()`);
    assert.equal(await page.value(`sessionStorage.length + localStorage.length`), 0);
    assert.equal(await page.value(`document.cookie`), '');
    for (const one of [page, other]) await one.close();
  });
});

test('[CO-4] whatever a document or a name holds is text', async () => {
  const page = await enter(tokenOf());
  await page.until(`${STATE} === 'live'`);
  await push([HOSTILE_ID], HOSTILE);
  await page.until(`${rows('changes')}[0]?.[4] === ${JSON.stringify(HOSTILE_ID)}`);
  await page.value(`document.querySelector('#changes button').click()`);
  const text = await page.value<string>(`document.querySelector('pre').textContent`);
  assert.deepEqual(JSON.parse(text), HOSTILE);
  const forged = `[globalThis.hacked, document.getElementById('forged'), document.querySelector('main img, main b, td script')]`;
  assert.deepEqual(await page.value(forged), [null, null, null]);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test('[CO-5] connected clients and the queue of one of them are shown while they change', async () => {
  clients = [await reader('tablet')];
  const page = await enter(tokenOf());
  await page.until(`${rows('readers')}.length === 2`);
  const shown = await page.value<string[][]>(rows('readers'));
  assert.deepEqual(
    shown.map(([client, actor, by, state, behind]) => [client, actor, by, state, behind]),
    [
      ['tablet', 'tablet', 'events, rows', 'live', '0'],
      ['console', 'ann', 'events, rows', 'live', '0'],
    ],
  );
  await page.value(`document.querySelector('#readers button').click()`);
  const queue = `document.getElementById('queue').textContent`;
  await page.until(`${queue}.includes('Queue of tablet')`);
  assert.match(await page.value(queue), /rows behind.*bytes written and not taken/);
  assert.match(await page.value(`document.getElementById('scope-state').textContent`), /newest/);
  await clients[0]?.cancel();
  await page.until(`${queue}.includes('no longer connected')`);
  assert.equal(await page.value(`${rows('readers')}.length`), 1);
  assert.deepEqual(page.complaints, []);
  await page.close();
});

describe('[CO-6] how it looks', () => {
  const looks = [
    { name: 'light', width: 1_200, height: 900, scheme: 'light' },
    { name: 'dark', width: 1_200, height: 900, scheme: 'dark' },
    { name: 'phone', width: 360, height: 740, scheme: 'light' },
  ] as const;
  for (const { name, ...look } of looks) {
    test(`[CO-6] ${name}: nothing is wider than the page`, async () => {
      clients = [await reader('tablet')];
      const page = await enter(tokenOf());
      await page.look(look);
      await page.until(`${rows('readers')}.length === 2`);
      await push([`${name}/check-1`, `${name}/check-2`], { title: 'Door', done: false });
      await page.until(`${rows('changes')}.length === 2`);
      await page.value(`document.querySelector('#changes button').click()`);
      await page.value(`document.querySelector('#readers button').click()`);
      const text = await page.value<number>(`document.querySelector('pre').clientWidth`);
      assert.ok(text > look.width / 2, `the document has ${text} pixels`);
      const overflow = `document.documentElement.scrollWidth - innerWidth`;
      assert.ok((await page.value<number>(overflow)) <= 0);
      if (PICTURES !== undefined) {
        writeFileSync(path.join(PICTURES, `console-${name}.png`), await page.picture());
      }
      await page.close();
    });
  }
});
