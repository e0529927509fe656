/** What foreign writes become: pure decisions over hand-made snapshots. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideForeign, type ForeignOptions } from '../../../../src/core/foreign/decide-foreign.ts';
import { isEmptyPlan } from '../../../../src/core/ports/group-rules.ts';
import type { DocumentTrace, StoredDocument } from '../../../../src/core/ports/records.ts';
import type { GroupSnapshot, RefusedChanges } from '../../../../src/core/ports/store.ts';
import { documentHash } from '../../../../src/protocol/pure/hash.ts';
import { compareHlc } from '../../../../src/protocol/pure/hlc.ts';
import { snapshot, versionsOver } from '../../../support/engine/deciding.ts';
import { sha256 } from '../../../support/engine/fake-system.ts';
import {
  catalogue,
  document,
  hlc,
  policy,
  SCOPE,
  tombstone,
} from '../../../support/engine/records.ts';

const CURRENT = hlc(-10_000);
const CATALOGUE = catalogue(
  policy('tasks', { capture: true }),
  policy('plain'),
  policy('owned', { scope_field: ['team'], capture: true }),
);
const CHANGED = { title: 'changed by the application' };

function decide(
  over: Partial<GroupSnapshot>,
  how: {
    readonly key?: { readonly collection: string; readonly doc_id: string };
    readonly options?: ForeignOptions;
    readonly refused?: RefusedChanges;
  } = {},
) {
  const full = snapshot(over);
  const { plan, outcome } = decideForeign({
    scope_id: SCOPE,
    keys: [how.key ?? { collection: 'tasks', doc_id: 't1' }],
    options: how.options ?? { mode: 'rows', origin: 'external' },
    snapshot: full,
    refused: how.refused ?? new Map(),
    versions: versionsOver(full),
    catalogue: CATALOGUE,
    digest: sha256,
  });
  return { plan, verdict: outcome[0] };
}

function trace(fields: Partial<DocumentTrace> = {}): DocumentTrace {
  return { scope_id: SCOPE, collection: 'tasks', doc_id: 't1', version: CURRENT, ...fields };
}

/** As an application leaves it: other content under the engine's old fields. */
function changed(fields: Partial<StoredDocument> = {}): StoredDocument {
  return { ...document(CURRENT), data: CHANGED, ...fields };
}

/** As an application inserts it. */
function unstamped(fields: Partial<StoredDocument> = {}): StoredDocument {
  const none = { scope_id: null, version: null, change_version: null, hash: null };
  return changed({ ...none, actor_id: null, client_id: null, ...fields });
}

test('[FW-1] content that the engine wrote is known and writes nothing', () => {
  const { plan, verdict } = decide({ documents: [document(CURRENT)], traces: [trace()] });
  assert.equal(verdict, 'known');
  assert.ok(isEmptyPlan(plan));
});

test('[FW-2] changed content becomes one row and keeps the stored bytes', () => {
  const { plan, verdict } = decide({ documents: [changed()], traces: [trace()] });
  assert.equal(verdict, 'upserted');
  const [row] = plan.rows;
  assert.equal(plan.rows.length, 1);
  assert.equal(row?.origin, 'external');
  assert.deepEqual(row?.data, CHANGED);
  assert.equal(row?.parent_version, CURRENT);
  assert.equal(row?.actor_id, document(CURRENT).actor_id);
  const [write] = plan.documents;
  assert.ok(write?.kind === 'put' && write.as_stored === true);
  assert.equal(write.document.version, row?.version);
  assert.equal(write.document.hash, documentHash(sha256, CHANGED));
  assert.deepEqual(write.guard, { version: CURRENT, hash: document(CURRENT).hash });
  assert.deepEqual(plan.traces?.put, [trace({ version: row?.version as typeof CURRENT })]);
});

test('[FW-2] a read-only document is taken over as it is', () => {
  const { plan, verdict } = decide({ documents: [changed({ read_only: true })] });
  assert.equal(verdict, 'upserted');
  assert.deepEqual(plan.rows[0]?.data, CHANGED);
});

