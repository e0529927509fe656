/** Query strings of pull and full. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SyncError } from '../../../src/protocol/errors.ts';
import { type FullQuery, parseFullQuery } from '../../../src/protocol/full.ts';
import { type PullQuery, parsePullQuery } from '../../../src/protocol/pull.ts';
import { COLLECTIONS_PER_REQUEST_MAX } from '../../../src/protocol/pure/limits.ts';

const SINCE = '20260502T120000.000Z-0001-a1b2';
const LIMITS = { defaultLimit: 500, maxLimit: 1_000 };

function pull(query: string): PullQuery {
  return parsePullQuery(new URLSearchParams(query), LIMITS);
}

function full(query: string, trailerByHeader = false): FullQuery {
  return parseFullQuery(new URLSearchParams(query), LIMITS, trailerByHeader);
}

/** Code and issue codes of the error that `work` throws. */
function refusal(work: () => unknown): readonly [string, ...string[]] {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SyncError)) throw error;
    return [
      error.code,
      ...(error.details?.issues ?? []).map((issue) => `${issue.path} ${issue.code}`),
    ];
  }
  return ['accepted'];
}

test('[WI-1] a pull with since alone takes the defaults', () => {
  assert.deepEqual(pull(`since=${SINCE}`), { since: SINCE, collections: undefined, limit: 500 });
});

test('[WI-1] unknown and repeated parameters are refused, all findings at once', () => {
  assert.deepEqual(
    refusal(() => pull(`since=${SINCE}&since=${SINCE}&user_id=x&limit=0`)),
    [
      'validation_failed',
      '?since duplicate_parameter',
      '?user_id unknown_parameter',
      '?limit invalid_limit',
    ],
  );
  for (const query of ['since[$gt]=', '__proto__=1', 'Since=x', 'constructor=1', '=1']) {
    assert.equal(refusal(() => pull(`since=${SINCE}&${query}`))[0], 'validation_failed', query);
  }
});

test('[WI-1] a hostile parameter name is reported short', () => {
  const [, issue] = refusal(() => pull(`since=${SINCE}&${'x'.repeat(5_000)}=1`));
  assert.ok((issue ?? '').length < 100);
});

test('[WI-2] limit is a whole number from 1, capped at the maximum', () => {
  for (const [text, limit] of [
    ['1', 1],
    ['999', 999],
    ['1000', 1_000],
    ['1001', 1_000],
    ['9'.repeat(16), 1_000],
  ]) {
    assert.equal(pull(`since=${SINCE}&limit=${text}`).limit, limit);
  }
  for (const text of [
    '0',
    '-1',
    '1.5',
    '0x10',
    '1e3',
    '%205',
    '5%20',
    '',
    'NaN',
    '01',
    '+5',
    '٣',
    '9'.repeat(17),
  ]) {
    assert.deepEqual(
      refusal(() => pull(`since=${SINCE}&limit=${text}`)),
      ['validation_failed', '?limit invalid_limit'],
    );
  }
});

test('[WI-3] a since that is no HLC is 422 hlc_invalid', () => {
  for (const query of [
    '',
    'since=',
    'since=junk',
    'since=%00',
    'since=%ff',
    `since=${'9'.repeat(10_000)}`,
  ]) {
    assert.deepEqual(
      refusal(() => pull(query)),
      ['hlc_invalid', '?since invalid_since'],
      query,
    );
  }
  for (const text of [
    '20261302T120000.000Z-0001-a1b2',
    `${SINCE}%0A`,
    SINCE.toUpperCase(),
    '99991332T000000.000Z-0000',
  ]) {
    assert.equal(refusal(() => pull(`since=${text}`))[0], 'hlc_invalid', text);
  }
  assert.equal(pull('since=20260502T120000.000Z-0001').since, '20260502T120000.000Z-0001');
});

test('[WI-4] collections are names separated by commas, each once', () => {
  assert.deepEqual(pull(`since=${SINCE}&collections=tasks,notes,tasks,`).collections, [
    'tasks',
    'notes',
  ]);
  for (const text of ['', ',', ',,']) {
    assert.deepEqual(
      refusal(() => pull(`since=${SINCE}&collections=${text}`)),
      ['validation_failed', '?collections invalid_collections'],
    );
  }
});

test('[WI-4] 50 names, and not 51', () => {
  const names = (count: number): string =>
    Array.from({ length: count }, (_, i) => `c${i}`).join(',');
  assert.equal(COLLECTIONS_PER_REQUEST_MAX, 50);
  assert.equal(pull(`since=${SINCE}&collections=${names(50)}`).collections?.length, 50);
  assert.equal(
    refusal(() => pull(`since=${SINCE}&collections=${names(51)}`))[0],
    'validation_failed',
  );
});

test('[WI-5] a full resync needs collections; the other parameters have defaults', () => {
  assert.deepEqual(full('collections=tasks'), {
    collections: ['tasks'],
    cursor: undefined,
    limit: 500,
    trailer: false,
  });
  assert.deepEqual(
    refusal(() => full('')),
    ['validation_failed', '?collections invalid_collections'],
  );
  assert.equal(refusal(() => full('collections=tasks&since=x'))[0], 'validation_failed');
});

test('[WI-5] the trailer comes by header or by parameter, and the parameter decides', () => {
  assert.equal(full('collections=tasks', true).trailer, true);
  assert.equal(full('collections=tasks&trailer=1').trailer, true);
  assert.equal(full('collections=tasks&trailer=0', true).trailer, false);
  for (const text of ['', 'true', '2']) {
    assert.deepEqual(
      refusal(() => full(`collections=tasks&trailer=${text}`)),
      ['validation_failed', '?trailer invalid_trailer'],
    );
  }
});

test('[WI-5] an empty cursor is 400 cursor_invalid, any other text is passed on', () => {
  assert.deepEqual(
    refusal(() => full('collections=tasks&cursor=')),
    ['cursor_invalid'],
  );
  assert.equal(full('collections=tasks&cursor=abc').cursor, 'abc');
});
