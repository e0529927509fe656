/** Repeats and batches: receipts, reused and old mutations, lineage. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { GroupSnapshot } from '../../../../src/core/ports/store.ts';
import { isEmptyPlan } from '../../../../src/core/ports/group-rules.ts';
import type { Change } from '../../../../src/protocol/change.ts';
import { NOON } from '../../../support/engine/fake-system.ts';
import { CLIENT, document, hlc, tombstone } from '../../../support/engine/records.ts';
import {
  change,
  decide,
  decideOne,
  LIFETIME_MS,
  push,
  snapshot,
  receipt,
} from '../../../support/engine/deciding.ts';

const CURRENT = hlc(-10_000);
const OLDER = hlc(-40_000);

function batch(changes: readonly Partial<Change>[], over: Partial<GroupSnapshot> = {}) {
  const { plan, outcome } = decide([push(changes.map(change))], snapshot(over));
  const { results } = outcome[0]!;
  return { plan, results, resolutions: results.map((one) => one.resolution ?? one.code) };
}

test('[PU-7] a repeat gets the stored result and has no effect (invariants 7 and 9)', () => {
  const sent = { mutation_id: 'm1', parent_version: OLDER };
  const over = { receipts: [receipt(sent)], documents: [document(hlc(-5_000))] };
  const { result, plan, outcome } = decideOne(sent, over);
  assert.equal(result.duplicate, true);
  assert.equal(result.new_version, CURRENT);
  assert.equal(result.data, undefined);
  assert.ok(isEmptyPlan(plan));
  assert.equal(outcome.bundle_seq, null);
});

test('[PU-7] the repeat of a lost change brings the current document, read again', () => {
  const sent = { mutation_id: 'm1' };
  const lost = { status: 'conflict_resolved', resolution: 'current', new_version: null } as const;
  const receipts = [receipt(sent, { ...lost, server_version: OLDER })];
  const live = decideOne(sent, { receipts, documents: [document(CURRENT)] });
  assert.deepEqual(live.result.data, { title: 'stored' });
  assert.equal(live.result.server_version, OLDER);
  assert.equal(decideOne(sent, { receipts }).result.data, null);
});

test('[PU-7] a receipt belongs to one actor and one client', () => {
  const sent = { mutation_id: 'm1' };
  for (const other of [{ actor_id: 'actor-2' }, { client_id: 'client-2' }]) {
    const { result } = decideOne(sent, { receipts: [receipt(sent)] }, other);
    assert.equal(result.duplicate, undefined);
    assert.equal(result.resolution, 'applied');
  }
});

test('[PU-7] a receipt of another scope of the identity is found as well', () => {
  const sent = { mutation_id: 'm1' };
  const receipts = [{ ...receipt(sent), scope_id: 'scope-2' }];
  const documents = [document(CURRENT, { scope_id: 'scope-2' })];
  assert.equal(decideOne(sent, { receipts, documents }).result.duplicate, true);
});

test('[PU-8] the same id with other content is refused without effect (invariant 10)', () => {
  const stored = receipt({ mutation_id: 'm1' });
  const others: Partial<Change>[] = [
    { data: { title: 'other' } },
    { operation: 'delete' },
    { doc_id: 't2' },
    { collection: 'notes' },
    { parent_version: OLDER },
    { change_version: OLDER },
  ];
  for (const other of others) {
    const { result, plan } = decideOne({ mutation_id: 'm1', ...other }, { receipts: [stored] });
    assert.equal(result.code, 'mutation_id_reused');
    assert.ok(isEmptyPlan(plan));
  }
  const same = decideOne({ mutation_id: 'm1', parent_version: '' }, { receipts: [stored] });
  assert.equal(same.result.duplicate, true, 'an empty parent is none');
});

test('[PU-7] the same mutation twice in one push, and in two pushes of one group, has one effect', () => {
  const sent = { mutation_id: 'm1' };
  const twice = batch([sent, sent, { ...sent, data: { title: 'x' } }]);
  assert.deepEqual(twice.resolutions, ['applied', 'applied', 'mutation_id_reused']);
  assert.deepEqual(
    twice.results.map((one) => one.duplicate),
    [undefined, true, undefined],
  );
  assert.equal(twice.plan.rows.length, 1);
  assert.equal(twice.plan.receipts.length, 1);
  const { plan, outcome } = decide([push([change(sent)]), push([change(sent)])]);
  assert.equal(plan.rows.length, 1);
  assert.equal(outcome[1]?.results[0]?.duplicate, true);
  assert.equal(outcome[1]?.results[0]?.new_version, outcome[0]?.results[0]?.new_version);
  assert.deepEqual([outcome[0]?.bundle_seq, outcome[1]?.bundle_seq], [5, null]);
});

test('[PU-11] a stamp at the age of the receipts is taken, an older one is refused', () => {
  const at = hlc(-LIFETIME_MS);
  const before = hlc(-LIFETIME_MS - 1);
  assert.equal(decideOne({ change_version: at }).result.resolution, 'applied');
  assert.equal(decideOne({ change_version: before }).result.code, 'mutation_too_old');
  assert.equal(decideOne({ change_version: null }).result.resolution, 'applied');
  const sent = { mutation_id: 'm1', change_version: before };
  assert.equal(decideOne(sent, { receipts: [receipt(sent)] }).result.duplicate, true);
});

test('[PU-6] receipts are left by rows and kept losers only, and carry their bundle', () => {
  const effect = decideOne({ mutation_id: 'm1' });
  assert.deepEqual(effect.plan.receipts, [
    {
      ...receipt({ mutation_id: 'm1' }),
      result: {
        status: 'accepted',
        resolution: 'applied',
        new_version: effect.result.new_version,
        server_version: null,
        bundle_seq: 5,
      },
      at_ms: NOON,
    },
  ]);
  const lost = decideOne(
    { mutation_id: 'm1', parent_version: OLDER },
    { documents: [document(CURRENT)] },
  );
  assert.equal(lost.plan.receipts[0]?.result.bundle_seq, null, 'no row was written');
  assert.equal(lost.plan.receipts[0]?.result.server_version, CURRENT);
  assert.equal(lost.plan.conflicts.length, 1);
  const noop = decideOne(
    { mutation_id: 'm1', data: { title: 'stored' } },
    { documents: [document(CURRENT)] },
  );
  assert.ok(isEmptyPlan(noop.plan), 'a noop without a later stamp leaves nothing');
  const refused = decideOne(
    { mutation_id: 'm1' },
    { documents: [document(CURRENT, { scope_id: 'scope-2' })] },
  );
  assert.ok(isEmptyPlan(refused.plan), 'a rejection leaves no trace (invariant 11)');
});

test('[CR-5] later changes of one push build on the earlier ones', () => {
  const over = { documents: [document(CURRENT)] };
  const edits = [1, 2, 3].map((n) => ({ data: { n }, parent_version: CURRENT }));
  const { resolutions, plan } = batch(edits, over);
  assert.deepEqual(resolutions, ['applied', 'applied', 'applied']);
  assert.equal(plan.conflicts.length, 0);
  const created = batch([
    { data: { n: 1 } },
    { data: { n: 2 } },
    { operation: 'delete' },
    { data: { n: 3 } },
  ]);
  assert.deepEqual(created.resolutions, ['applied', 'applied', 'applied', 'applied']);
  const other = batch([...edits, { doc_id: 't2', parent_version: OLDER }], {
    documents: [document(CURRENT), document(CURRENT, { doc_id: 't2' })],
  });
  assert.equal(other.resolutions[3], 'current', 'lineage is per document');
});

test('[CR-5] once a change of the push lost, later ones stand for themselves', () => {
  const over = { documents: [document(CURRENT)] };
  const stale = (n: number) => ({ data: { n }, parent_version: OLDER });
  const { resolutions, plan } = batch([stale(1), stale(2)], over);
  assert.deepEqual(resolutions, ['current', 'current']);
  assert.equal(plan.conflicts.length, 2);
  const won = { ...stale(2), change_version: hlc(-1) };
  const mended = batch([stale(1), won, stale(3)], over);
  assert.deepEqual(mended.resolutions, ['current', 'incoming', 'current']);
});

test('[CR-5] a refused change does not break the lineage of the others', () => {
  const over = { documents: [document(CURRENT)] };
  const edit = (n: number) => ({ data: { n }, parent_version: CURRENT });
  const { resolutions } = batch(
    [edit(1), { ...edit(2), doc_id: '' }, { ...edit(3), parent_version: hlc(90_000) }, edit(4)],
    over,
  );
  assert.deepEqual(resolutions, ['applied', 'validation_failed', 'hlc_invalid', 'applied']);
});

test('[CR-5] a repeat with newer edits behind it does not meet itself as a conflict', () => {
  const first = { mutation_id: 'm1', parent_version: OLDER, data: { n: 1 } };
  const second = { mutation_id: 'm2', parent_version: OLDER, data: { n: 2 } };
  const over = { receipts: [receipt(first)], documents: [document(CURRENT, { data: { n: 1 } })] };
  const again = batch([first, second], over);
  assert.deepEqual(again.resolutions, ['applied', 'applied']);
  assert.equal(again.plan.conflicts.length, 0);
  const passed = batch([first, second], { ...over, documents: [document(hlc(-5_000))] });
  assert.deepEqual(passed.resolutions, ['applied', 'current'], 'somebody wrote in between');
  const lost = receipt(first, { resolution: 'current', new_version: null });
  const behind = batch([first, second], { ...over, receipts: [lost] });
  assert.deepEqual(behind.resolutions, ['current', 'current'], 'it had lost');
  const third = { mutation_id: 'm3', parent_version: OLDER, data: { n: 3 } };
  const won = receipt(second, { resolution: 'incoming' });
  const both = batch([first, second, third], { ...over, receipts: [lost, won] });
  assert.deepEqual(both.resolutions, ['current', 'incoming', 'current'], 'lost is lost for good');
  const gone = batch([first, { ...second, parent_version: null }], {
    receipts: [receipt(first)],
    tombstones: [tombstone(CURRENT)],
  });
  assert.deepEqual(gone.resolutions, ['applied', 'applied']);
});

test('[CR-5] lineage does not go through an older edit with the content of a later one', () => {
  const theirs = document(CURRENT, { data: { title: 'x' }, change_version: hlc(-20_000) });
  const over = { documents: [theirs] };
  const older = { data: { title: 'x' }, parent_version: OLDER, change_version: hlc(-30_000) };
  const next = { data: { title: 'y' }, parent_version: OLDER, change_version: hlc(-25_000) };
  assert.deepEqual(batch([older, next], over).resolutions, ['noop', 'current']);
  const later = { ...older, change_version: hlc(-15_000) };
  const after = { ...next, change_version: hlc(-14_000) };
  assert.deepEqual(batch([later, after], over).resolutions, ['noop', 'applied']);
  const plain = { ...older, change_version: null };
  assert.deepEqual(batch([plain, { ...next, change_version: null }], over).resolutions, [
    'noop',
    'applied',
  ]);
  const own = { documents: [{ ...theirs, client_id: CLIENT, change_version: hlc(-30_000) }] };
  assert.deepEqual(batch([older, next], own).resolutions, ['noop', 'applied'], 'the same edit');
});

test('[CR-5] parent_mutation_id names the parent across pushes, of the same document only', () => {
  const first = { mutation_id: 'm1' };
  const over = { receipts: [receipt(first)], documents: [document(CURRENT)] };
  const child = { parent_version: OLDER, parent_mutation_id: 'm1', data: { n: 2 } };
  assert.equal(decideOne(child, over).result.resolution, 'applied');
  const documents = [document(CURRENT, { doc_id: 't2' })];
  const elsewhere = decideOne({ ...child, doc_id: 't2' }, { ...over, documents });
  assert.equal(elsewhere.result.resolution, 'current');
  const notes = [document(CURRENT, { collection: 'notes' })];
  const inNotes = decideOne({ ...child, collection: 'notes' }, { ...over, documents: notes });
  assert.equal(inNotes.result.resolution, 'current');
  const unknown = decideOne({ ...child, parent_mutation_id: 'm9' }, over);
  assert.equal(unknown.result.resolution, 'current');
  const lost = receipt(first, { resolution: 'current', new_version: null });
  assert.equal(decideOne(child, { ...over, receipts: [lost] }).result.resolution, 'current');
  const moved = { ...over, documents: [document(hlc(-5_000))] };
  assert.equal(decideOne(child, moved).result.resolution, 'current');
});

test('[CR-3] a parent from a receipt does not lift a stamp to the time of that push', () => {
  const over = {
    receipts: [receipt({ mutation_id: 'm1' })],
    documents: [document(hlc(-5_000), { change_version: hlc(-50_000) })],
  };
  const child = { parent_mutation_id: 'm1', parent_version: OLDER, data: { n: 2 } };
  const earlier = decideOne({ ...child, change_version: hlc(-60_000) }, over);
  assert.equal(earlier.result.resolution, 'current', 'the other edit was made later');
  const later = decideOne({ ...child, change_version: hlc(-45_000) }, over);
  assert.equal(later.plan.rows[0]?.change_version, hlc(-45_000));
});