test('[FW-3] an absent document with a trace was deleted; without one nothing is known of it', () => {
  const { plan, verdict } = decide({ traces: [trace()] });
  assert.equal(verdict, 'deleted');
  const [row] = plan.rows;
  assert.deepEqual([row?.operation, row?.parent_version], ['delete', CURRENT]);
  assert.equal(plan.tombstones.put[0]?.version, row?.version);
  assert.deepEqual(plan.documents, []);
  assert.equal(plan.traces?.drop.length, 1);
  const unknown = decide({});
  assert.equal(unknown.verdict, 'known');
  assert.ok(isEmptyPlan(unknown.plan));
});

test('[FW-3] a deletion of ours leaves at most a stale trace to drop', () => {
  const { plan, verdict } = decide({ traces: [trace()], tombstones: [tombstone(CURRENT)] });
  assert.equal(verdict, 'known');
  assert.deepEqual([plan.rows.length, plan.traces?.drop.length], [0, 1]);
});

test('[FW-3] a document that the application marked as deleted becomes a delete row', () => {
  const { plan, verdict } = decide({ documents: [changed({ soft_deleted: true })] });
  assert.equal(verdict, 'deleted');
  assert.equal(plan.documents[0]?.kind, 'drop');
  assert.equal(plan.tombstones.put[0]?.version, plan.rows[0]?.version);
});

test('[TB-2] a marked document without a hash is a deletion that is known', () => {
  const documents = [changed({ soft_deleted: true, hash: null })];
  assert.ok(isEmptyPlan(decide({ documents }).plan));
  const traced = decide({ documents, traces: [trace()] });
  assert.equal(traced.verdict, 'known');
  assert.deepEqual([traced.plan.rows.length, traced.plan.traces?.drop.length], [0, 1]);
  const other = decide({ documents: documents.map((one) => ({ ...one, scope_id: 'scope-2' })) });
  assert.equal(other.verdict, 'unavailable');
});

test('[TB-4] a marked document that was never current becomes a tombstone without a row', () => {
  const marked = { soft_deleted: true, scope_id: SCOPE };
  for (const mode of ['rows', 'stamps'] as const) {
    const { plan, verdict } = decide(
      { documents: [unstamped(marked)] },
      { options: { mode, origin: 'migrate' } },
    );
    assert.equal(verdict, 'stamped');
    assert.deepEqual([plan.rows.length, plan.documents[0]?.kind], [0, 'drop']);
    assert.equal(plan.tombstones.put.length, 1);
  }
  const earlier = unstamped({ ...marked, version: CURRENT });
  const stamped = decide(
    { documents: [earlier] },
    { options: { mode: 'stamps', origin: 'migrate' } },
  );
  assert.equal(stamped.plan.tombstones.put[0]?.version, CURRENT);
  assert.equal(decide({ documents: [earlier] }).verdict, 'known');
});

test('[FW-4] a document whose scope field names another scope leaves with a remove row', () => {
  const moved = changed({ collection: 'owned', data: { team: 'elsewhere' } });
  const key = { collection: 'owned', doc_id: 't1' };
  const { plan, verdict } = decide({ documents: [moved] }, { key });
  assert.equal(verdict, 'moved');
  assert.deepEqual([plan.rows[0]?.operation, plan.rows[0]?.data], ['remove', null]);
  assert.equal(plan.documents[0]?.kind, 'release');
  assert.equal(plan.traces?.drop.length, 1);
  assert.deepEqual(plan.tombstones.put, [], 'it is not deleted');
});

test('[FW-4] a document that another scope took leaves this one by its trace alone', () => {
  const key = { collection: 'owned', doc_id: 't1' };
  const taken = unstamped({ collection: 'owned', data: { team: 'elsewhere' } });
  const traces = [trace({ collection: 'owned' })];
  const { plan, verdict } = decide({ documents: [taken], traces }, { key });
  assert.equal(verdict, 'moved');
  assert.equal(plan.rows[0]?.operation, 'remove');
  assert.deepEqual(plan.documents, [], 'the other scope writes it');
});

test('[FW-5] an id without a known scope, or of another scope, is left alone', () => {
  for (const other of [unstamped(), changed({ scope_id: 'scope-2' })]) {
    const { plan, verdict } = decide({ documents: [other] });
    assert.equal(verdict, 'unavailable');
    assert.ok(isEmptyPlan(plan));
  }
});

