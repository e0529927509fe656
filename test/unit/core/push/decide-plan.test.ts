/** What a decision writes: one write per document, guards, tombstones, sealed rows, kept losers. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Tombstone } from '../../../../src/core/ports/records.ts';
import { isEmptyPlan } from '../../../../src/core/ports/group-rules.ts';
import type { Change } from '../../../../src/protocol/change.ts';
import { documentHash } from '../../../../src/protocol/pure/hash.ts';
import { NOON, sha256 } from '../../../support/engine/fake-system.ts';
import {
  ACTOR,
  CLIENT,
  document,
  head,
  hlc,
  SCOPE,
  tombstone,
} from '../../../support/engine/records.ts';
import { change, decide, decideOne, push, snapshot } from '../../../support/engine/deciding.ts';

const CURRENT = hlc(-10_000);
const STAMP = hlc(-20_000);
const OLDER = hlc(-40_000);
const HASH = documentHash(sha256, { title: 'stored' });

test('[PU-4] rows of a group are dense in seq, chained by prev, and numbered in their bundle', () => {
  const over = snapshot();
  const { plan, outcome } = decide(
    [
      push([change({ doc_id: 'a' }), change({ doc_id: 'b' })]),
      push([change({ doc_id: '' })]),
      push([change({ doc_id: 'c' })]),
    ],
    over,
  );
  const [a, b, c] = plan.rows;
  assert.deepEqual(
    plan.rows.map(({ seq, prev, bundle_seq, ordinal, bundle_rows }) => [
      ...[seq, prev, bundle_seq],
      ...[ordinal, bundle_rows],
    ]),
    [
      [11, over.head.head_version, 5, 0, 2],
      [12, a?.version, 5, 1, 2],
      [13, b?.version, 6, 0, 1],
    ],
  );
  assert.deepEqual(plan.head, {
    ...over.head,
    head_version: c?.version,
    head_seq: 13,
    head_bundle_seq: 6,
    hlc_p: NOON,
    hlc_c: 2,
  });
  assert.deepEqual(
    outcome.map((one) => [one.bundle_seq, one.rows, one.rolled_back]),
    [
      [5, 2, false],
      [null, 0, false],
      [6, 1, false],
    ],
  );
});

test('[PU-4] the first row of a scope has no row before it', () => {
  const { plan } = decide([push([change()])], snapshot({ head: head() }));
  assert.deepEqual(
    plan.rows.map((row) => [row.seq, row.prev, row.bundle_seq]),
    [[1, '', 1]],
  );
});

test('[PU-4] a row carries its change, its author and the version it replaced', () => {
  const { plan, result } = decideOne(
    {
      parent_version: CURRENT,
      change_version: hlc(-5_000),
      mutation_id: 'm1',
      data: { title: 'sent', n: { $numberLong: '7' } },
    },
    { documents: [document(CURRENT)] },
  );
  const [row] = plan.rows;
  assert.deepEqual(row, {
    version: result.new_version,
    scope_id: SCOPE,
    seq: 11,
    prev: hlc(-10_000),
    bundle_seq: 5,
    ordinal: 0,
    bundle_rows: 1,
    collection: 'tasks',
    doc_id: 't1',
    operation: 'upsert',
    data: { title: 'sent', n: 7 },
    typed: { title: 'sent', n: { $numberLong: '7' } },
    actor_id: ACTOR,
    client_id: CLIENT,
    mutation_id: 'm1',
    change_version: hlc(-5_000),
    parent_version: CURRENT,
    origin: 'push',
    timestamp_ms: NOON,
  });
  assert.deepEqual(plan.documents, [
    {
      kind: 'put',
      change: '0:0',
      guard: { version: CURRENT, hash: HASH },
      document: {
        collection: 'tasks',
        doc_id: 't1',
        scope_id: SCOPE,
        version: result.new_version,
        change_version: hlc(-5_000),
        hash: documentHash(sha256, { title: 'sent', n: 7 }),
        actor_id: ACTOR,
        client_id: CLIENT,
        data: { title: 'sent', n: 7 },
        typed: { title: 'sent', n: { $numberLong: '7' } },
      },
    },
  ]);
});

test('[CR-11] a change without a stamp gives its row’s version as stamp', () => {
  const { plan, result } = decideOne({});
  assert.equal(plan.rows[0]?.change_version, result.new_version);
  assert.equal(plan.rows[0]?.parent_version, null);
  const write = plan.documents[0];
  assert.ok(write?.kind === 'put' && write.guard === null);
  assert.equal(write.document.change_version, result.new_version);
  const edit = decideOne({ parent_version: CURRENT }, { documents: [document(CURRENT)] });
  assert.equal(edit.plan.rows[0]?.change_version, edit.result.new_version);
  const unstamped = document(CURRENT, { change_version: null });
  const older = { parent_version: OLDER, change_version: hlc(-10_001) };
  assert.equal(decideOne(older, { documents: [unstamped] }).result.resolution, 'current');
  const later = { parent_version: OLDER, change_version: hlc(-9_999) };
  assert.equal(decideOne(later, { documents: [unstamped] }).result.resolution, 'incoming');
});

test('[PU-4] a document is written once, as its last change left it, under its first guard', () => {
  const over = { documents: [document(CURRENT)] };
  const edits = (...sent: Partial<Change>[]) =>
    decide([push(sent.map((one) => change({ parent_version: CURRENT, ...one })))], snapshot(over))
      .plan;
  const twice = edits({ data: { n: 1 } }, { data: { n: 2 } });
  assert.equal(twice.rows.length, 2);
  assert.equal(twice.documents.length, 1);
  const [write] = twice.documents;
  assert.ok(write?.kind === 'put');
  assert.deepEqual(
    [write.document.data, write.change, write.guard],
    [{ n: 2 }, '0:1', { version: CURRENT, hash: HASH }],
  );
  assert.equal(write.document.version, twice.rows[1]?.version);

  const gone = edits({ data: { n: 1 } }, { operation: 'delete' });
  assert.deepEqual(gone.documents, [
    {
      kind: 'drop',
      change: '0:1',
      guard: { version: CURRENT, hash: HASH },
      collection: 'tasks',
      doc_id: 't1',
      scope_id: SCOPE,
    },
  ]);
  assert.equal(gone.tombstones.put[0]?.version, gone.rows[1]?.version);
  const back = edits({ operation: 'delete' }, { data: { n: 3 } });
  assert.equal(back.documents[0]?.kind, 'put');
  assert.deepEqual(back.tombstones, { put: [], drop: [] });
});

test('[CR-7] tombstones come and go with their document', () => {
  const deleted = decideOne({ operation: 'delete', change_version: STAMP });
  assert.deepEqual(deleted.plan.documents, [], 'there was no document to drop');
  assert.deepEqual(deleted.plan.tombstones, {
    put: [
      {
        scope_id: SCOPE,
        collection: 'tasks',
        doc_id: 't1',
        version: deleted.result.new_version,
        change_version: STAMP,
        client_id: CLIENT,
        at_ms: NOON,
      },
    ],
    drop: [],
  });
  assert.deepEqual([deleted.plan.rows[0]?.operation, deleted.plan.rows[0]?.data], ['delete', null]);
  const again = { tombstones: [tombstone(CURRENT)] };
  const back = decideOne({ parent_version: CURRENT }, again);
  assert.deepEqual(back.plan.tombstones.drop.length, 1);
  assert.equal(back.plan.rows[0]?.parent_version, CURRENT);
  const both = decide(
    [push([change({ parent_version: CURRENT }), change({ operation: 'delete' })])],
    snapshot(again),
  ).plan;
  assert.deepEqual(both.documents, [], 'it was never there for others');
  assert.equal(both.tombstones.put.length, 1);
  assert.equal(both.tombstones.drop.length, 0);
});

test('[CR-4] a noop writes no row, and the later stamp stays with the document', () => {
  const stored = document(CURRENT, { change_version: STAMP, data: { title: 'sent' } });
  const later = decideOne({ change_version: hlc(-15_000) }, { documents: [stored] });
  assert.equal(later.plan.rows.length, 0);
  assert.equal(later.plan.receipts.length, 0);
  assert.deepEqual(later.plan.head, snapshot().head);
  assert.equal(later.outcome.bundle_seq, null);
  const [write] = later.plan.documents;
  assert.ok(write?.kind === 'put');
  assert.deepEqual(write.guard, { version: CURRENT, hash: stored.hash });
  assert.deepEqual(
    [write.document.version, write.document.change_version, write.document.client_id],
    [CURRENT, hlc(-15_000), CLIENT],
  );
  assert.equal(write.document.actor_id, ACTOR);
  for (const stamp of [hlc(-25_000), STAMP, null]) {
    const earlier = decideOne({ change_version: stamp }, { documents: [stored] });
    assert.equal(earlier.result.resolution, 'noop');
    assert.ok(isEmptyPlan(earlier.plan), `nothing changes with stamp ${stamp}`);
  }
  const equal = decideOne(
    { change_version: STAMP },
    { documents: [stored] },
    { client_id: 'client-z' },
  );
  assert.equal(equal.plan.documents.length, 1, 'an equal stamp falls to the client id');
});

test('[CR-4] a delete of a deleted document keeps its version and takes the later stamp', () => {
  const over = { tombstones: [tombstone(CURRENT, { change_version: STAMP, at_ms: 1 })] };
  const { plan, result } = decideOne({ operation: 'delete', change_version: hlc(-15_000) }, over);
  assert.equal(result.new_version, CURRENT);
  const kept: Tombstone = tombstone(CURRENT, {
    change_version: hlc(-15_000),
    client_id: CLIENT,
    at_ms: NOON,
  });
  assert.deepEqual(plan.tombstones, { put: [kept], drop: [] });
  assert.equal(plan.rows.length, 0);
  const evidence = { floor: hlc(-5_000) };
  const gone = decideOne(
    { operation: 'delete', parent_version: OLDER, change_version: STAMP },
    evidence,
  );
  assert.equal(gone.result.new_version, OLDER);
  assert.ok(isEmptyPlan(gone.plan));
});
