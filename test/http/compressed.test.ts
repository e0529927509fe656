import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { constants, createGunzip, gunzip, gunzipSync } from 'node:zlib';
import type { FullAnswer } from '../../src/core/pull/answers.ts';
import { replyBlocks, toBlocks } from '../../src/http/compressed.ts';
import type { Exchange } from '../../src/http/exchange.ts';
import { BLOCK_BYTES, GZIP_BYTES_MIN } from '../../src/http/http-limits.ts';
import { fullLine } from '../../src/protocol/full.ts';
import { closePullLine, openPullLine } from '../../src/protocol/pull.ts';
import { fakeApp, HEAD } from './support/fake-app.ts';

const TOKEN = { authorization: 'Bearer s1' };
const PULL = '/sync/pull?since=19700101T000000.000Z-0000';
const FULL = '/sync/full?collections=tasks';

function row(size: number): string {
  const text = openPullLine({
    version: HEAD,
    parent_version: null,
    collection: 'tasks',
    doc_id: 't1',
    operation: 'upsert',
    data: { text: 'é'.repeat(size) },
    actor_id: 'ann',
    client_id: 'c1',
    mutation_id: null,
    change_version: HEAD,
    bundle_seq: 1,
  });
  return closePullLine(text, true);
}

function line(size: number): string {
  const data = { text: 'é'.repeat(size) };
  return `${fullLine({ collection: 'tasks', doc_id: 't1', version: HEAD, data })}\n`;
}

function pullApp(changes: readonly string[]) {
  return fakeApp({
    pull: async () => ({
      kind: 'page',
      changes,
      last_seq: HEAD,
      has_more: true,
      head: HEAD,
      head_bundle_seq: 4,
    }),
  }).app;
}

function fullApp(answer: Partial<FullAnswer>) {
  return fakeApp({
    full: async () => ({
      last_seq: HEAD,
      head: HEAD,
      head_bundle_seq: 4,
      cursor: null,
      chunks: [],
      count: 0,
      ...answer,
    }),
  }).app;
}

function exchangeFor(encoding: string): Exchange {
  return {
    request: new Request('http://localhost/', { headers: { 'accept-encoding': encoding } }),
    method: 'GET',
    request_id: 'r1',
    headers: {},
    incoming: undefined,
  };
}

/** Texts without end; `ended` resolves when somebody stopped asking for them. */
function endless(letter: string) {
  let made = 0;
  let stop: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    stop = resolve;
  });
  function* texts() {
    try {
      for (;;) {
        made += 1;
        yield letter.repeat(BLOCK_BYTES);
      }
    } finally {
      stop();
    }
  }
  return { texts: texts(), ended, made: () => made };
}

