/** Barrier rows over the store in memory: once per scope and collection, whatever is repeated. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeResets } from '../../../../src/core/foreign/write-resets.ts';
import { isClientId } from '../../../../src/protocol/pure/ids.ts';
import { StoreError } from '../../../../src/core/ports/store.ts';
import { allScopes } from '../../../../src/core/scope/all-scopes.ts';
import {
  fill,
  pullQuery,
  request,
  type World,
  world,
} from '../../../support/engine/engine-world.ts';
import { SCOPE } from '../../../support/engine/records.ts';

const COLLECTIONS = ['tasks', 'notes'];
const OTHER = 'scope-2';

function wish(run: string, scopes: Iterable<string> | AsyncIterable<string> = [SCOPE]) {
  return { scopes, collections: COLLECTIONS, run, origin: 'server' as const };
}

function resets({ store }: World, scope_id: string) {
  return store.rows.filter((row) => row.scope_id === scope_id && row.operation === 'reset');
}

test('[EP-2] one barrier per scope and collection, in one bundle, continuing the chain', async () => {
  const over = world();
  await fill(over, [['tasks/a'], ['notes/b']]);
  const before = over.store.heads.get(SCOPE);
  assert.equal(await writeResets(over.core, wish('run-1', [SCOPE, OTHER])), 4);
  const rows = resets(over, SCOPE);
  assert.deepEqual(
    rows.map(({ collection, doc_id, data, origin }) => ({ collection, doc_id, data, origin })),
    COLLECTIONS.map((collection) => ({ collection, doc_id: null, data: null, origin: 'server' })),
  );
  assert.equal(rows[0]?.prev, before?.head_version);
  assert.equal(rows[1]?.prev, rows[0]?.version);
  assert.deepEqual(
    rows.map(({ bundle_seq, bundle_rows }) => [bundle_seq, bundle_rows]),
    [3, 3].map((bundle) => [bundle, 2]),
  );
  assert.equal(resets(over, OTHER).length, 2);
});

test('[EP-2] a client behind the barrier resyncs, one at the new head does not', async () => {
  const over = world();
  await fill(over, [['tasks/a']]);
  const since = over.store.heads.get(SCOPE)?.head_version;
  await writeResets(over.core, wish('run-1'));
  const behind = await over.engine.pull(request(), pullQuery({ since: since as never }));
  assert.equal(behind.kind, 'stale');
  if (behind.kind !== 'stale') return;
  assert.equal(behind.body.reason, 'collection_reset');
  assert.deepEqual(behind.body.details, { reset: COLLECTIONS });
  const after = await over.engine.pull(request(), pullQuery({ since: behind.body.head as never }));
  assert.equal(after.kind, 'page');
});

test('[EP-3] the same run writes nothing twice, another run does', async () => {
  const over = world();
  await fill(over, [['tasks/a']]);
  assert.equal(await writeResets(over.core, wish('run-1')), 2);
  assert.equal(await writeResets(over.core, wish('run-1')), 0);
  assert.equal(await writeResets(over.core, wish('run-2')), 2);
});

test('[EP-3] a run that ended in the middle is finished by the next one', async () => {
  const over = world();
  await fill(over, [['tasks/a']]);
  await writeResets(over.core, { ...wish('run-1'), collections: ['tasks'] });
  const seen: [string, number][] = [];
  const onScope = (scope_id: string, rows: number) => void seen.push([scope_id, rows]);
  assert.equal(await writeResets(over.core, { ...wish('run-1'), onScope }), 1);
  assert.deepEqual(seen, [[SCOPE, 1]]);
  assert.deepEqual(
    resets(over, SCOPE).map(({ collection }) => collection),
    COLLECTIONS,
  );
});

test('[EP-3] a commit of unknown fate is repeated, any other failure is told', async () => {
  const over = world();
  await fill(over, [['tasks/a']]);
  over.store.failures.push(new StoreError('commit_unknown', 'unknown'));
  assert.equal(await writeResets(over.core, wish('run-1')), 2);
  over.store.failures.push(
    ...Array.from({ length: 4 }, () => new StoreError('commit_unknown', '')),
  );
  await assert.rejects(writeResets(over.core, wish('run-2')), { kind: 'commit_unknown' });
  over.store.failures.push(new StoreError('unavailable', 'gone'));
  await assert.rejects(writeResets(over.core, wish('run-2')), { kind: 'unavailable' });
  assert.equal(resets(over, SCOPE).length, 2);
});

test('[EP-2] every scope that has a head is walked, page by page', async () => {
  const ids = Array.from({ length: 1_001 }, (_, i) => `s${String(i).padStart(4, '0')}`);
  const reads: (string | null)[] = [];
  const listScopes = async (after: string | null, limit: number) => {
    reads.push(after);
    const start = after === null ? 0 : ids.indexOf(after) + 1;
    return ids.slice(start, start + limit);
  };
  const found: string[] = [];
  for await (const id of allScopes({ listScopes })) found.push(id);
  assert.deepEqual(found, ids);
  assert.deepEqual(reads, [null, ids[499], ids[999]]);
});

test('[EP-3] no device can spend the receipt of a barrier: its client id cannot be sent', async () => {
  const over = world();
  await writeResets(over.core, wish('run-1'));
  assert.equal(over.store.receipts.length, COLLECTIONS.length);
  for (const { client_id } of over.store.receipts) assert.ok(!isClientId(client_id));
});
