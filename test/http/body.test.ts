import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BODY_DEPTH_MAX } from '../../src/http/http-limits.ts';
import { scanJson } from '../../src/http/middleware/scan-json.ts';
import { DEPTH_MAX, TOKENS_MAX } from '../../src/protocol/pure/limits.ts';
import type { PushRequest } from '../../src/protocol/push.ts';
import { checkLaw } from '../support/law.ts';
import { fakeApp, JSON_HEADERS, pushBody } from './support/fake-app.ts';

const scan = (text: string) => scanJson(Buffer.from(text));

interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly reason: string | undefined;
}

async function push(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Refusal | 200> {
  const { app, asked } = fakeApp({}, { limits: SMALL });
  const response = await app.request('/sync/push', {
    method: 'POST',
    headers: { ...JSON_HEADERS, ...headers },
    body,
  });
  if (response.status === 200) return 200;
  assert.equal(asked.length, 0, 'the engine must not be asked');
  const { error, details } = (await response.json()) as {
    error: string;
    details?: { reason?: string };
  };
  return { status: response.status, error, reason: details?.reason };
}

const LIMIT = 20_000_000;
const SMALL = {
  max_body_bytes: LIMIT,
  push_max_changes: 500,
  pull_default_limit: 500,
  pull_max_limit: 1_000,
  full_default_limit: 1_000,
  full_max_limit: 5_000,
};

describe('[HT-8] the media type of a body', () => {
  const types: readonly (readonly [string, string | null])[] = [
    ['application/json', null],
    ['Application/JSON; charset=UTF-8', null],
    ['application/json; charset="utf-8"; v=1', null],
    ['application/json;charset=utf-16', 'charset'],
    ['application/json; charset=latin1', 'charset'],
    ['text/plain', 'content_type'],
    ['text/plain;charset=UTF-8', 'content_type'],
    ['multipart/form-data; boundary=x', 'content_type'],
    ['application/x-www-form-urlencoded', 'content_type'],
    ['application/merge-patch+json', 'content_type'],
    ['', 'content_type'],
  ];
  for (const [type, reason] of types) {
    test(`[HT-8] "${type}" is ${reason ?? 'read'}`, async () => {
      const expected =
        reason === null ? 200 : { status: 415, error: 'unsupported_media_type', reason };
      assert.deepEqual(await push(pushBody(), { 'content-type': type }), expected);
    });
  }
  test('[HT-8] a body without a type is refused', async () => {
    const { app } = fakeApp();
    const body = new TextEncoder().encode(pushBody());
    const headers = { authorization: 'Bearer s1' };
    assert.equal((await app.request('/sync/push', { method: 'POST', headers, body })).status, 415);
  });
  for (const encoding of ['gzip', 'br', 'zstd', 'gzip, gzip', 'x']) {
    test(`[HT-8] Content-Encoding ${encoding} is refused`, async () => {
      const expected = {
        status: 415,
        error: 'unsupported_media_type',
        reason: 'unsupported_encoding',
      };
      assert.deepEqual(await push(pushBody(), { 'content-encoding': encoding }), expected);
    });
  }
  test('[HT-8] Content-Encoding identity is read', async () => {
    assert.equal(await push(pushBody(), { 'content-encoding': 'Identity' }), 200);
  });
});

describe('[HT-9] the size of a body', () => {
  const limits = { ...SMALL, max_body_bytes: 100 };
  const sized = (length: number) => pushBody().padEnd(length, ' ');
  const send = (body: BodyInit, headers = {}) => {
    const { app } = fakeApp({}, { limits });
    const init = { method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body, duplex: 'half' };
    return app.request('/sync/push', init as RequestInit);
  };
  test('[HT-9] a body of exactly the limit is read', async () => {
    assert.equal((await send(sized(100))).status, 200);
  });
  test('[HT-9] a declared length over the limit is refused before a byte is read', async () => {
    const body = new ReadableStream(
      { pull: () => assert.fail('the body was read') },
      {
        highWaterMark: 0,
      },
    );
    const response = await send(body, { 'content-length': '101' });
    assert.equal(response.status, 413);
    assert.equal(((await response.json()) as { error: string }).error, 'body_too_large');
  });
  test('[HT-9] an undeclared length is counted while it arrives', async () => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 60;
        controller.enqueue(new TextEncoder().encode(sized(60)));
      },
    });
    assert.equal((await send(body)).status, 413);
    assert.ok(sent < 1_000, 'reading must stop at the limit');
  });
});

