/** The error catalogue is closed and complete: every code has a meaning, a page and a test. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ERROR_CATALOGUE, REJECTION_CATALOGUE } from '../../src/protocol/errors.ts';
import {
  AUTH_REASONS,
  ERROR_CODES,
  ISSUE_CODES,
  REJECTION_CODES,
  STALE_REASONS,
} from '../../src/protocol/pure/error-codes.ts';
import { source, sources } from './support/sources.ts';

const SELF = 'test/architecture/catalogue.test.ts';
const EVERY_CODE = [
  ...new Set([
    ...ERROR_CODES,
    ...REJECTION_CODES,
    ...AUTH_REASONS,
    ...STALE_REASONS,
    ...ISSUE_CODES,
  ]),
];

test('[AR-12] every error code has a status, a recovery and a text that says what to do', () => {
  for (const code of ERROR_CODES) {
    const entry = ERROR_CATALOGUE[code];
    assert.ok(entry.status >= 400 && entry.status <= 599, `${code} has status ${entry.status}`);
    assert.equal(
      entry.retryable,
      entry.recovery === 'retry',
      `${code}: retryable and recovery differ`,
    );
    assert.match(entry.message, /^[A-Za-z].*\.$/, code);
  }
  for (const code of REJECTION_CODES)
    assert.match(REJECTION_CATALOGUE[code].message, /^[A-Za-z].*\.$/, code);
  assert.deepEqual(Object.keys(ERROR_CATALOGUE).sort(), [...ERROR_CODES].sort());
  assert.deepEqual(Object.keys(REJECTION_CATALOGUE).sort(), [...REJECTION_CODES].sort());
});

test('[AR-12] every code is documented', () => {
  const page = source('docs/ERRORS.md').text;
  assert.deepEqual(
    EVERY_CODE.filter((code) => !page.includes(`\`${code}\``)),
    [],
  );
});

test('[AR-13] every code is produced by a test', () => {
  const tests = sources(['test'], ['.ts', '.json']).filter(({ file }) => file !== SELF);
  const mentioned = (code: string) => {
    const quoted = new RegExp(`['"\`]${code}['"\`]|\\b${code}: `);
    return tests.some(({ text }) => quoted.test(text));
  };
  assert.deepEqual(
    EVERY_CODE.filter((code) => !mentioned(code)),
    [],
  );
});

test('[AR-12] the product raises no code outside the catalogue', () => {
  const raised = sources(['src'], ['.ts']).flatMap(({ file, text }) =>
    [...text.matchAll(/new SyncError\(\s*'(\w+)'/g)].map((match) => ({
      file,
      code: match[1] ?? '',
    })),
  );
  assert.ok(raised.length > 0);
  const known = new Set<string>(ERROR_CODES);
  assert.deepEqual(
    raised.filter(({ code }) => !known.has(code)),
    [],
  );
});
