/** Every policy and resolver against every kind of change, state, parent and stamp. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { DELETE_POLICIES, RESOLVERS } from '../../../../src/core/collections.ts';
import type { GroupSnapshot } from '../../../../src/core/ports/store.ts';
import { change, decide, decideOne, push, snapshot } from '../../../support/engine/deciding.ts';
import { CLIENT, document, hlc, tombstone } from '../../../support/engine/records.ts';

const CURRENT = hlc(-10_000);
const STAMP = hlc(-20_000);
const OLDER = hlc(-40_000);
const PARENTS = { none: null, equal: CURRENT, stale: OLDER, ahead: hlc(-1_000) } as const;
const STAMPS = { none: null, older: hlc(-30_000), newer: hlc(-5_000) } as const;

type Named = Omit<GroupSnapshot, 'head' | 'now_ms' | 'receipts'>;

/** The states, in a collection of this name. The parent's row is retained with the stamp of its edit. */
const STATES: Record<string, (collection: string) => Partial<Named>> = {
  absent: () => ({ floor: hlc(-100_000) }),
  live: (collection) => ({
    documents: [document(CURRENT, { collection, change_version: STAMP })],
    parents: [row(collection)],
  }),
  'live, same content': (collection) => ({
    documents: [document(CURRENT, { collection, change_version: STAMP, data: { title: 'sent' } })],
    parents: [row(collection)],
  }),
  foreign: (collection) => ({
    documents: [document(CURRENT, { collection, change_version: STAMP, hash: 'of somebody else' })],
    parents: [row(collection)],
  }),
  tombstone: (collection) => ({
    tombstones: [tombstone(CURRENT, { collection, change_version: STAMP })],
    parents: [row(collection)],
  }),
  'deleted by evidence': () => ({ floor: hlc(-500) }),
};

function row(collection: string) {
  return { version: OLDER, collection, doc_id: 't1', change_version: hlc(-50_000) };
}

/**
 * Per state and operation, per policy and resolver: one word per parent (none, equal, stale, ahead),
 * in it one letter per stamp (none, older, newer). What a letter stands for is in MEANINGS.
 */
const LWW_UPDATE = 'CCI AAA CCI III';
const SERVER_UPDATE = 'CCC AAA CCC III';
const ALL_APPLY = 'AAA AAA AAA AAA';
const ALL_NOOP = 'NNN NNN NNN NNN';
/** Nobody knew what the foreign writer wrote, and its stamp is now. */
const FOREIGN = 'CCC CCC CCC CCC';
const DELETE_WINS = 'III AAA III III';

const EXPECTED: Record<string, Record<'upsert' | 'delete', Record<string, string>>> = {
  absent: { upsert: all(ALL_APPLY), delete: all(ALL_APPLY) },
  live: {
    upsert: byResolver(LWW_UPDATE, SERVER_UPDATE),
    delete: { ...byResolver(LWW_UPDATE, SERVER_UPDATE), ...both('delete_wins', DELETE_WINS) },
  },
  'live, same content': {
    upsert: all(ALL_NOOP),
    delete: { ...byResolver(LWW_UPDATE, SERVER_UPDATE), ...both('delete_wins', DELETE_WINS) },
  },
  foreign: {
    upsert: all(FOREIGN),
    delete: { ...all(FOREIGN), ...both('delete_wins', 'III III III III') },
  },
  tombstone: {
    upsert: {
      'resurrect_on_update lww': 'AAA AAA ICI III',
      'resurrect_on_update server_wins': 'AAA AAA CCC III',
      ...both('reject_update', 'AAA AAA RRR RRR'),
      ...both('delete_wins', 'AAA AAA CCC CCC'),
    },
    delete: all(ALL_NOOP),
  },
  'deleted by evidence': {
    upsert: {
      'resurrect_on_update lww': 'AAA III III III',
      'resurrect_on_update server_wins': 'AAA CCC CCC CCC',
      ...both('reject_update', 'AAA RRR RRR RRR'),
      ...both('delete_wins', 'AAA CCC CCC CCC'),
    },
    delete: all('AAA NNN NNN NNN'),
  },
};

function all(words: string): Record<string, string> {
  return Object.fromEntries(combinations().map((name) => [name, words]));
}

function both(policy: string, words: string): Record<string, string> {
  return Object.fromEntries(RESOLVERS.map((resolver) => [`${policy} ${resolver}`, words]));
}

function byResolver(lww: string, server: string): Record<string, string> {
  return Object.fromEntries(
    combinations().map((name) => [name, name.endsWith(' lww') ? lww : server]),
  );
}

function combinations(): string[] {
  return DELETE_POLICIES.flatMap((policy) => RESOLVERS.map((resolver) => `${policy} ${resolver}`));
}

/** What a letter promises: status, resolution, code, rows of the change, winner of the kept conflict. */
const MEANINGS: Record<string, readonly unknown[]> = {
  A: ['accepted', 'applied', null, 1, null],
  I: ['conflict_resolved', 'incoming', null, 1, 'incoming'],
  C: ['conflict_resolved', 'current', null, 0, 'current'],
  N: ['accepted', 'noop', null, 0, null],
  R: ['rejected', null, 'update_rejected', 0, null],
};

type Sent = Parameters<typeof decideOne>[0];
type Decided = ReturnType<typeof decideOne>;