test('[FW-6] a known document without a trace gets one', () => {
  const { plan, verdict } = decide({ documents: [document(CURRENT)] });
  assert.equal(verdict, 'known');
  assert.deepEqual(plan.traces?.put, [trace()]);
  assert.deepEqual([plan.rows.length, plan.documents.length], [0, 0]);
  const plain = document(CURRENT, { collection: 'plain' });
  const other = decide({ documents: [plain] }, { key: { collection: 'plain', doc_id: 't1' } });
  assert.ok(isEmptyPlan(other.plan), 'without capture no trace is kept');
});

test('[MI-1] a stamp gives a version without a row, and the clock of the head goes with it', () => {
  const owned = unstamped({ collection: 'owned', data: { team: SCOPE } });
  const key = { collection: 'owned', doc_id: 't1' };
  const options = { mode: 'stamps', origin: 'migrate' } as const;
  const { plan, verdict } = decide({ documents: [owned] }, { key, options });
  assert.equal(verdict, 'stamped');
  assert.deepEqual(plan.rows, []);
  const [write] = plan.documents;
  assert.ok(write?.kind === 'put' && write.as_stored === true);
  assert.equal(plan.head.head_version, CURRENT);
  const over = snapshot({ head: plan.head, now_ms: 0 });
  assert.ok(compareHlc(versionsOver(over).next(), write.document.version) > 0);
});

test('[MI-2] a document of an earlier server keeps the version that its clients know', () => {
  const earlier = hlc(-500_000).slice(0, -5) as typeof CURRENT;
  const old = changed({ version: earlier, change_version: null, hash: null });
  const options = { mode: 'stamps', origin: 'migrate' } as const;
  const { plan, verdict } = decide({ documents: [old] }, { options });
  assert.equal(verdict, 'stamped');
  const [write] = plan.documents;
  assert.ok(write?.kind === 'put');
  assert.equal(write.document.version, earlier);
  const ahead = decide({ documents: [{ ...old, version: hlc(90_000) }] }, { options });
  const [drawn] = ahead.plan.documents;
  assert.ok(drawn?.kind === 'put' && compareHlc(drawn.document.version, hlc(90_000)) < 0);
});

test('[MI-1] content that changed after its stamp leaves a row also while stamping', () => {
  const options = { mode: 'stamps', origin: 'migrate' } as const;
  assert.equal(decide({ documents: [changed()] }, { options }).verdict, 'upserted');
});

test('[FW-7] a document that the database refuses is reported and left out', () => {
  const refused = new Map([['0:0', 'document_validation']]) as RefusedChanges;
  const { plan, verdict } = decide({ documents: [changed()] }, { refused });
  assert.equal(verdict, 'refused');
  assert.ok(isEmptyPlan(plan));
});

test('[MI-10] behind the barrier of its scope a stamp leaves a row', () => {
  const key = (mutation_id: string) => ({
    ...{ scope_ids: [SCOPE], actor_id: 'offline-sync', client_id: 'offline-sync', mutation_id },
  });
  const options = {
    ...({ mode: 'stamps', origin: 'migrate' } as const),
    ...{ mark: key('stamped:owned:r'), barrier: key('reset:owned:r') },
  };
  const owned = unstamped({ collection: 'owned', data: { team: SCOPE } });
  const of = { key: { collection: 'owned', doc_id: 't1' }, options };
  const silent = decide({ documents: [owned] }, of);
  assert.deepEqual([silent.verdict, silent.plan.rows.length], ['stamped', 0]);
  const [mark] = silent.plan.receipts;
  assert.ok(mark !== undefined);
  const marked = decide({ documents: [owned], receipts: [mark] }, of);
  assert.deepEqual([marked.verdict, marked.plan.rows.length], ['stamped', 0]);
  const told = { ...mark, mutation_id: 'reset:owned:r' };
  const late = decide({ documents: [owned], receipts: [mark, told] }, of);
  assert.deepEqual([late.verdict, late.plan.rows.length], ['upserted', 1]);
});

test('[MI-2] the clock of the head goes above a version that is kept', () => {
  const options = { mode: 'stamps', origin: 'migrate' } as const;
  const earlier = unstamped({ version: hlc(-500), scope_id: SCOPE });
  const { plan, verdict } = decide({ documents: [earlier] }, { options });
  assert.equal(verdict, 'stamped');
  assert.equal(plan.documents[0]?.kind === 'put' && plan.documents[0].document.version, hlc(-500));
  const over = snapshot({ head: plan.head, now_ms: 0 });
  assert.ok(compareHlc(versionsOver(over).next(), hlc(-500)) > 0);
});