describe('[HT-14] JSON answers', () => {
  test('[HT-14] a page is joined from ready texts', async () => {
    const response = await pullApp([row(1), row(2)]).request(PULL, { headers: TOKEN });
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.equal(
      await response.text(),
      `{"changes":[${row(1)},${row(2)}],"last_seq":"${HEAD}","has_more":true,"head":"${HEAD}"}`,
    );
  });
  test('[HT-14] a stale cursor is 200 with the reason and the head', async () => {
    const body = {
      full_resync_required: true as const,
      reason: 'history_pruned' as const,
      collections: ['tasks'],
      head: HEAD,
      epoch: 'e',
    };
    const { app } = fakeApp({ pull: async () => ({ kind: 'stale', body, head_bundle_seq: 9 }) });
    const response = await app.request(PULL, { headers: TOKEN });
    assert.deepEqual(await response.json(), body);
    const { headers } = response;
    assert.deepEqual([headers.get('sync-head'), headers.get('sync-head-seq')], [HEAD, '9']);
  });
  const cases: readonly (readonly [string, number, boolean])[] = [
    ['gzip', 2_000, true],
    ['deflate, gzip;q=0.5, br', 2_000, true],
    ['*', 2_000, true],
    ['gzip;q=0', 2_000, false],
    ['*;q=0', 2_000, false],
    ['br', 2_000, false],
    ['', 2_000, false],
    ['gzip', 10, false],
  ];
  for (const [encoding, size, packed] of cases) {
    test(`[HT-14] Accept-Encoding "${encoding}", row of ${size}: ${packed ? 'gzip' : 'plain'}`, async () => {
      const headers = { ...TOKEN, 'accept-encoding': encoding };
      const response = await pullApp([row(size)]).request(PULL, { headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(response.headers.get('content-encoding'), packed ? 'gzip' : null);
      assert.equal(response.headers.get('vary'), 'Accept-Encoding');
      const text = packed ? gunzipSync(bytes).toString() : bytes.toString();
      assert.ok(text.includes(row(size)));
      assert.equal(text.length >= GZIP_BYTES_MIN, size === 2_000);
    });
  }
  test('[HT-14] Vary names the origin as well when origins are configured', async () => {
    const { app } = fakeApp({}, { cors: ['https://a.example.org'] });
    const response = await app.request(PULL, { headers: TOKEN });
    assert.equal(response.headers.get('vary'), 'Origin, Accept-Encoding');
  });
});

describe('[HT-15] a full resync page', () => {
  test('[HT-15] headers: the cursor only when more remains, the last_seq always', async () => {
    const more = await fullApp({ cursor: 'abc' }).request(FULL, { headers: TOKEN });
    const last = await fullApp({}).request(FULL, { headers: TOKEN });
    assert.equal(more.headers.get('x-sync-cursor'), 'abc');
    assert.equal(last.headers.get('x-sync-cursor'), null);
    for (const { headers } of [more, last]) {
      assert.equal(headers.get('x-sync-lastseq'), HEAD);
      assert.equal(headers.get('content-type'), 'application/x-ndjson');
    }
  });
  test('[HT-15] the trailer is asked for by the protocol header or the query', async () => {
    const { app, asked } = fakeApp();
    const ask = (target: string, headers = {}) =>
      app.request(target, { headers: { ...TOKEN, ...headers } });
    await ask(FULL);
    await ask(FULL, { 'sync-protocol': '1' });
    await ask(`${FULL}&trailer=1`);
    await ask(`${FULL}&trailer=0`, { 'sync-protocol': '1' });
    const wanted = asked.map(({ query }) => (query as { trailer: boolean }).trailer);
    assert.deepEqual(wanted, [false, true, true, false]);
  });
  for (const encoding of ['identity', 'gzip']) {
    test(`[HT-15] ${encoding}: all lines arrive unchanged, in blocks`, async () => {
      const chunks = [line(50_000), line(3), line(200_000), line(1)];
      const headers = { ...TOKEN, 'accept-encoding': encoding };
      const response = await fullApp({ chunks }).request(FULL, { headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      const text = encoding === 'gzip' ? (await promisify(gunzip)(bytes)).toString() : `${bytes}`;
      assert.equal(response.headers.get('content-encoding'), encoding === 'gzip' ? 'gzip' : null);
      assert.ok(text === chunks.join(''));
    });
    test(`[HT-15] ${encoding}: an empty page is an empty body`, async () => {
      const headers = { ...TOKEN, 'accept-encoding': encoding };
      const response = await fullApp({}).request(FULL, { headers });
      const bytes = Buffer.from(await response.arrayBuffer());
      assert.equal(encoding === 'gzip' ? gunzipSync(bytes).length : bytes.length, 0);
    });
    test(`[HT-15] ${encoding}: a failure midway aborts the body and hides its cause`, async () => {
      function* failing() {
        yield `${row(100_000)}\n`;
        throw new Error('secret address');
      }
      const response = replyBlocks(exchangeFor(encoding), failing(), {});
      await assert.rejects(response.arrayBuffer(), (error: Error) => {
        assert.ok(!String(error.message).includes('secret'));
        return true;
      });
    });
    test(`[HT-15] ${encoding}: a caller that leaves ends the reading`, async () => {
      const production = endless('é');
      const reader = replyBlocks(exchangeFor(encoding), production.texts, {}).body?.getReader();
      await reader?.read();
      await reader?.cancel();
      await production.ended;
      assert.ok(production.made() < 50, 'production must follow the reader');
    });
  }
  test('[HT-15] gzip: the first block arrives before many more are made', async () => {
    const production = endless('y');
    const reader = replyBlocks(exchangeFor('gzip'), production.texts, {}).body?.getReader();
    const plain = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
    let text = '';
    plain.on('data', (part) => {
      text += part;
    });
    while (text === '') {
      const part = await reader?.read();
      await new Promise((resolve) => plain.write(part?.value, resolve));
    }
    assert.match(text, /^y+/);
    assert.ok(
      production.made() < 20,
      `${production.made()} blocks were made before the first came`,
    );
    await reader?.cancel();
    await production.ended;
  });
  test('[HT-15] blocks have their size, whatever the texts', () => {
    const texts = ['a', 'é'.repeat(100_000), '', 'b'.repeat(70_000), 'c'];
    const blocks = [...toBlocks(texts)];
    assert.ok(blocks.slice(0, -1).every((block) => block.length === BLOCK_BYTES));
    assert.ok(Buffer.concat(blocks).equals(Buffer.from(texts.join(''))));
    assert.deepEqual([...toBlocks([])], []);
  });
});
