/** The stories of an adoption over the store in memory: survey, stamps, barriers, and what verify finds. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Adoption } from '../../../../src/core/foreign/adoption.ts';
import { surveyCollection } from '../../../../src/core/foreign/survey.ts';
import type { ForeignStore, MigrationRecord } from '../../../../src/core/ports/foreign.ts';
import type { StoredDocument } from '../../../../src/core/ports/records.ts';
import type { DocumentKey } from '../../../../src/core/ports/store.ts';
import { world } from '../../../support/engine/engine-world.ts';
import { catalogue, document, hlc, policy } from '../../../support/engine/records.ts';

const CATALOGUE = catalogue(
  policy('tasks', { scope_field: ['team'], capture: true }),
  policy('homeless'),
);
const BYTES = 100;
const MAX_BYTES = 1_000;
const OPTIONS = { batch_size: 2, max_bytes: MAX_BYTES, restart: false, mayGoOn: () => true };

/** A document as an application left it. */
function plain(doc_id: string, data: StoredDocument['data'] = { team: 'a' }): StoredDocument {
  const none = { scope_id: null, version: null, change_version: null, hash: null };
  return { ...document(hlc(0)), ...none, actor_id: null, client_id: null, doc_id, data };
}

function place({ collection, doc_id }: DocumentKey): string {
  return `${collection}\u0000${doc_id}`;
}

/** An engine beside an application: what it holds is the fake store's documents. */
function adoptable(documents: readonly StoredDocument[], large: readonly string[] = []) {
  const own = world({ catalogue: CATALOGUE });
  for (const one of documents) own.store.documents.set(place(one), one);
  const records = new Map<string, MigrationRecord>();
  const bytesOf = (doc_id: string) => (large.includes(doc_id) ? MAX_BYTES + 1 : BYTES);
  const sorted = (collection: string) =>
    [...own.store.documents.values()]
      .filter((one) => one.collection === collection)
      .sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
  const foreign = {
    async *scan(collection: string, { position, batch_size }) {
      const left = sorted(collection).filter(({ doc_id }) => doc_id > (position ?? ''));
      for (let at = 0; at < left.length; at += batch_size) {
        const part = left.slice(at, at + batch_size);
        yield {
          documents: part.map((one) => {
            const odd = one.doc_id.startsWith('odd');
            const bytes = bytesOf(one.doc_id);
            return { id_kind: odd ? 'int' : 'string', bytes, document: odd ? null : one };
          }),
          position: part.at(-1)?.doc_id ?? '',
        };
      }
    },
    async *scanTraces(collection: string) {
      yield [...own.store.traces.values()].filter((one) => one.collection === collection);
    },
    count: async (collection: string) => sorted(collection).length,
    async *findDocuments(keys: readonly DocumentKey[]) {
      for (const key of keys) {
        const found = own.store.documents.get(place(key));
        if (found !== undefined) yield { document: found, bytes: bytesOf(found.doc_id) };
      }
    },
    findTraces: async (keys: readonly DocumentKey[]) =>
      keys.flatMap((key) => own.store.traces.get(place(key)) ?? []),
    readMigration: async (collection: string) => records.get(collection) ?? null,
    writeMigration: async (record: MigrationRecord) => {
      records.set(record.collection, record);
    },
    acquireLease: async () => ({ held: true, release: async () => undefined }),
  } as Partial<ForeignStore> as ForeignStore;
  const listScopes = async (after: string | null) =>
    [...own.store.heads.keys()].filter((scope) => scope > (after ?? '')).sort();
  const store = Object.assign(own.core.store, { foreign, listScopes });
  const core = { ...own.core, store };
  return { ...own, core, records, adoption: new Adoption(core) };
}

type Adoptable = ReturnType<typeof adoptable>;

async function migrate({ adoption }: Adoptable, options = OPTIONS) {
  const steps = adoption.migrate('tasks', options);
  const phases: string[] = [];
  for (;;) {
    const { done, value } = await steps.next();
    if (done === true) return { record: value, phases };
    phases.push(value.phase);
  }
}

const FIVE = ['t1', 't2', 't3', 't4', 't5'].map((id, n) => plain(id, { team: n < 3 ? 'a' : 'b' }));

