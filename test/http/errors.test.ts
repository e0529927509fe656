import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError, type StoreErrorKind } from '../../src/core/ports/store.ts';
import type { ErrorEnvelope } from '../../src/protocol/error-envelope.ts';
import { ERROR_CATALOGUE, SyncError } from '../../src/protocol/errors.ts';
import { ERROR_CODES } from '../../src/protocol/pure/error-codes.ts';
import { fakeApp, JSON_HEADERS, pushBody } from './support/fake-app.ts';

const SINCE = 'since=19700101T000000.000Z-0000';
const TOKEN = { authorization: 'Bearer s1' };

async function envelope(response: Response): Promise<ErrorEnvelope> {
  return (await response.json()) as ErrorEnvelope;
}

describe('[HT-21] errors', () => {
  test('[HT-21] every code has one envelope with its status, text and id', async () => {
    for (const code of ERROR_CODES) {
      const { app } = fakeApp({ pull: async () => Promise.reject(new SyncError(code)) });
      // Past the check of `request`: no route can give every code.
      const address = `http://localhost/sync/pull?${SINCE}`;
      const response = await app.fetch(new Request(address, { headers: TOKEN }));
      const { status, message, retryable } = ERROR_CATALOGUE[code];
      assert.equal(response.status, status, code);
      assert.equal(response.headers.get('content-type'), 'application/json');
      assert.deepEqual(await envelope(response), {
        error: code,
        message,
        retryable,
        request_id: response.headers.get('x-request-id'),
        detail: message,
      });
      const retryAfter = status === 503 || status === 429 ? '1' : null;
      assert.equal(response.headers.get('retry-after'), retryAfter);
      assert.equal(response.headers.get('www-authenticate'), status === 401 ? 'Bearer' : null);
    }
  });
  test('[HT-21] Retry-After is what the error says', async () => {
    const busy = new SyncError('rate_limited', { retryAfterSeconds: 7 });
    const { app } = fakeApp({ pull: () => Promise.reject(busy) });
    const response = await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN });
    assert.equal(response.headers.get('retry-after'), '7');
  });
  test('[HT-21] nothing of an unknown error leaves the server; its cause reaches the log', async () => {
    const secret = new Error('E11000 dup key at mongodb://root:pw@db (collection tasks)');
    const { app, finished } = fakeApp({ pull: () => Promise.reject(secret) });
    const response = await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN });
    const text = JSON.stringify([await response.text(), ...response.headers]);
    assert.equal(response.status, 500);
    assert.doesNotMatch(text, /E11000|mongodb|root|pw|tasks|\bat \b/);
    assert.equal(finished[0]?.cause, secret);
    assert.deepEqual([finished[0]?.status, finished[0]?.code], [500, 'internal']);
  });
  test('[HT-21] thrown values that are no errors are internal as well', async () => {
    for (const thrown of ['text', undefined, null, 7]) {
      const { app } = fakeApp({ pull: () => Promise.reject(thrown) });
      assert.equal((await app.request(`/sync/pull?${SINCE}`, { headers: TOKEN })).status, 500);
    }
  });
  const kinds: Record<StoreErrorKind, string> = {
    deadline: 'database_unavailable',
    commit_unknown: 'database_unavailable',
    version_taken: 'database_unavailable',
    unavailable: 'database_unavailable',
    unsupported: 'database_unavailable',
    locked: 'database_unavailable',
    failed: 'internal',
    layout_blocked: 'internal',
    history_lost: 'database_unavailable',
  };
  for (const [kind, code] of Object.entries(kinds)) {
    test(`[HT-21] a store that fails with ${kind} is ${code}`, async () => {
      const failure = new StoreError(kind as StoreErrorKind, 'at db.internal');
      const { app } = fakeApp({ push: () => Promise.reject(failure) });
      const init = { method: 'POST', headers: JSON_HEADERS, body: pushBody() };
      const body = await envelope(await app.request('/sync/push', init));
      assert.equal(body.error, code);
      assert.equal(body.details?.reason, code === 'internal' ? undefined : kind);
      assert.ok(!JSON.stringify(body).includes('db.internal'));
    });
  }
  test('[HT-21] application/problem+json when the caller names it', async () => {
    const { app } = fakeApp();
    const headers = { accept: 'application/json, application/problem+json' };
    const response = await app.request('/sync/pull', { headers });
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const body = (await response.json()) as Record<string, unknown>;
    assert.equal(body['type'], 'urn:offline-sync:error:authentication_failed');
    assert.equal(body['title'], ERROR_CATALOGUE.authentication_failed.message);
    assert.equal(body['detail'], body['title']);
    assert.deepEqual(
      [body['status'], body['code'], body['error']],
      [401, 'authentication_failed', 'authentication_failed'],
    );
    assert.equal(body['instance'], response.headers.get('x-request-id'));
  });
});
