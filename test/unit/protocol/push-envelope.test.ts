/** The envelope of a push. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SyncError } from '../../../src/protocol/errors.ts';
import { parsePushRequest } from '../../../src/protocol/push.ts';

function issues(body: unknown): string[] {
  try {
    parsePushRequest(body);
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    assert.equal(error.code, 'validation_failed');
    return (error.details?.issues ?? []).map((issue) => `${issue.path} ${issue.code}`);
  }
  return [];
}

test('[WI-6] an envelope gives its client, its changes untouched, and atomic only when sent', () => {
  const changes = [null, 'x', { collection: 7 }];
  assert.deepEqual(parsePushRequest({ client_id: 'device-xyz', changes, note: 'ignored' }), {
    client_id: 'device-xyz',
    changes,
  });
  assert.deepEqual(parsePushRequest({ client_id: 'd', changes: [], atomic: 'bundle' }), {
    client_id: 'd',
    changes: [],
    atomic: 'bundle',
  });
});

test('[WI-6] a body that is no object is refused as a whole', () => {
  for (const body of [null, undefined, [], 'x', 1, true]) {
    assert.deepEqual(issues(body), [' invalid_envelope']);
  }
});

test('[WI-6] every fault of the envelope is reported at once', () => {
  assert.deepEqual(issues({ clientId: 'x', changes: {}, atomic: 'all' }), [
    '/clientId near_miss',
    '/client_id invalid_client_id',
    '/changes invalid_changes',
    '/atomic invalid_atomic',
  ]);
});

test('[WI-6] client_id is text of 1 to 128 characters without control characters', () => {
  for (const client_id of ['', 'x'.repeat(129), 7, null, ['a'], 'a\u0000', 'a\nb', '\ud800']) {
    assert.deepEqual(issues({ client_id, changes: [] }), ['/client_id invalid_client_id']);
  }
});

test('[PU-3] near misses and names of later versions are refused in the envelope', () => {
  assert.deepEqual(issues({ client_id: 'd', changes: [], Changes: [], client_seq: 1 }), [
    '/Changes near_miss',
    '/client_seq unsupported_field',
  ]);
});

test('[WI-6] an inherited field is not a sent one', () => {
  const body = JSON.parse('{"__proto__":{"client_id":"d","changes":[]}}') as unknown;
  assert.deepEqual(issues(body), ['/client_id invalid_client_id', '/changes invalid_changes']);
});
