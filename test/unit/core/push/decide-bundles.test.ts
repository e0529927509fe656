/** Bundles, roll-back, changes that the database refused, and the order of results. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { GroupSnapshot } from '../../../../src/core/ports/store.ts';
import { isEmptyPlan } from '../../../../src/core/ports/group-rules.ts';
import { document, hlc } from '../../../support/engine/records.ts';
import { change, decide, push, snapshot, receipt } from '../../../support/engine/deciding.ts';

const CURRENT = hlc(-10_000);
const OLDER = hlc(-40_000);

test('[PU-4] a bundle with one rejection stores nothing and keeps the culprit’s code (invariant 11)', () => {
  const bad = { doc_id: '' };
  const { plan, outcome } = decide([
    push([change({ mutation_id: 'm1' }), change({ doc_id: 't2' }), change(bad)], {
      atomic: 'bundle',
    }),
    push([change({ doc_id: 't3' })]),
  ]);
  assert.deepEqual(
    outcome[0]?.results.map((one) => one.code),
    ['batch_rolled_back', 'batch_rolled_back', 'validation_failed'],
  );
  assert.deepEqual(
    [outcome[0]?.rolled_back, outcome[0]?.rows, outcome[0]?.bundle_seq, outcome[0]?.conflicts],
    [true, 0, null, []],
  );
  assert.deepEqual(
    plan.rows.map((row) => [row.doc_id, row.seq, row.bundle_seq]),
    [['t3', 11, 5]],
  );
  assert.equal(plan.receipts.length, 0);
  assert.equal(plan.documents.length, 1);
});

test('[PU-4] a rolled back bundle leaves nothing to the pushes behind it', () => {
  const over = snapshot({ documents: [document(CURRENT)] });
  const bundle = push(
    [
      change({ mutation_id: 'm1', parent_version: CURRENT }),
      change({ doc_id: 't2', data: { n: 1 } }),
      change({ doc_id: '' }),
    ],
    { atomic: 'bundle' },
  );
  const behind = push([
    change({ mutation_id: 'm1', parent_version: CURRENT }),
    change({ doc_id: 't2', data: { n: 1 } }),
  ]);
  const { outcome, plan } = decide([bundle, behind], over);
  assert.deepEqual(
    outcome[1]?.results.map((one) => [one.resolution, one.duplicate]),
    [
      ['applied', undefined],
      ['applied', undefined],
    ],
  );
  assert.deepEqual(
    plan.documents.map((write) => [write.change, write.guard?.version ?? null]),
    [
      ['1:0', CURRENT],
      ['1:1', null],
    ],
  );
});

test('[CR-1] each push of a group is decided over what the pushes before it left', () => {
  const over = snapshot({ documents: [document(CURRENT)] });
  const edit = (n: number) => push([change({ data: { n }, parent_version: CURRENT })]);
  const { outcome, plan } = decide([edit(1), edit(2), push([change({ data: { n: 1 } })])], over);
  assert.deepEqual(
    outcome.map(({ results }) => [results[0]?.resolution, results[0]?.server_version]),
    [
      ['applied', null],
      ['current', plan.rows[0]?.version],
      ['noop', plan.rows[0]?.version],
    ],
  );
  assert.deepEqual(outcome[1]?.results[0]?.data, { n: 1 });
  const gone = push([change({ operation: 'delete', parent_version: CURRENT })]);
  const back = decide([gone, push([change({ data: { n: 4 } })])], over).plan;
  assert.deepEqual(
    back.rows.map(({ operation, parent_version }) => [operation, parent_version]),
    [
      ['delete', CURRENT],
      ['upsert', back.rows[0]?.version],
    ],
  );
});

test('[PU-4] a second copy inside a rolled back bundle is not answered as stored', () => {
  const sent = { mutation_id: 'm1' };
  const twice = push([change(sent), change(sent), change({ doc_id: '' })], { atomic: 'bundle' });
  const codes = (over: Partial<GroupSnapshot>) =>
    decide([twice], snapshot(over)).outcome[0]?.results.map((one) => one.code);
  assert.deepEqual(codes({}), ['batch_rolled_back', 'batch_rolled_back', 'validation_failed']);
  const known = decide([twice], snapshot({ receipts: [receipt(sent)] })).outcome[0];
  assert.deepEqual(
    known?.results.map((one) => one.duplicate ?? one.code),
    [true, true, 'validation_failed'],
    'what an earlier push stored stays answered',
  );
  const group = decide([push([change(sent)]), twice]).outcome[1];
  assert.deepEqual(
    group?.results.map((one) => one.duplicate ?? one.code),
    [true, true, 'validation_failed'],
    'also when it is stored by the same group',
  );
});

test('[PU-4] a lost conflict does not roll a bundle back', () => {
  const { outcome, plan } = decide(
    [push([change({ parent_version: OLDER }), change({ doc_id: 't2' })], { atomic: 'bundle' })],
    snapshot({ documents: [document(CURRENT)] }),
  );
  assert.equal(outcome[0]?.rolled_back, false);
  assert.equal(plan.rows.length, 1);
  assert.equal(plan.conflicts.length, 1);
});

test('[PU-14] a change that the database refused is rejected, the others are written', () => {
  const two = [change({ mutation_id: 'm1' }), change({ doc_id: 't2' })];
  const refused = new Map([['1:0', 'unique_violation']] as const);
  const { plan, outcome } = decide(
    [push([change({ doc_id: 't0' })]), push(two)],
    snapshot(),
    refused,
  );
  assert.deepEqual(
    outcome[1]?.results.map((one) => one.code),
    ['unique_violation', null],
  );
  assert.deepEqual(
    plan.rows.map((row) => row.doc_id),
    ['t0', 't2'],
  );
  assert.equal(plan.receipts.length, 0);
  const bundle = decide(
    [push(two, { atomic: 'bundle' })],
    snapshot(),
    new Map([['0:0', 'document_validation']] as const),
  );
  assert.equal(bundle.outcome[0]?.rolled_back, true);
  assert.ok(isEmptyPlan(bundle.plan));
});

test('[PU-1] results have the length and order of the changes (invariant 12)', () => {
  const sent = [change(), null, change({ doc_id: 't2' }), 'x', change({ operation: 'delete' })];
  const { outcome } = decide([push(sent)]);
  assert.deepEqual(
    outcome[0]?.results.map((one) => [one.index, one.doc_id]),
    [
      [0, 't1'],
      [1, null],
      [2, 't2'],
      [3, null],
      [4, 't1'],
    ],
  );
  assert.deepEqual(decide([push([])]).outcome[0]?.results, []);
});
