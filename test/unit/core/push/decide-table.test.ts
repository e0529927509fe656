/** One change against one document: every kind of state, operation, parent and stamp. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { GroupSnapshot } from '../../../../src/core/ports/store.ts';
import type { ChangeResult } from '../../../../src/protocol/change.ts';
import { NOON } from '../../../support/engine/fake-system.ts';
import { document, hlc, SCOPE, tombstone } from '../../../support/engine/records.ts';
import { decideOne } from '../../../support/engine/deciding.ts';

const CURRENT = hlc(-10_000);
const STAMP = hlc(-20_000);
const OLDER = hlc(-40_000);
const LOG_START = hlc(-30_000);

/** The parent's row is retained, with the stamp of its edit. */
const OLDER_ROW = {
  version: OLDER,
  collection: 'tasks',
  doc_id: 't1',
  change_version: hlc(-50_000),
};
const CURRENT_ROW = { ...OLDER_ROW, version: CURRENT, change_version: STAMP };

const PARENTS = {
  none: null,
  equal: CURRENT,
  stale: OLDER,
  ahead: hlc(-1_000),
  beyond: hlc(60_001),
} as const;
const STAMPS = { none: null, earlier: hlc(-30_000), equal: STAMP, later: hlc(-5_000) } as const;

interface State {
  readonly over: Partial<GroupSnapshot>;
  readonly collection?: string;
}

const stored = document(CURRENT, { change_version: STAMP });
const STATES: Record<string, State> = {
  absent: { over: { floor: hlc(-100_000) } },
  live: { over: { documents: [stored], parents: [OLDER_ROW, CURRENT_ROW] } },
  'live with the same content': {
    over: {
      documents: [document(CURRENT, { change_version: STAMP, data: { title: 'sent' } })],
      parents: [OLDER_ROW],
    },
  },
  deleted: {
    over: { tombstones: [tombstone(CURRENT, { change_version: STAMP })], parents: [OLDER_ROW] },
  },
  'deleted by evidence': { over: { parents: [OLDER_ROW, CURRENT_ROW], floor: LOG_START } },
  'deleted before the log': { over: { floor: hlc(-5_000) } },
  foreign: { over: { documents: [{ ...stored, hash: 'written by somebody else' }] } },
  'unmigrated, provably ours': {
    collection: 'fixed',
    over: {
      documents: [
        { ...stored, collection: 'fixed', scope_id: null, version: null, change_version: null },
      ],
    },
  },
  unmigrated: { over: { documents: [{ ...stored, scope_id: null, version: null }] } },
  'of another scope': { over: { documents: [{ ...stored, scope_id: 'scope-2' }] } },
  'unmigrated of another scope': {
    over: { documents: [{ ...stored, scope_id: 'scope-2', version: null }] },
  },
  'read-only': { over: { documents: [{ ...stored, read_only: true }] } },
};

/**
 * Per state and operation one word per parent (none, equal, stale, ahead, beyond the drift), in it one
 * letter per stamp (none, earlier, equal, later): Applied, Incoming, Current, Noop, hlc_invalid,
 * Unavailable, Validation. Equal stamps fall to the client id, and `client-m` is below `client-s`.
 */
const EXPECTED: Record<string, { readonly upsert: string; readonly delete: string }> = {
  absent: { upsert: 'AAAA AAAA AAAA AAAA hhhh', delete: 'AAAA AAAA AAAA AAAA hhhh' },
  live: { upsert: 'CCCI AAAA CCCI IIII hhhh', delete: 'CCCI AAAA CCCI IIII hhhh' },
  'live with the same content': {
    upsert: 'NNNN NNNN NNNN NNNN hhhh',
    delete: 'CCCI AAAA CCCI IIII hhhh',
  },
  deleted: { upsert: 'AAAA AAAA ICCI IIII hhhh', delete: 'NNNN NNNN NNNN NNNN hhhh' },
  'deleted by evidence': { upsert: 'AAAA IIII IIII AAAA hhhh', delete: 'AAAA NNNN NNNN AAAA hhhh' },
  'deleted before the log': {
    upsert: 'AAAA IIII IIII AAAA hhhh',
    delete: 'AAAA NNNN NNNN AAAA hhhh',
  },
  foreign: { upsert: 'CCCC CCCC CCCC CCCC hhhh', delete: 'CCCC CCCC CCCC CCCC hhhh' },
  'unmigrated, provably ours': {
    upsert: 'CCCC CCCC CCCC CCCC hhhh',
    delete: 'CCCC CCCC CCCC CCCC hhhh',
  },
  unmigrated: { upsert: 'UUUU UUUU UUUU UUUU hhhh', delete: 'UUUU UUUU UUUU UUUU hhhh' },
  'of another scope': { upsert: 'UUUU UUUU UUUU UUUU hhhh', delete: 'UUUU UUUU UUUU UUUU hhhh' },
  'unmigrated of another scope': {
    upsert: 'UUUU UUUU UUUU UUUU hhhh',
    delete: 'UUUU UUUU UUUU UUUU hhhh',
  },
  'read-only': { upsert: 'VVVV VVVV VVVV VVVV hhhh', delete: 'VVVV VVVV VVVV VVVV hhhh' },
};

const LETTERS: Record<string, string> = {
  applied: 'A',
  incoming: 'I',
  current: 'C',
  noop: 'N',
  hlc_invalid: 'h',
  id_unavailable: 'U',
  document_validation: 'V',
};

const STATUSES: Record<string, string> = {
  applied: 'accepted',
  noop: 'accepted',
  incoming: 'conflict_resolved',
  current: 'conflict_resolved',
};

