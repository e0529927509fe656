/** Pages of a full resync that are larger than one answer of the database. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupOf, openWatched } from './mongo-world.ts';

const SCOPE = 'scope-1';
const DOCUMENTS = 22;
const BATCH_BYTES = 16_777_216;

test('[FU-8] a page holds what one batch of 16 MB holds, and the next goes on after it', async () => {
  const { store, close } = await openWatched();
  try {
    const text = 'x'.repeat(1_000_000);
    const ids = Array.from({ length: DOCUMENTS }, (_, i) => `d${String(i).padStart(2, '0')}`);
    for (const doc_id of ids) {
      await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id, data: { text } }]));
    }
    const seen: string[] = [];
    let after: string | null = null;
    for (let more = true; more; ) {
      const walk = store.openWalk(SCOPE);
      const batch = await walk.documents({ collection: 'tasks', after, limit: 1_000 });
      await walk.close();
      assert.ok(batch.count > 0);
      assert.ok(batch.text.length <= BATCH_BYTES);
      for (const line of batch.text.trimEnd().split('\n')) {
        seen.push((JSON.parse(line) as { doc_id: string }).doc_id);
      }
      ({ more, last_id: after } = batch);
    }
    assert.deepEqual(seen, ids);
    const range = { scope_id: SCOPE, after_seq: 0, max_rows: 100, max_bytes: 8_388_608 };
    const rows = await store.readRows(range);
    assert.ok(rows.length >= 7 && rows.length <= 9);
    assert.equal(rows[0]?.seq, 1);
  } finally {
    await close();
  }
});
