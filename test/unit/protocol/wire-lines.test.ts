/** Ready-made wire texts of rows, documents and tombstones, against the schemas that describe them. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  FullLine,
  FullTombstone,
  FullTrailer,
  fullLine,
  tombstoneLine,
} from '../../../src/protocol/full.ts';
import {
  closePullLine,
  openPullLine,
  PullChange,
  type WireRow,
} from '../../../src/protocol/pull.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';

const VERSION = '20260502T150000.000Z-0005-a1b2' as Hlc;
const ROW: WireRow = {
  version: VERSION,
  parent_version: null,
  collection: 'tasks',
  doc_id: 'task "1"\u2028',
  operation: 'upsert',
  data: { title: 'Buy <milk> & tea €', done: false },
  actor_id: 'alice',
  client_id: 'device-xyz',
  mutation_id: null,
  change_version: null,
  bundle_seq: 7,
};

test('[WI-7] a row becomes one line of JSON that its schema accepts, nulls kept', () => {
  for (const bundle_end of [true, false]) {
    const line = closePullLine(openPullLine(ROW), bundle_end);
    assert.ok(!line.includes('\n'));
    const parsed: unknown = JSON.parse(line);
    assert.deepEqual(parsed, { ...ROW, bundle_end });
    assert.deepEqual(PullChange.parse(parsed), parsed);
  }
});

test('[WI-7] a deleted row has null data', () => {
  const line = closePullLine(openPullLine({ ...ROW, operation: 'delete', data: null }), true);
  assert.equal(PullChange.parse(JSON.parse(line)).data, null);
});

test('[WI-7] internal fields of a row never reach the line', () => {
  const row = { ...ROW, seq: 3, prev: VERSION, scope_id: 's', origin: 'push', typed: {} };
  assert.deepEqual(JSON.parse(closePullLine(openPullLine(row), false)), {
    ...ROW,
    bundle_end: false,
  });
});

test('[WI-7] lines of a full resync have the seed shape', () => {
  const document: unknown = JSON.parse(
    fullLine({ collection: 'tasks', doc_id: 'a\nb', version: VERSION, data: { n: 1 } }),
  );
  assert.deepEqual(document, {
    collection: 'tasks',
    doc_id: 'a\nb',
    data: { n: 1 },
    deleted: false,
    version: VERSION,
  });
  assert.deepEqual(FullLine.parse(document), document);
  const tombstone: unknown = JSON.parse(tombstoneLine('tasks', 'b', VERSION));
  assert.deepEqual(tombstone, {
    collection: 'tasks',
    doc_id: 'b',
    data: null,
    deleted: true,
    operation: 'delete',
    version: VERSION,
  });
  assert.deepEqual(FullTombstone.parse(tombstone), tombstone);
  assert.ok(
    !fullLine({
      collection: 'tasks',
      doc_id: 'a\nb',
      version: VERSION,
      data: { t: 'x\ny' },
    }).includes('\n'),
  );
});

test('[WI-7] a trailer cannot be mistaken for a document', () => {
  const trailer = { type: 'end', count: 2, cursor: null, last_seq: VERSION };
  assert.deepEqual(FullTrailer.parse(trailer), trailer);
  assert.equal(FullLine.safeParse(trailer).success, false);
  assert.equal(
    FullTrailer.safeParse(
      JSON.parse(
        fullLine({ collection: 'c', doc_id: 'd', version: VERSION, data: { type: 'end' } }),
      ),
    ).success,
    false,
  );
});
