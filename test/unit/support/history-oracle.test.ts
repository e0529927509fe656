/** The oracle of the process tests, tried on histories that were broken on purpose. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { deliveryFaults, faultsOf, lostMutations } from '../../support/process/history-oracle.ts';
import type { StoredRow, StoredState } from '../../support/process/stored-state.ts';

/** Bundles of 2, 1 and 3 rows in scope s1, one row in s2. */
const BUNDLES = [
  { scope_id: 's1', docs: ['a', 'b'] },
  { scope_id: 's1', docs: ['a'] },
  { scope_id: 's2', docs: ['a'] },
  { scope_id: 's1', docs: ['c', 'd', 'b'] },
];

type Changeable<T> = { -readonly [K in keyof T]: T[K] };
type History = { [K in keyof StoredState]: Changeable<StoredState[K][number]>[] };

/** A history in which every promise holds. The last row of s1 deletes document b. */
function goodHistory(): History {
  const rows: Changeable<StoredRow>[] = [];
  const heads = new Map<string, History['heads'][number]>();
  let count = 0;
  for (const { scope_id, docs } of BUNDLES) {
    const before = heads.get(scope_id);
    const bundle_seq = (before?.head_bundle_seq ?? 0) + 1;
    for (const [ordinal, doc_id] of docs.entries()) {
      count += 1;
      const head = heads.get(scope_id);
      const seq = (head?.head_seq ?? 0) + 1;
      const version = `20260502T120000.00${count}Z-0000-a1b2`;
      const deletes = doc_id === 'b' && count > 2;
      rows.push({
        version,
        scope_id,
        seq,
        prev: head?.head_version ?? '',
        bundle_seq,
        ordinal,
        bundle_rows: docs.length,
        collection: 'tasks',
        doc_id: `${scope_id}-${doc_id}`,
        operation: deletes ? 'delete' : 'upsert',
        data: deletes ? null : { count },
        client_id: 'c1',
        mutation_id: `m${count}`,
      });
      heads.set(scope_id, {
        scope_id,
        head_version: version,
        head_seq: seq,
        head_bundle_seq: bundle_seq,
      });
    }
  }
  const newest = new Map(rows.map((row) => [row.doc_id, row]));
  const documents = [...newest.values()]
    .filter(({ data }) => data !== null)
    .map(({ scope_id, collection, doc_id, version, data }) => ({
      scope_id,
      collection,
      doc_id,
      version,
      data,
    }));
  const receipts = rows.map(({ mutation_id }) => mutation_id);
  const sorted = rows.sort((x, y) =>
    x.scope_id < y.scope_id ? -1 : x.scope_id > y.scope_id ? 1 : x.seq - y.seq,
  );
  return { heads: [...heads.values()], rows: sorted, documents, receipts } as History;
}

function at<T>(list: T[], index: number): T {
  const item = list.at(index);
  assert.ok(item !== undefined);
  return item;
}

type Part = 'rows' | 'heads' | 'documents';

/** Replaces fields of one record, or takes the record away. */
function broken(part: Part, index: number, fields: object | null): History {
  const history = goodHistory();
  const list = history[part] as object[];
  if (fields === null) list.splice(index, 1);
  else Object.assign(at(list, index), fields);
  return history;
}

const EARLIER = '20260502T120000.001Z-0000-a1b2';
const LONG_AGO = '20260502T115959.000Z-0000-a1b2';

