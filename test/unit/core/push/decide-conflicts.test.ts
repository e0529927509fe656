/** Stamps, foreign content, kept losers and refused ids of a decision. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { GroupSnapshot } from '../../../../src/core/ports/store.ts';
import type { Change } from '../../../../src/protocol/change.ts';
import { documentHash } from '../../../../src/protocol/pure/hash.ts';
import { compareHlc, hlcAfter } from '../../../../src/protocol/pure/hlc.ts';
import { NOON, sha256 } from '../../../support/engine/fake-system.ts';
import { ACTOR, CLIENT, document, hlc, SCOPE, tombstone } from '../../../support/engine/records.ts';
import { change, decide, decideOne, push, snapshot } from '../../../support/engine/deciding.ts';

const CURRENT = hlc(-10_000);
const STAMP = hlc(-20_000);
const OLDER = hlc(-40_000);
const HASH = documentHash(sha256, { title: 'stored' });

test('[CR-3] a stamp counts at most the drift ahead of the clock, and above its parent’s stamp', () => {
  const stampOf = (sent: Partial<Change>, over: Partial<GroupSnapshot> = {}) =>
    decideOne(sent, over).plan.rows.at(-1)?.change_version;
  assert.equal(stampOf({ change_version: hlc(60_000, 7) }), hlc(60_000, 7));
  assert.equal(stampOf({ change_version: hlc(60_001, 7) }), hlc(60_000, 0));
  const documents = [document(CURRENT, { change_version: STAMP })];
  const onCurrent = { parent_version: CURRENT, data: { n: 1 } };
  assert.equal(
    stampOf({ ...onCurrent, change_version: OLDER }, { documents }),
    hlcAfter(STAMP),
    'an edit follows what it edited (invariant 19)',
  );
  assert.equal(stampOf({ ...onCurrent, change_version: STAMP }, { documents }), hlcAfter(STAMP));
  assert.equal(
    stampOf({ ...onCurrent, change_version: hlc(-19_999) }, { documents }),
    hlc(-19_999),
  );
  const row = { version: OLDER, collection: 'tasks', doc_id: 't1', change_version: hlc(-1_000) };
  const stale = { parent_version: OLDER, change_version: hlc(-30_000), data: { n: 1 } };
  assert.equal(
    stampOf(stale, { documents, parents: [row] }),
    hlcAfter(hlc(-1_000)),
    'the stamp of the parent’s own row counts',
  );
  const bare = { ...row, change_version: null, version: hlc(-15_000) };
  assert.equal(
    stampOf({ ...stale, parent_version: hlc(-15_000) }, { documents, parents: [bare] }),
    hlcAfter(hlc(-15_000)),
  );
  const alien = { ...row, doc_id: 't2', version: hlc(-15_000) };
  assert.equal(
    stampOf({ ...stale, parent_version: hlc(-15_000) }, { documents, parents: [alien] }),
    hlcAfter(hlc(-15_000)),
    'a row of another document says nothing about its stamp',
  );
});

test('[CR-3] each edit of a batch is stamped above the one before', () => {
  const { plan } = decide([
    push([3, 2, 1].map((n) => change({ data: { n }, change_version: hlc(-5_000) }))),
  ]);
  const stamps = plan.rows.map((row) => row.change_version!);
  assert.ok(compareHlc(stamps[0]!, stamps[1]!) < 0 && compareHlc(stamps[1]!, stamps[2]!) < 0);
});

test('[CR-9] foreign content becomes a row of its own before the change is resolved (invariant 24)', () => {
  const foreign = document(CURRENT, { hash: 'as the engine wrote it', client_id: 'client-s' });
  const lost = decideOne(
    { parent_version: CURRENT, change_version: STAMP },
    { documents: [foreign] },
  );
  const [row] = lost.plan.rows;
  assert.deepEqual(
    [row?.origin, row?.data, row?.actor_id, row?.client_id, row?.mutation_id, row?.parent_version],
    ['external', { title: 'stored' }, null, null, null, CURRENT],
  );
  assert.equal(row?.change_version, row?.version);
  assert.equal(lost.result.resolution, 'current');
  assert.equal(lost.result.server_version, row?.version);
  const [write] = lost.plan.documents;
  assert.ok(write?.kind === 'put');
  assert.deepEqual(
    [write.guard, write.document.version, write.document.hash, write.document.client_id],
    [{ version: CURRENT, hash: 'as the engine wrote it' }, row?.version, HASH, null],
  );
  const won = decideOne(
    { parent_version: CURRENT, change_version: hlc(1_000), mutation_id: 'm1' },
    { documents: [foreign] },
  );
  assert.deepEqual(
    won.plan.rows.map((one) => [one.origin, one.ordinal, one.bundle_rows]),
    [
      ['external', 0, 2],
      ['push', 1, 2],
    ],
  );
  assert.equal(won.plan.rows[1]?.parent_version, won.plan.rows[0]?.version);
  assert.equal(won.result.resolution, 'incoming');
  assert.deepEqual(won.plan.conflicts[0]?.remote.data, { title: 'stored' });
  const same = decideOne({ data: { title: 'stored' } }, { documents: [foreign] });
  assert.equal(same.result.resolution, 'noop');
  assert.equal(same.plan.rows.length, 1);
  const gone = decideOne(
    { operation: 'delete', change_version: hlc(1_000) },
    { documents: [foreign] },
  );
  assert.equal(gone.plan.documents[0]?.kind, 'drop');
});

test('[CR-9] an unmigrated document of the scope is adopted once, also by its scope field', () => {
  const owned = document(CURRENT, {
    collection: 'owned',
    scope_id: null,
    version: null,
    hash: null,
    change_version: null,
    data: { meta: { owner: SCOPE } },
  });
  const verdict = (data: typeof owned.data) =>
    decideOne({ collection: 'owned', change_version: hlc(5) }, { documents: [{ ...owned, data }] });
  const { plan, result } = verdict(owned.data);
  assert.equal(result.resolution, 'incoming');
  assert.equal(plan.rows[0]?.parent_version, null);
  assert.deepEqual(plan.documents[0]?.guard, { version: null, hash: null });
  for (const data of [
    {},
    { meta: null },
    { meta: [] },
    { meta: { owner: 'scope-2' } },
    { meta: 1 },
  ]) {
    assert.equal(verdict(data).result.code, 'id_unavailable');
  }
  const half = { ...owned, scope_id: SCOPE, data: {} };
  const named = decideOne({ collection: 'owned' }, { documents: [half] });
  assert.equal(named.plan.rows[0]?.origin, 'external', 'its scope is written, its version is not');
  const twice = decide(
    [push([change({ collection: 'owned' }), change({ collection: 'owned' })])],
    snapshot({ documents: [owned] }),
  );
  assert.equal(twice.plan.rows.filter((row) => row.origin === 'external').length, 1);
});

test('[CR-9] a document beside its tombstone was written by somebody else; the tombstone goes', () => {
  const over = {
    tombstones: [tombstone(CURRENT, { collection: 'fixed' })],
    documents: [
      document(CURRENT, { collection: 'fixed', scope_id: null, version: null, hash: null }),
    ],
  };
  const { plan } = decideOne({ collection: 'fixed' }, over);
  assert.equal(plan.rows[0]?.origin, 'external');
  assert.equal(plan.tombstones.drop.length, 1);
  const gone = decideOne(
    { collection: 'fixed', operation: 'delete', change_version: hlc(9) },
    over,
  );
  assert.equal(gone.plan.documents[0]?.kind, 'drop');
  assert.equal(gone.plan.tombstones.put.length, 1);
  assert.equal(gone.plan.tombstones.drop.length, 0);
});

test('[TB-3] a soft delete becomes a row of its own before the change is resolved', () => {
  for (const read_only of [false, true]) {
    const marked = document(CURRENT, { soft_deleted: true, read_only });
    const stale = { parent_version: CURRENT, change_version: STAMP };
    const lost = decideOne(stale, { documents: [marked] });
    const [row] = lost.plan.rows;
    assert.deepEqual(
      [row?.operation, row?.origin, row?.data, row?.parent_version, row?.client_id],
      ['delete', 'external', null, CURRENT, null],
    );
    assert.deepEqual(
      [lost.result.resolution, lost.result.server_version, lost.result.data],
      ['current', row?.version, null],
    );
    assert.deepEqual(lost.plan.documents[0]?.kind, 'drop');
    assert.deepEqual(lost.plan.tombstones.put[0]?.version, row?.version);
    const won = decideOne({ ...stale, change_version: hlc(1_000) }, { documents: [marked] });
    assert.deepEqual(
      won.plan.rows.map(({ operation }) => operation),
      ['delete', 'upsert'],
    );
    assert.equal(won.result.resolution, 'incoming');
    const [write] = won.plan.documents;
    assert.ok(write?.kind === 'put' && write.as_stored !== true);
    assert.deepEqual(write.guard, { version: CURRENT, hash: marked.hash });
  }
});

test('[TB-4] a tombstone in place is resolved like one beside the collection', () => {
  const inPlace = { documents: [document(CURRENT, { soft_deleted: true, hash: null })] };
  const beside = { tombstones: [tombstone(CURRENT)] };
  const sent = [
    { operation: 'delete' },
    { parent_version: CURRENT },
    { parent_version: OLDER, change_version: hlc(-1_000) },
    { parent_version: OLDER, change_version: hlc(1_000) },
    {},
  ] as const;
  for (const fields of sent) {
    const [here, there] = [decideOne(fields, inPlace), decideOne(fields, beside)];
    assert.deepEqual(here.result, there.result);
    assert.deepEqual(here.plan.rows, there.plan.rows);
  }
  const earlier = document(CURRENT, { soft_deleted: true, hash: null, change_version: null });
  const late = { parent_version: OLDER, change_version: OLDER };
  assert.equal(decideOne(late, { documents: [earlier] }).result.resolution, 'current');
});

test('[CR-10] both sides of a conflict are kept, once, under an id that repeats share', () => {
  const sent = { parent_version: OLDER, mutation_id: 'm1', change_version: hlc(-30_000) };
  const over = { documents: [document(CURRENT, { change_version: STAMP })] };
  const lost = decideOne(sent, over);
  const [entry] = lost.plan.conflicts;
  assert.deepEqual(entry, {
    conflict_id: entry?.conflict_id,
    scope_id: SCOPE,
    collection: 'tasks',
    doc_id: 't1',
    conflict_type: 'modified_both',
    winner: 'current',
    actor_id: ACTOR,
    client_id: CLIENT,
    mutation_id: 'm1',
    parent_version: OLDER,
    local: {
      operation: 'upsert',
      data: { title: 'sent' },
      version: null,
      change_version: hlc(-30_000),
      client_id: CLIENT,
    },
    remote: {
      operation: 'upsert',
      data: { title: 'stored' },
      version: CURRENT,
      change_version: STAMP,
      client_id: 'client-s',
    },
    at_ms: NOON,
  });
  assert.match(entry?.conflict_id ?? '', /^[0-9a-f]{32}$/);
  const idOf = (fields: object, pushed = {}) =>
    decideOne({ ...sent, ...fields }, over, pushed).plan.conflicts[0]?.conflict_id;
  assert.equal(idOf({}), entry?.conflict_id);
  const others = [
    idOf({ mutation_id: 'm2' }),
    idOf({ mutation_id: null }),
    idOf({ mutation_id: null, data: { n: 1 } }),
    idOf({}, { actor_id: 'actor-2' }),
    idOf({}, { client_id: 'client-2' }),
  ];
  assert.equal(new Set([entry?.conflict_id, ...others]).size, 6);
});

test('[CR-10] a conflict is counted once per detected conflict (invariant 26)', () => {
  const stale = { parent_version: OLDER };
  const over = snapshot({ documents: [document(CURRENT)] });
  const { outcome, plan } = decide(
    [push([change(stale), change(stale)]), push([change(stale)])],
    over,
  );
  assert.deepEqual(outcome[0]?.conflicts, [
    { collection: 'tasks', doc_id: 't1', winner: 'current' },
  ]);
  assert.equal(plan.conflicts.length, 1, 'the same mutation against the same version');
  const types = [
    decideOne({ ...stale, operation: 'delete' }, { documents: [document(CURRENT)] }),
    decideOne({ ...stale, change_version: OLDER }, { tombstones: [tombstone(CURRENT)] }),
    decideOne({ parent_version: hlc(-1) }, { documents: [document(CURRENT)] }),
  ].map(({ plan: { conflicts } }) => [
    conflicts[0]?.conflict_type,
    conflicts[0]?.winner,
    conflicts[0]?.local.operation,
    conflicts[0]?.remote.operation,
    conflicts[0]?.remote.data,
  ]);
  assert.deepEqual(types, [
    ['deleted_local', 'current', 'delete', 'upsert', { title: 'stored' }],
    ['deleted_remote', 'current', 'upsert', 'delete', null],
    ['modified_both', 'incoming', 'upsert', 'upsert', { title: 'stored' }],
  ]);
});

test('[PU-9] a loaded tombstone of another scope is a broken promise of the store', () => {
  const over = snapshot({ tombstones: [tombstone(CURRENT, { scope_id: 'scope-2' })] });
  assert.throws(() => decide([push([change()])], over), /belongs to the scope/);
});

test('[PU-9] an id is refused without a hint whose it is', () => {
  const results = [
    document(CURRENT, { scope_id: 'scope-2' }),
    document(CURRENT, { scope_id: null, version: null }),
  ].map((stored) => decideOne({}, { documents: [stored] }).result);
  assert.deepEqual(results[0], results[1]);
  assert.equal(results[0]?.data, undefined);
});