/** Decides the change, checks everything that must come with its result, and names it. */
function letterOf(sent: Sent, over: Partial<Named>): string {
  const decided = decideOne({ ...sent, mutation_id: 'm1' }, over);
  const { plan, result } = decided;
  const own = plan.rows.filter(({ origin }) => origin === 'push');
  const winner = plan.conflicts[0]?.winner ?? null;
  const seen = [result.status, result.resolution, result.code, own.length, winner];
  const [letter = '?'] =
    Object.entries(MEANINGS).find(([, facts]) => String(facts) === String(seen)) ?? [];
  assert.notEqual(letter, '?', `an answer that nothing stands for: ${String(seen)}`);
  CHECKS[letter]?.(decided, sent, over);
  assert.equal(plan.receipts.length, 'NR'.includes(letter) ? 0 : 1);
  return letter;
}

const CHECKS: Record<string, (decided: Decided, sent: Sent, over: Partial<Named>) => void> = {
  A: ({ plan }, sent) => assert.equal(plan.tombstones.put.length, deletes(sent)),
  I({ plan }, sent, over) {
    assert.equal(plan.tombstones.put.length, deletes(sent));
    const [conflict] = plan.conflicts;
    assert.deepEqual(conflict?.remote.data ?? null, over.documents?.[0]?.data ?? null);
  },
  C({ plan, result }, sent, over) {
    const stored = over.documents !== undefined || over.tombstones !== undefined;
    // Foreign content got a row of its own, which is what stands then.
    const standing = plan.rows[0]?.version ?? (stored ? CURRENT : sent.parent_version);
    assert.equal(result.server_version, standing);
    assert.equal(result.data === null, over.documents === undefined, 'null = deleted');
    const lost = deletes(sent) === 1 ? null : { title: 'sent' };
    assert.deepEqual(plan.conflicts[0]?.local.data, lost);
  },
  R({ plan, result }) {
    const { documents, tombstones, rows, receipts, conflicts } = plan;
    const traces = [documents, tombstones.put, tombstones.drop, rows, receipts, conflicts].flat();
    assert.deepEqual(traces, [], 'a rejection leaves no trace');
    assert.equal(result.server_version, null);
  },
};

function deletes({ operation }: Sent): number {
  return operation === 'delete' ? 1 : 0;
}

for (const [state, snapshotOf] of Object.entries(STATES)) {
  for (const operation of ['upsert', 'delete'] as const) {
    test(`[CR-12] ${operation} of a document that is ${state}, by policy, resolver, parent and stamp`, () => {
      for (const collection of combinations()) {
        const words = Object.values(PARENTS).map((parent_version) =>
          Object.values(STAMPS)
            .map((change_version) => {
              const sent = { collection, operation, parent_version, change_version };
              return letterOf(sent, snapshotOf(collection));
            })
            .join(''),
        );
        assert.equal(words.join(' '), EXPECTED[state]?.[operation][collection], collection);
      }
    });
  }
}

const REJECT = 'reject_update lww';
const GONE = (collection: string) => snapshot(STATES.tombstone?.(collection));

test('[CR-12] an edit that names a mutation is no new document, also when nobody knows that mutation', () => {
  const edits = [
    change({ collection: REJECT, parent_version: OLDER, mutation_id: 'm1' }),
    change({ collection: REJECT, parent_mutation_id: 'm1', mutation_id: 'm2', data: { n: 2 } }),
  ];
  const { outcome, plan } = decide([push(edits)], GONE(REJECT));
  assert.deepEqual(
    outcome[0]?.results.map(({ code }) => code),
    ['update_rejected', 'update_rejected'],
  );
  assert.equal(plan.rows.length, 0);
});

test('[CR-12] an edit that follows the deletion in its own push is made on it', () => {
  const edits = [
    change({ collection: REJECT, operation: 'delete', parent_version: CURRENT }),
    change({ collection: REJECT, parent_version: CURRENT, data: { back: true } }),
  ];
  const { outcome } = decide([push(edits)], snapshot(STATES.live?.(REJECT)));
  assert.deepEqual(
    outcome[0]?.results.map(({ resolution }) => resolution),
    ['applied', 'applied'],
  );
});

test('[CR-12] a refused update rolls a bundle back and leaves a partial push alone', () => {
  const edits = [
    change({ collection: REJECT, parent_version: OLDER }),
    change({ collection: REJECT, doc_id: 't2' }),
  ];
  const codes = (atomic: 'partial' | 'bundle') =>
    decide([push(edits, { atomic })], GONE(REJECT)).outcome[0]?.results.map(({ code }) => code);
  assert.deepEqual(codes('partial'), ['update_rejected', null]);
  assert.deepEqual(codes('bundle'), ['update_rejected', 'batch_rolled_back']);
});

test('[CR-12] a lost update repeats its answer, a refused one is judged again', () => {
  for (const [collection, expected] of [
    ['delete_wins lww', { resolution: 'current', duplicate: true }],
    [REJECT, { resolution: null, duplicate: undefined }],
  ] as const) {
    const late = push([change({ collection, parent_version: OLDER, mutation_id: 'm1' })]);
    const first = decide([late], GONE(collection));
    const again = decide([late], { ...GONE(collection), receipts: first.plan.receipts });
    const [result] = again.outcome[0]?.results ?? [];
    assert.deepEqual(
      { resolution: result?.resolution, duplicate: result?.duplicate },
      expected,
      collection,
    );
    assert.equal(again.plan.conflicts.length, 0);
  }
});

test('[CR-13] the tombstone of a winning delete is its client’s', () => {
  const collection = 'delete_wins server_wins';
  const stale = { collection, operation: 'delete', parent_version: OLDER } as const;
  const { plan } = decideOne(stale, STATES.live?.(collection));
  assert.equal(plan.tombstones.put[0]?.client_id, CLIENT);
  assert.deepEqual(plan.conflicts[0]?.remote.data, { title: 'stored' });
});