test('[MI-7] a survey counts what would happen and writes nothing', async () => {
  const known = { ...document(hlc(-5_000)), doc_id: 'known', scope_id: 'a', data: { team: 'a' } };
  const own = adoptable(
    [
      ...FIVE,
      { ...known, data: { team: 'a', changed: true } },
      plain('nowhere', {}),
      plain('large'),
      plain('odd'),
      { ...plain('seen'), read_only: true },
      { ...plain('earlier'), version: hlc(-9_000) },
    ],
    ['large'],
  );
  const seen: number[] = [];
  const survey = await surveyCollection(own.core, 'tasks', {
    max_bytes: MAX_BYTES,
    onBatch: async (documents) => void seen.push(documents),
  });
  const { documents, unstamped, changed, without_scope, too_large, read_only, earlier } = survey;
  assert.deepEqual(
    { documents, unstamped, changed, without_scope, too_large, read_only, earlier },
    {
      ...{ documents: 11, unstamped: 7, changed: 1, without_scope: 1, too_large: 1 },
      ...{ read_only: 1, earlier: 1 },
    },
  );
  assert.deepEqual(survey.id_types, { string: 10, int: 1 });
  assert.deepEqual(survey.examples['without_scope'], ['nowhere']);
  assert.deepEqual([survey.scopes, survey.scope_source], [2, 'field team']);
  assert.deepEqual([seen.at(-1), own.store.groups.length], [11, 0]);
  const none = await surveyCollection(own.core, 'homeless', { max_bytes: MAX_BYTES });
  assert.deepEqual([none.documents, none.scope_source], [0, 'none']);
});

test('[MI-5] stamps leave no row, and each scope that got some has one barrier', async () => {
  const own = adoptable(FIVE);
  const { record, phases } = await migrate(own);
  assert.deepEqual([record.state, record.counts.stamped, record.counts.rows], ['done', 5, 0]);
  assert.deepEqual([...new Set(phases)], ['stamping', 'barriers', 'comparing']);
  assert.deepEqual(own.store.rows.map(({ scope_id, operation }) => [scope_id, operation]).sort(), [
    ['a', 'reset'],
    ['b', 'reset'],
  ]);
  const report = await own.adoption.verify(['tasks']);
  assert.deepEqual([report.documents, report.scopes, report.faults], [5, 2, 0]);
});

test('[MI-3] a run that ends early goes on behind its last batch', async () => {
  const own = adoptable(FIVE);
  const first = await migrate(own, { ...OPTIONS, mayGoOn: () => false });
  assert.deepEqual([first.record.state, first.record.counts.stamped], ['stamping', 2]);
  const versions = [...own.store.documents.values()].map(({ version }) => version);
  const second = await migrate(own);
  assert.deepEqual([second.record.state, second.record.counts.stamped], ['done', 5]);
  const later = [...own.store.documents.values()].map(({ version }) => version);
  assert.deepEqual(later.slice(0, 2), versions.slice(0, 2), 'stamped once');
});

test('[MI-6] after a finished adoption new and changed documents leave rows', async () => {
  const own = adoptable(FIVE);
  await migrate(own);
  own.store.documents.set(place(plain('t9')), plain('t9'));
  const changed = own.store.documents.get(place(plain('t1'))) as StoredDocument;
  own.store.documents.set(place(changed), { ...changed, data: { team: 'a', n: 2 } });
  own.store.documents.delete(place(plain('t2')));
  const { record, phases } = await migrate(own);
  assert.deepEqual([record.counts.stamped, record.counts.rows], [0, 2]);
  assert.ok(!phases.includes('stamping'));
  const rows = own.store.rows.filter(({ operation }) => operation !== 'reset');
  assert.deepEqual(rows.map(({ doc_id, operation }) => `${operation} ${doc_id}`).sort(), [
    'delete t2',
    'upsert t1',
    'upsert t9',
  ]);
});

test('[MI-3] verify names what is not as it must be', async () => {
  const own = adoptable(FIVE);
  await migrate(own);
  const of = (doc_id: string) => own.store.documents.get(place(plain(doc_id))) as StoredDocument;
  own.store.documents.set(place(plain('t1')), { ...of('t1'), data: { team: 'a', n: 1 } });
  own.store.documents.set(place(plain('new')), plain('new'));
  own.store.documents.set(place(plain('nowhere')), plain('nowhere', {}));
  own.store.documents.set(place(plain('odd')), plain('odd'));
  own.store.documents.set(place(plain('t2')), { ...of('t2'), version: hlc(9_000_000) });
  const head = own.store.heads.get('b');
  assert.ok(head !== undefined);
  own.store.heads.set('b', { ...head, head_version: hlc(8_000_000) });
  const read: number[] = [];
  const report = await own.adoption.verify(['tasks'], async (n) => void read.push(n));
  assert.deepEqual(report.findings.map(({ fault, place: where }) => `${fault} ${where}`).sort(), [
    'foreign_content tasks/t1',
    'head_is_not_newest_row b',
    'no_scope tasks/nowhere',
    'no_version tasks/new',
    'other_id_type tasks (int)',
    'version_above_head tasks/t2',
  ]);
  assert.equal(report.faults, 6);
  assert.ok(read.length > 0);
});

test('[MI-8] the lease and the count are the store’s', async () => {
  const { adoption } = adoptable(FIVE);
  assert.equal(await adoption.count('tasks'), 5);
  assert.equal((await adoption.acquireLease())?.held, true);
});