/** The letter of a result, after checking that its fields belong together. */
function letterOf(result: ChangeResult, current: string | null): string {
  const { status, resolution, code, new_version, server_version } = result;
  const verdict = code ?? resolution ?? '';
  const taken = resolution === 'applied' || resolution === 'incoming';
  assert.equal(status, STATUSES[verdict] ?? 'rejected');
  assert.equal(code === null, resolution !== null);
  assert.equal(result.error === null, code === null);
  if (taken) assert.ok(new_version !== null && server_version === null);
  if (resolution === 'current') assert.ok(new_version === null && server_version !== null);
  if (resolution === 'noop') assert.equal(new_version, server_version);
  if (resolution === 'noop' && current !== null) assert.equal(new_version, current);
  if (code !== null) assert.ok(new_version === null && server_version === null);
  return LETTERS[verdict] ?? '?';
}

for (const [name, { over, collection = 'tasks' }] of Object.entries(STATES)) {
  for (const operation of ['upsert', 'delete'] as const) {
    const rule = /evidence|before the log/.test(name)
      ? 'CR-8'
      : /foreign|provably/.test(name)
        ? 'CR-9'
        : /unmigrated|scope|read-only/.test(name)
          ? 'PU-9'
          : 'CR-2';
    test(`[${rule}] ${operation} of a document that is ${name}, by parent and stamp`, () => {
      const words = Object.values(PARENTS).map((parent_version) =>
        Object.values(STAMPS)
          .map((change_version) => {
            const sent = { collection, operation, parent_version, change_version };
            const { result } = decideOne(sent, over);
            return letterOf(result, over.documents?.[0] || over.tombstones ? CURRENT : null);
          })
          .join(''),
      );
      assert.equal(words.join(' '), EXPECTED[name]?.[operation]);
    });
  }
}

test('[CR-7] an update older than the delete stays deleted, a later one brings the document back', () => {
  const over = {
    tombstones: [tombstone(CURRENT, { change_version: STAMP })],
    parents: [OLDER_ROW],
  };
  const late = decideOne({ parent_version: OLDER, change_version: STAMPS.earlier }, over);
  assert.equal(late.result.data, null, 'the current side is a deleted document');
  assert.equal(late.plan.documents.length, 0);
  const newer = decideOne({ parent_version: OLDER, change_version: STAMPS.later }, over);
  assert.equal(newer.plan.documents[0]?.kind, 'put');
  assert.deepEqual(newer.plan.tombstones.drop, [
    { collection: 'tasks', doc_id: 't1', scope_id: SCOPE },
  ]);
});

test('[CR-8] a parent is judged by its own row, the first retained one and the head', () => {
  const parent_version = hlc(-40_000);
  const verdict = (over: Partial<GroupSnapshot>) =>
    decideOne({ parent_version, operation: 'delete' }, over).result.resolution;
  const other = { ...OLDER_ROW, doc_id: 't2' };
  assert.equal(verdict({ parents: [OLDER_ROW] }), 'noop', 'its own row proves it');
  assert.equal(verdict({ parents: [other], floor: hlc(-90_000) }), 'applied', 'a row of another');
  assert.equal(verdict({ parents: [{ ...OLDER_ROW, collection: 'notes' }] }), 'applied');
  assert.equal(verdict({ floor: hlc(-40_000) }), 'applied', 'not older than the first row');
  assert.equal(verdict({ floor: hlc(-39_999) }), 'noop', 'older than the first row');
  assert.equal(verdict({ floor: null }), 'noop', 'nothing is retained and the head is above');
  assert.equal(verdict({ floor: null, head: headless() }), 'applied', 'a scope without history');
});

function headless() {
  return {
    scope_id: SCOPE,
    head_version: '' as const,
    head_seq: 0,
    head_bundle_seq: 0,
    hlc_p: 0,
    hlc_c: 0,
    chain_start: '' as const,
  };
}

test('[CR-6] a parent at the drift limit is taken, and so is one that a head ahead of the clock gave out', () => {
  const over = { documents: [stored] };
  assert.equal(decideOne({ parent_version: hlc(60_000) }, over).result.resolution, 'incoming');
  assert.equal(decideOne({ parent_version: hlc(60_001) }, over).result.code, 'hlc_invalid');
  const ahead = hlc(3_600_000);
  const future = document(ahead);
  const head = { ...headless(), head_version: ahead, head_seq: 1, hlc_p: NOON + 3_600_000 };
  const inFuture = { documents: [future], head };
  assert.equal(decideOne({ parent_version: ahead }, inFuture).result.resolution, 'applied');
  const limit = decideOne({ parent_version: hlc(3_660_000) }, inFuture);
  assert.equal(limit.result.resolution, 'incoming');
  const beyond = decideOne({ parent_version: hlc(3_660_001) }, inFuture);
  assert.equal(beyond.result.code, 'hlc_invalid');
});

test('[CR-11] without a stamp a stale edit loses, and the current document comes with the answer', () => {
  const { result, plan } = decideOne({ parent_version: OLDER }, { documents: [stored] });
  assert.deepEqual(result, {
    index: 0,
    collection: 'tasks',
    doc_id: 't1',
    mutation_id: null,
    status: 'conflict_resolved',
    new_version: null,
    server_version: CURRENT,
    resolution: 'current',
    error: null,
    code: null,
    data: { title: 'stored' },
  });
  assert.equal(plan.rows.length, 0);
  assert.equal(plan.conflicts.length, 1);
});