/** One broken promise each, and the words that must name it. Rows 0 to 5 are those of s1. */
const BROKEN: readonly [name: string, words: RegExp, history: History][] = [
  ['a row is lost in the middle', /lost after 2/, broken('rows', 2, null)],
  ['a seq is used twice', /same seq/, broken('rows', 2, { seq: 2 })],
  ['a prev names another row', /forked, prev is/, broken('rows', 3, { prev: EARLIER })],
  ['the first row has a prev', /first one has the prev/, broken('rows', 0, { prev: LONG_AGO })],
  ['versions fall', /not above/, broken('rows', 2, { version: LONG_AGO })],
  ['a version is there twice', /version .*twice/, broken('rows', 6, { version: EARLIER })],
  ['a mutation is there twice', /mutation .*twice/, broken('rows', 4, { mutation_id: 'm1' })],
  ['a bundle misses its end', /torn/, broken('rows', 1, { bundle_rows: 3 })],
  ['a bundle misses its begin', /torn/, broken('rows', 3, { ordinal: 1 })],
  ['a bundle number is left out', /torn/, broken('rows', 2, { bundle_seq: 3 })],
  ['two bundles share a number', /torn/, broken('rows', 2, { bundle_seq: 1 })],
  ['the head is behind', /head of s1 is not/, broken('heads', 0, { head_version: EARLIER })],
  ['the head counts rows wrongly', /head of s1 is not/, broken('heads', 0, { head_seq: 7 })],
  [
    'the head counts bundles wrongly',
    /head of s1 is not/,
    broken('heads', 0, { head_bundle_seq: 2 }),
  ],
  ['the last bundle is cut', /head of s1 is not/, broken('rows', 5, null)],
  ['a head is missing', /s2 has 0 heads/, broken('heads', 1, null)],
  ['a document is behind its row', /not at its row/, broken('documents', 0, { version: LONG_AGO })],
  ['a document is missing', /not at its row/, broken('documents', 0, null)],
  [
    'a document has other content',
    /other content/,
    broken('documents', 0, { data: { count: 99 } }),
  ],
  [
    'a deleted document is there',
    /although .* deleted it/,
    broken('documents', 0, { doc_id: 's1-b' }),
  ],
];

test('[OR-1] the oracle finds nothing in a history that keeps every promise', () => {
  assert.deepEqual(faultsOf(goodHistory()), []);
});

test('[OR-1] a pruned log is no fault: its first row may have any seq and prev', () => {
  const history = goodHistory();
  history.rows.splice(0, 2);
  assert.deepEqual(faultsOf(history), []);
});

for (const [name, words, history] of BROKEN) {
  test(`[OR-2] the oracle names it when ${name}`, () => {
    assert.match(faultsOf(history).join('\n'), words);
  });
}

test('[OR-3] every row once and in order is a good delivery; anything else is named', () => {
  const rows = goodHistory().rows.filter(({ scope_id }) => scope_id === 's1');
  const versions = rows.map(({ version }) => version);
  assert.deepEqual(deliveryFaults(rows, versions), []);
  assert.match(deliveryFaults(rows, versions.slice(0, -1)).join(), /row 6 .* was lost/);
  assert.match(deliveryFaults(rows, versions.toSpliced(1, 1)).join(), /row 2 .* was lost/);
  assert.match(deliveryFaults(rows, [...versions, at(versions, 0)]).join(), /1 rows came twice/);
  const swapped = versions.toSpliced(1, 2, at(versions, 2), at(versions, 1));
  assert.match(deliveryFaults(rows, swapped).join(), /another order/);
  assert.match(deliveryFaults(rows, [...versions, 'unknown']).join(), /does not hold/);
});

test('[OR-4] an acknowledged mutation must be in the log exactly once, under its version', () => {
  const { rows } = goodHistory();
  const acknowledged = rows.map(({ mutation_id, version }) => ({ mutation_id, version }));
  assert.deepEqual(lostMutations(rows, acknowledged), []);
  const [first] = acknowledged;
  assert.deepEqual(lostMutations(rows.slice(1), acknowledged), [first]);
  const moved = { mutation_id: 'm1', version: at(rows, 1).version };
  assert.deepEqual(lostMutations(rows, [moved]), [moved]);
  assert.deepEqual(lostMutations([...rows, at(rows, 0)], acknowledged), [first]);
  assert.deepEqual(lostMutations(rows, []), []);
});
