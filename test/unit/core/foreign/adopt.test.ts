/** Groups of foreign documents: what becomes of one that does not get through. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adoptDocuments } from '../../../../src/core/foreign/adopt.ts';
import { StoreError, type SyncStore } from '../../../../src/core/ports/store.ts';
import { world } from '../../../support/engine/engine-world.ts';
import { catalogue, document, hlc, policy } from '../../../support/engine/records.ts';

const CATALOGUE = catalogue(policy('tasks'));
const OPTIONS = { mode: 'rows', origin: 'external' } as const;

/** A store whose commits of more than `most` documents are never in time. */
function busyWorld(most: number) {
  const own = world({ catalogue: CATALOGUE });
  const sizes: number[] = [];
  const documents = Array.from({ length: 10 }, (_, n) => {
    const one = { ...document(hlc(-10_000)), doc_id: `t${n}`, data: { n } };
    own.store.documents.set(`tasks\u0000t${n}`, one);
    return { collection: 'tasks', doc_id: one.doc_id, bytes: 10 };
  });
  const commitGroup: SyncStore['commitGroup'] = (scope_id, work) => {
    sizes.push(work.load.documents.length);
    if (work.load.documents.length > most) throw new StoreError('deadline', 'busy');
    return own.store.commitGroup(scope_id, work);
  };
  const store = new Proxy(own.core.store, {
    get: (target, key) => (key === 'commitGroup' ? commitGroup : Reflect.get(target, key)),
  });
  return { core: { ...own.core, store }, rows: own.store.rows, sizes, documents };
}

test('[FW-13] a group that does not get through beside a busy application is halved', async () => {
  const { core, rows, sizes, documents } = busyWorld(3);
  const verdicts = await adoptDocuments(core, 'scope-1', { documents, options: OPTIONS });
  assert.deepEqual(verdicts, Array(10).fill('upserted'));
  assert.deepEqual(sizes, [10, 5, 3, 2, 5, 3, 2]);
  assert.deepEqual(
    rows.map(({ doc_id }) => doc_id),
    documents.map(({ doc_id }) => doc_id),
  );
});

test('[FW-13] a single document that does not get through is a failure', async () => {
  const { core, documents, sizes } = busyWorld(0);
  const work = { documents, options: OPTIONS };
  await assert.rejects(adoptDocuments(core, 'scope-1', work), { kind: 'deadline' });
  assert.deepEqual(sizes, [10, 5, 3, 2, 1]);
});
