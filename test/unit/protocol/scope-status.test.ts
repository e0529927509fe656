/** What a status is asked, as a query and as a body. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SyncError } from '../../../src/protocol/errors.ts';
import { parseStatusQuery, parseStatusRequest } from '../../../src/protocol/scope-status.ts';

const SINCE = '20260502T120000.000Z-0001-a1b2';

function query(text: string): unknown {
  return outcome(() => parseStatusQuery(new URLSearchParams(text)));
}

function body(value: unknown): unknown {
  return outcome(() => parseStatusRequest(value));
}

/** What is read, or code and issues of the refusal. */
function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    const issues = error.details?.issues ?? [];
    return [error.code, ...issues.map(({ path, code }) => `${path} ${code}`)];
  }
}

test('[SU-7] every parameter may be left out', () => {
  assert.deepEqual(query(''), { since: null });
  assert.deepEqual(query(`since=${SINCE}&client_id=laptop`), { since: SINCE });
});

test('[SU-7] unknown, repeated and bad parameters are refused with every finding', () => {
  assert.deepEqual(query('since=x&since=y&limit=1&client_id='), [
    'validation_failed',
    '?since duplicate_parameter',
    '?limit unknown_parameter',
    '?client_id invalid_client_id',
  ]);
  assert.deepEqual(query('collections=tasks'), [
    'validation_failed',
    '?collections unknown_parameter',
  ]);
});

test('[SU-7] a since that is no version is hlc_invalid, as a query and as a field', () => {
  for (const since of [
    '',
    '0',
    'null',
    `${SINCE} `,
    `${SINCE}\u0000`,
    '20260231T000000.000Z-0000',
  ]) {
    assert.deepEqual(query(new URLSearchParams({ since }).toString()), [
      'hlc_invalid',
      '?since invalid_since',
    ]);
  }
  for (const since of ['', 0, true, {}, [SINCE]]) {
    assert.deepEqual(body({ since }), ['hlc_invalid', '/since invalid_since']);
  }
});

test('[SU-7] the body has the same fields; null is absent, other names are ignored unless they are near', () => {
  assert.deepEqual(body({}), { since: null });
  assert.deepEqual(body({ since: null, client_id: null }), { since: null });
  assert.deepEqual(body({ since: SINCE, client_id: 'laptop', device: 'x' }), { since: SINCE });
  assert.deepEqual(body({ since: SINCE, clientId: 'laptop' }), [
    'validation_failed',
    '/clientId near_miss',
  ]);
  assert.deepEqual(body({ client_id: 7 }), ['validation_failed', '/client_id invalid_client_id']);
});

test('[SU-7] a body that is no object is refused', () => {
  for (const value of [null, [], 'since', 7, true]) {
    assert.deepEqual(body(value), ['validation_failed', ' invalid_envelope']);
  }
});
