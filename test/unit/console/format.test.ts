import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bytesText,
  documentText,
  durationText,
  queueFacts,
  readerCells,
  type ShownReader,
} from '../../../src/console/format.ts';
import { rowCells } from '../../../src/protocol/pure/row-cells.ts';

const READER: ShownReader = {
  subscription_id: 'sub-1',
  transport: 'websocket',
  mode: 'rows',
  actor_id: 'ann',
  client_id: null,
  collections: ['tasks', 'notes'],
  state: 'starting',
  position: null,
  behind_rows: null,
  buffered_bytes: 2_048,
  stalled_ms: 1_500,
  sent: 7,
  since_ms: 10_000,
};

test('[CO-5] numbers as people read them', () => {
  const bytes = [0, 1_023, 1_024, 1_048_575, 1_572_864].map(bytesText);
  assert.deepEqual(bytes, ['0 B', '1023 B', '1.0 KiB', '1024.0 KiB', '1.5 MiB']);
  const times = [0, 999.6, 1_000, 59_999, 60_000, 3_599_999, 7_200_000].map(durationText);
  assert.deepEqual(times, ['0 ms', '1000 ms', '1.0 s', '60.0 s', '1 min', '59 min', '2 h']);
});

test('[CO-5] a reader whose place is not known, and one that is behind', () => {
  assert.deepEqual(Object.values(readerCells(READER)), [
    ...['-', 'ann', 'websocket, rows', 'starting', '-', '2.0 KiB', '7'],
  ]);
  assert.equal(readerCells({ ...READER, client_id: 'phone', behind_rows: 3 }).behind, '3');
  assert.deepEqual(Object.values(queueFacts(READER, 9_000)), [
    ...['not known yet', '2.0 KiB', '1.5 s', 'not known yet', 'tasks, notes', '0 ms', 'sub-1'],
  ]);
});

test('[CO-2] cells of a row have one order, wherever it is shown', () => {
  const row = { version: 'v', collection: 'tasks', operation: 'remove' };
  const cells = rowCells({ ...row, actor_id: null, doc_id: null });
  assert.deepEqual(Object.entries(cells).flat(), [
    ...['version', 'v', 'collection', 'tasks', 'op', 'remove', 'actor', '-', 'doc', '-'],
  ]);
  assert.equal(documentText({ a: [1] }), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(documentText(undefined), '');
});
