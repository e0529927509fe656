/** What documents that the application wrote become: pure decisions over hand-made snapshots. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { StoredDocument } from '../../../../src/core/ports/records.ts';
import type { EarlierDocument } from '../../../../src/core/ports/scope-writes.ts';
import {
  decideScopeWrite,
  type ScopeWriteInput,
} from '../../../../src/core/server-writes/decide-scope-write.ts';
import { snapshot, versionsOver } from '../../../support/engine/deciding.ts';
import { sha256 } from '../../../support/engine/fake-system.ts';
import { catalogue, document, hlc, policy, SCOPE } from '../../../support/engine/records.ts';

const CURRENT = hlc(-10_000);
const BEFORE: EarlierDocument = {
  collection: 'tasks',
  doc_id: 't1',
  scope_id: SCOPE,
  version: CURRENT,
  deleted: false,
};
const MARKED: Partial<StoredDocument> = { soft_deleted: true };
const REPLACED: Partial<StoredDocument> = {
  ...{ version: null, scope_id: null, hash: null, change_version: null },
  data: { title: 'replaced' },
};

function decide(
  documents: readonly StoredDocument[],
  earlier: readonly EarlierDocument[],
  more: Partial<ScopeWriteInput> = {},
) {
  const full = snapshot({ documents });
  return decideScopeWrite({
    ...{ scope_id: SCOPE, actor_id: 'job', snapshot: full, earlier, refused: new Map() },
    keys: [{ collection: 'tasks', doc_id: 't1' }],
    versions: versionsOver(full),
    catalogue: catalogue(policy('tasks'), policy('fixed', { scope: 'elsewhere' })),
    digest: sha256,
    max_documents: 20,
    max_document_bytes: 1_048_576,
    ...more,
  });
}

for (const [name, documents, earlier, expected] of [
  ['an update', [{ ...document(CURRENT), data: { n: 1 } }], [BEFORE], ['upsert', CURRENT]],
  ['a replacement without stamps', [document(CURRENT, REPLACED)], [BEFORE], ['upsert', CURRENT]],
  ['an insert', [document(CURRENT, REPLACED)], [], ['upsert', null]],
  ['a delete', [], [BEFORE], ['delete', CURRENT]],
  ['a mark of deletion', [document(CURRENT, MARKED)], [BEFORE], ['delete', CURRENT]],
  ['equal content', [document(CURRENT)], [BEFORE], undefined],
  ['a tombstone that was removed', [], [{ ...BEFORE, deleted: true }], undefined],
  ['a document that never was', [], [], undefined],
  ['one that others stored without a version', [], [{ ...BEFORE, version: null }], undefined],
] as const) {
  test(`[LB-11] ${name}`, () => {
    const { plan, outcome } = decide(documents, earlier);
    const row = plan.rows[0];
    assert.deepEqual(row && [row.operation, row.parent_version], expected);
    assert.equal(outcome.bundle_seq, row?.bundle_seq ?? null);
    if (row === undefined) return;
    assert.deepEqual([row.origin, row.actor_id, plan.rows.length], ['server', 'job', 1]);
    assert.equal(plan.head.head_version, row.version);
  });
}

for (const [name, reason, documents, earlier, more] of [
  ['another scope’s document', 'scope_move_unsupported', [], [{ ...BEFORE, scope_id: 'b' }], {}],
  [
    'a document that was stamped with another scope',
    'scope_move_unsupported',
    [document(CURRENT, { scope_id: 'b', data: {} })],
    [BEFORE],
    {},
  ],
  [
    'a collection of another scope',
    'scope_move_unsupported',
    [],
    [],
    { keys: [{ collection: 'fixed', doc_id: 't1' }] },
  ],
  ['a changed stamp', 'engine_fields_changed', [document(hlc(0), { data: {} })], [BEFORE], {}],
  [
    'a document that the database refuses',
    'document_refused',
    [document(CURRENT, { data: {} })],
    [BEFORE],
    { refused: new Map([['0:0', 'document_validation']]) },
  ],
] as const) {
  test(`[LB-12] refused: ${name}`, () => {
    assert.throws(() => decide(documents, earlier, more as Partial<ScopeWriteInput>), { reason });
  });
}

test('[LB-12] a bundle takes 8 MiB and not more', () => {
  const text = 'x'.repeat(1_048_000);
  const keys = Array.from({ length: 9 }, (_, i) => ({ collection: 'tasks', doc_id: `d${i}` }));
  const documents = keys.map((key) => document(CURRENT, { ...REPLACED, ...key, data: { text } }));
  assert.throws(() => decide(documents, [], { keys }), { reason: 'bundle_too_large' });
  const { outcome } = decide(documents.slice(1), [], { keys: keys.slice(1) });
  assert.equal(outcome.rows.length, 8);
});

test('[LB-12] as many documents as a push may have changes, and not more', () => {
  const keys = Array.from({ length: 3 }, (_, i) => ({ collection: 'tasks', doc_id: `d${i}` }));
  const documents = keys.map((key) => document(CURRENT, { ...REPLACED, ...key }));
  assert.equal(decide(documents, [], { keys, max_documents: 3 }).outcome.rows.length, 3);
  const reason = 'too_many_documents';
  assert.throws(() => decide(documents, [], { keys, max_documents: 2 }), { reason });
});
