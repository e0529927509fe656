/** The error catalogue is closed and consistent. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ERROR_CATALOGUE, REJECTION_CATALOGUE, SyncError } from '../../../src/protocol/errors.ts';
import {
  AUTH_REASONS,
  ERROR_CODES,
  ISSUE_CODES,
  REJECTION_CODES,
  STALE_REASONS,
} from '../../../src/protocol/pure/error-codes.ts';

test('[WI-9] every list of codes is without repeats and in snake case', () => {
  for (const list of [ERROR_CODES, REJECTION_CODES, AUTH_REASONS, STALE_REASONS, ISSUE_CODES]) {
    assert.equal(new Set(list).size, list.length);
    for (const code of list) assert.match(code, /^[a-z]+(_[a-z]+)*$/);
  }
});

test('[WI-9] every code has one entry, and there are no others', () => {
  assert.deepEqual(Object.keys(ERROR_CATALOGUE).sort(), [...ERROR_CODES].sort());
  assert.deepEqual(Object.keys(REJECTION_CATALOGUE).sort(), [...REJECTION_CODES].sort());
});

test('[WI-9] status, recovery and retryable agree', () => {
  for (const [code, entry] of Object.entries(ERROR_CATALOGUE)) {
    assert.ok(entry.status >= 400 && entry.status <= 599, code);
    assert.equal(entry.retryable, entry.recovery === 'retry', code);
    assert.equal([408, 429, 503].includes(entry.status), entry.retryable, code);
    assert.match(entry.message, /^[A-Za-z].*\.$/, `${code}: a whole sentence`);
  }
  for (const [code, { message }] of Object.entries(REJECTION_CATALOGUE)) {
    assert.match(message, /^[A-Za-z].*\.$/, `${code}: a whole sentence`);
  }
});

test('[WI-9] an error carries static text, its details, and a wait only when a retry helps', () => {
  const cause = new Error('driver');
  const error = new SyncError('database_unavailable', { cause, details: { reason: 'x' } });
  assert.equal(error.message, ERROR_CATALOGUE.database_unavailable.message);
  assert.equal(error.cause, cause);
  assert.deepEqual(error.details, { reason: 'x' });
  assert.equal(error.retry_after_seconds, 1);
  assert.equal(new SyncError('rate_limited', { retryAfterSeconds: 9 }).retry_after_seconds, 9);
  assert.equal(new SyncError('validation_failed').retry_after_seconds, undefined);
});