describe('[HT-10] a body that is no JSON', () => {
  const cases: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, string])[] = [
    ['empty', '', 'invalid_json'],
    ['blank', ' \n', 'invalid_json'],
    ['a byte order mark', `\ufeff${pushBody()}`, 'invalid_json'],
    ['garbage behind it', `${pushBody()}x`, 'invalid_json'],
    ['a comment', `${pushBody()}//`, 'invalid_json'],
    ['single quotes', "{'client_id':'c1','changes':[]}", 'invalid_json'],
    ['NaN', '{"client_id":"c1","changes":NaN}', 'invalid_json'],
    ['a comma too many', '{"client_id":"c1","changes":[],}', 'invalid_json'],
    ['cut in half', pushBody().slice(0, 20), 'invalid_json'],
    ['a NUL', `${pushBody()}\0`, 'invalid_json'],
    ['invalid UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'invalid_utf8'],
    ['a surrogate in UTF-8', new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid_utf8'],
    ['UTF-16', new Uint8Array(Buffer.from('\ufeff{}', 'utf16le')), 'invalid_utf8'],
    ['a million brackets', '['.repeat(1_000_000), 'nesting_too_deep'],
    ['a megabyte of []', `[${'[],'.repeat(350_000)}0]`, 'too_many_tokens'],
    ['a repeated client_id', '{"client_id":"a","changes":[],"client_id":"b"}', 'duplicate_key'],
    ['an escaped repetition', '{"changes":[],"ch\\u0061nges":[]}', 'duplicate_key'],
    ['a repetition with blanks', '{"atomic" \n:1,"atomic"\t: 2}', 'duplicate_key'],
  ];
  for (const [name, body, reason] of cases) {
    test(`[HT-10] ${name}: ${reason}`, async () => {
      const expected = { status: 400, error: 'invalid_request', reason };
      assert.deepEqual(await push(body), expected);
    });
  }
  for (const body of ['null', '[]', '"x"', '1', 'true']) {
    test(`[HT-10] ${body} is JSON and no push`, async () => {
      const expected = { status: 422, error: 'validation_failed', reason: undefined };
      assert.deepEqual(await push(body), expected);
    });
  }
  test('[HT-10] what is read is what was sent', async () => {
    const requests: PushRequest[] = [];
    const { app } = fakeApp({
      push: async (_, request) => {
        requests.push(request);
        return { body: { results: [], head: '', bundle_seq: null }, head_bundle_seq: 0 };
      },
    });
    const changes = [{ data: { 'ключ "x"': ['\\', '\u2028', { deep: ['é', 1.5, null] }] } }, 'x'];
    await app.request('/sync/push', {
      method: 'POST',
      headers: JSON_HEADERS,
      body: pushBody(changes),
    });
    assert.deepEqual(requests[0]?.changes, changes);
  });
});

describe('[HT-11] bounds of a body before it is parsed', () => {
  test('[HT-11] depth: the bound passes, one more does not', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    assert.equal(scan(nested(BODY_DEPTH_MAX)), null);
    assert.equal(scan(nested(BODY_DEPTH_MAX + 1)), 'nesting_too_deep');
    assert.equal(scan(`["${'['.repeat(500)}\\"${'{'.repeat(500)}"]`), null);
  });
  test('[HT-11] a document one level too deep is left to the verdict on its change', async () => {
    const data = (depth: number): unknown => (depth === 1 ? {} : { a: data(depth - 1) });
    assert.equal(await push(pushBody([{ data: data(DEPTH_MAX + 1) }])), 200);
  });
  test('[HT-11] tokens: the bound passes, one more does not', () => {
    const dense = (tokens: number) => `[${','.repeat(tokens - 2)}]`;
    assert.equal(scan(dense(2 * TOKENS_MAX)), null);
    assert.equal(scan(dense(2 * TOKENS_MAX + 1)), 'too_many_tokens');
    assert.equal(scan(`${dense(2 * TOKENS_MAX + 1)}  `), null);
  });
  test('[HT-11] a long list of digits passes', () => {
    assert.equal(scan(`[${'0,'.repeat(10 * TOKENS_MAX)}0]`), null);
  });
  test('[HT-11] a full push of small fields, 8 MiB in 1,000 changes, passes', () => {
    const data = Object.fromEntries(Array.from({ length: 850 }, (_, i) => [`f${i}`, i % 10]));
    const change = { collection: 'tasks', operation: 'upsert', doc_id: 'x', data };
    const body = pushBody(Array.from({ length: 1_000 }, () => change));
    assert.ok(body.length > 7_000_000 && body.length < 8_388_608);
    assert.equal(scan(body), null);
  });
  test('[HT-11] no JSON of ordinary shape is refused', (t) => {
    const value = fc.jsonValue({ maxDepth: 5 });
    checkLaw(
      t,
      fc.property(value, (one) => assert.equal(scan(JSON.stringify({ one })), null)),
    );
  });
  test('[HT-11] exactly the outermost repeated keys are found', (t) => {
    const keys = fc.array(fc.string({ unit: 'binary', maxLength: 3 }), { maxLength: 6 });
    checkLaw(
      t,
      fc.property(keys, (names) => {
        const text = `{${names.map((name) => `${JSON.stringify(name)}:{"x":1,"x":2}`).join()}}`;
        const expected = new Set(names).size < names.length ? 'duplicate_key' : null;
        assert.equal(scan(text), expected);
      }),
    );
  });
  test('[HT-11] bytes that are no JSON never break the scan', (t) => {
    const junk = fc.string({
      unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ':', ',', ' ', 'a'),
    });
    checkLaw(
      t,
      fc.property(junk, (text) => void scan(text)),
    );
  });
});
