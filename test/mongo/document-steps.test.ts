/** First stamps of documents that no driver can read and write back, with transactions and without. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON } from 'mongodb';
import type { PlannedWrite } from '../../src/storage/mongo/plan-writes.ts';
import { FIELDS_BEFORE, fieldsBefore } from '../../src/storage/mongo/stored-documents.ts';
import { documentSteps } from '../../src/storage/mongo/standalone/document-steps.ts';

/** A stored document with text that is no UTF-8, as other drivers store it. */
function strangeDocument(): Uint8Array {
  const bytes = Buffer.from(BSON.serialize({ _id: 'a', text: '???', _sync_version: 'v1' }));
  bytes.set([0xed, 0xa0, 0x80], bytes.indexOf('???'));
  return bytes;
}

test('[SA-7] a document with text that is no UTF-8 is stamped, and the stamp can be taken back', () => {
  const stamp: PlannedWrite = {
    target: 'tasks',
    operation: {
      updateOne: {
        filter: { _id: 'a', _sync_version: 'v1' },
        update: { $set: { _sync_version: 'v2', _sync_hash: 'h2' } },
      },
    },
    change: '0:0',
    place: 'tasks\u0000a',
  };
  const bytes = new Map([['tasks\u0000a', strangeDocument()]]);
  const { writes, undo } = documentSteps([stamp], bytes, 'token');
  assert.deepEqual(writes, [stamp]);
  assert.deepEqual(undo[0]?.id, 'a');
  assert.deepEqual(undo[0]?.back, {
    $set: { _sync_version: 'v1' },
    $unset: { _sync_hash: '' },
  });
});

test('[EJ-10] a stamp remembers the fields of an earlier server beside text that is no UTF-8', () => {
  assert.deepEqual(fieldsBefore(strangeDocument()), { [FIELDS_BEFORE]: { _sync_version: 'v1' } });
});
