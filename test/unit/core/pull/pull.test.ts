/** Pull over a store in memory: pages, filters, stale answers, second looks. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { PullAnswer } from '../../../../src/core/pull/answers.ts';
import { StoreError } from '../../../../src/core/ports/store.ts';
import type { PullChange, PullStale } from '../../../../src/protocol/pull.ts';
import type { SyncError } from '../../../../src/protocol/errors.ts';
import { hlcAfter, ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import {
  fill,
  LIMITS,
  pullQuery,
  pushTo,
  request,
  versionOf,
  type World,
  world,
} from '../../../support/engine/engine-world.ts';
import { hlc, SCOPE } from '../../../support/engine/records.ts';

async function filled(...bundles: readonly (readonly string[])[]): Promise<World> {
  const over = world();
  await fill(over, bundles);
  over.store.calls.length = 0;
  return over;
}

function pull(over: World, query: Parameters<typeof pullQuery>[0] = {}, context = request()) {
  return over.engine.pull(context, pullQuery(query));
}

function idsOf(answer: PullAnswer): string {
  assert.equal(answer.kind, 'page');
  return answer.changes.map((text) => (JSON.parse(text) as PullChange).doc_id).join(' ');
}

function staleOf(answer: PullAnswer): PullStale {
  assert.equal(answer.kind, 'stale');
  return answer.body;
}

test('[PL-1] rows come in commit order, page after page (invariant 5)', async () => {
  const over = await filled(['tasks/a'], ['notes/b', 'tasks/c'], ['tasks/d']);
  const first = await pull(over, { limit: 2 });
  assert.equal(idsOf(first), 'a b c');
  assert.deepEqual(first, {
    kind: 'page',
    changes: first.kind === 'page' ? first.changes : [],
    last_seq: versionOf(over, 3),
    has_more: true,
    head: versionOf(over, 4),
    head_bundle_seq: 3,
  });
  const second = await pull(over, { since: versionOf(over, 3), limit: 2 });
  assert.equal(idsOf(second), 'd');
  assert.ok(second.kind === 'page' && !second.has_more && second.last_seq === second.head);
});

test('[PL-3] a caught-up client gets an empty page from one read', async () => {
  const over = await filled(['tasks/a']);
  const answer = await pull(over, { since: versionOf(over, 1) });
  assert.deepEqual(answer, {
    kind: 'page',
    changes: [],
    last_seq: versionOf(over, 1),
    has_more: false,
    head: versionOf(over, 1),
    head_bundle_seq: 1,
  });
  assert.deepEqual(over.store.calls, ['readScope']);
});

test('[PL-3] a scope that does not exist is at the zero version, and a pull does not create it', async () => {
  const over = world();
  const answer = await pull(over);
  assert.deepEqual(answer, {
    kind: 'page',
    changes: [],
    last_seq: ZERO_HLC,
    has_more: false,
    head: ZERO_HLC,
    head_bundle_seq: 0,
  });
  assert.equal(over.store.heads.size, 0);
  assert.equal(staleOf(await pull(over, { since: hlc(1) })).head, ZERO_HLC);
});

test('[PL-2] a page behind a retained row takes two reads', async () => {
  const over = await filled(['tasks/a'], ['tasks/b']);
  assert.equal(idsOf(await pull(over, { since: versionOf(over, 1) })), 'b');
  assert.deepEqual(over.store.calls, ['readScope', 'readRows']);
});

test('[PL-3] pruned history, from zero and from a pruned row', async () => {
  const over = await filled(['tasks/a'], ['tasks/b'], ['tasks/c'], ['tasks/d']);
  const [one, two] = [versionOf(over, 1), versionOf(over, 2)];
  over.store.drop(SCOPE, 2);
  for (const since of [ZERO_HLC, one]) {
    const body = staleOf(await pull(over, { since }));
    assert.deepEqual(body, {
      full_resync_required: true,
      reason: 'history_pruned',
      collections: ['tasks', 'notes', 'owned', 'fixed'],
      head: versionOf(over, 4),
      epoch: 'epoch-1',
    });
  }
  assert.equal(idsOf(await pull(over, { since: two })), 'c d', 'its row is gone, its place is not');
  over.store.drop(SCOPE, 4);
  assert.equal(staleOf(await pull(over, { since: one })).reason, 'history_pruned');
  assert.equal(staleOf(await pull(over)).reason, 'history_pruned');
});

test('[PL-3] a client of another history is never given a page (invariant 15)', async () => {
  const over = await filled(['tasks/a'], ['tasks/b'], ['tasks/c']);
  const head = versionOf(over, 3);
  assert.equal(staleOf(await pull(over, { since: hlcAfter(head) })).reason, 'cursor_ahead');
  const foreign = hlcAfter(versionOf(over, 2));
  assert.equal(staleOf(await pull(over, { since: foreign })).reason, 'chain_broken');
});

test('[PL-8] "stale" needs a confirmed head and a second read of the rows', async () => {
  const over = await filled(['tasks/a'], ['tasks/b'], ['tasks/c']);
  const since = versionOf(over, 1);
  over.store.drop(SCOPE, 2);
  await pull(over, { since });
  assert.deepEqual(over.store.calls, [
    ...['readScope', 'firstRow'],
    'confirmHead',
    ...['readScope', 'firstRow'],
  ]);
});

test('[PL-8] a head that was behind for a moment, or rows that come back, are no reason to resync', async () => {
  const over = await filled(['tasks/a'], ['tasks/b']);
  const { store } = over;
  const since = versionOf(over, 2);
  const newest = store.heads.get(SCOPE)!;
  store.heads.set(SCOPE, { ...newest, head_version: versionOf(over, 1), head_seq: 1 });
  store.before = (call) => {
    if (call === 'confirmHead') store.heads.set(SCOPE, newest);
  };
  assert.equal(idsOf(await pull(over, { since })), '');
  const rows = store.rows;
  store.rows = rows.slice(0, 1);
  store.before = (call) => {
    if (call === 'confirmHead') store.rows = rows;
  };
  assert.equal(idsOf(await pull(over, { since: versionOf(over, 1) })), 'b');
});

test('[PL-8] rows that are pruned between two reads are noticed', async () => {
  const over = await filled(['tasks/a'], ['tasks/b'], ['tasks/c']);
  const since = versionOf(over, 1);
  over.store.before = (call) => {
    if (call === 'readRows') over.store.drop(SCOPE, 2);
  };
  assert.equal(staleOf(await pull(over, { since })).reason, 'history_pruned');
});

test('[PL-9] a reset row of a requested collection is answered, others pass over it', async () => {
  const over = await filled(['tasks/a'], ['notes/b'], ['tasks/c']);
  const { store } = over;
  store.rows = store.rows.map((row) =>
    row.seq === 2 ? { ...row, operation: 'reset', doc_id: null, data: null } : row,
  );
  const body = staleOf(await pull(over, { collections: ['notes', 'tasks'] }));
  assert.equal(body.reason, 'collection_reset');
  assert.deepEqual(body.collections, ['notes', 'tasks'], 'one cursor covers all of them');
  assert.deepEqual(body.details, { reset: ['notes'] });
  assert.equal(idsOf(await pull(over, { collections: ['tasks'] })), 'a c');
  assert.equal(idsOf(await pull(over, { collections: ['tasks'], limit: 1 })), 'a');
});

test('[PL-11] a changed epoch is answered before anything else is looked at', async () => {
  const over = await filled(['tasks/a']);
  const since = hlcAfter(versionOf(over, 1));
  const body = staleOf(await pull(over, { since }, request({ epoch: 'epoch-0' })));
  assert.equal(body.reason, 'epoch_changed');
  assert.equal(body.epoch, 'epoch-1');
  assert.deepEqual(over.store.calls, ['readScope']);
  const same = await pull(over, {}, request({ epoch: 'epoch-1' }));
  assert.equal(idsOf(same), 'a');
});

test('[PL-6] unknown and forbidden collections are answered alike, before any read', async () => {
  const over = world();
  const failures = [];
  for (const name of ['forbidden', 'unknown', '__proto__']) {
    const error = await pull(over, { collections: ['tasks', name] }).catch((e: SyncError) => e);
    failures.push(error);
    assert.ok(error instanceof Error && 'code' in error);
    assert.equal(error.code, 'collection_forbidden');
    assert.equal(error.details, undefined);
  }
  assert.deepEqual(over.store.calls, []);
});

test('[PL-7] a filter skips rows, a page may be empty and the client still moves on', async () => {
  const over = await filled(['notes/a'], ['notes/b'], ['tasks/c']);
  const empty = await pull(over, { collections: ['owned'], since: ZERO_HLC });
  assert.equal(idsOf(empty), '');
  assert.ok(empty.kind === 'page' && empty.last_seq === versionOf(over, 3) && !empty.has_more);
  over.store.before = (call) => {
    if (call === 'readRows') over.store.rows.splice(2);
  };
  const part = await pull(over, { collections: ['owned'] });
  assert.ok(part.kind === 'page' && part.has_more && part.changes.length === 0);
});

test('[PL-4] a read is bounded by the limit, and goes further behind a filter', async () => {
  const over = await filled(['tasks/a']);
  await pull(over, { limit: 7 });
  await pull(over, { limit: 7, collections: ['tasks'] });
  await pull(over, { limit: 7, collections: ['tasks', 'notes', 'owned', 'fixed'] });
  const whole = { scope_id: SCOPE, after_seq: 0, max_rows: 1_007, enough_rows: 7 };
  const part = { ...whole, max_rows: 5_000, enough_rows: 5_000 };
  const max_bytes = LIMITS.pull_max_bytes;
  assert.deepEqual(
    over.store.ranges,
    [whole, part, whole].map((range) => ({ ...range, max_bytes })),
  );
});

test('[PL-10] rows of another scope are not seen (invariant 14)', async () => {
  const over = await filled(['tasks/a']);
  await pushTo(over, [{ doc_id: 'x' }], { scope_id: 'scope-2' });
  assert.equal(idsOf(await pull(over)), 'a');
  assert.equal(idsOf(await pull(over, {}, request({ scope_id: 'scope-2' }))), 'x');
  const theirs = over.store.heads.get('scope-2')?.head_version;
  assert.ok(theirs);
  const body = await pull(over, { since: theirs });
  assert.equal(staleOf(body).reason, 'cursor_ahead');
});

test('[PL-4] a bundle larger than a page in rows or in bytes is served whole (invariant 22)', async () => {
  const over = world({ limits: { ...LIMITS, pull_max_bytes: 700 } });
  await fill(over, [['tasks/a', 'tasks/b', 'tasks/c', 'tasks/d'], ['tasks/e']]);
  over.store.calls.length = 0;
  const answer = await pull(over, { limit: 1 });
  assert.equal(idsOf(answer), 'a b c d');
  assert.ok(answer.kind === 'page' && answer.has_more);
  assert.ok(!over.store.calls.includes('confirmHead'));
  assert.equal(idsOf(await pull(over, { since: versionOf(over, 4) })), 'e');
});

test('[PL-4] a bundle whose rest is pruned while it is read is stale, not half a page', async () => {
  const over = world({ limits: { ...LIMITS, pull_max_bytes: 1 } });
  await fill(over, [['tasks/a', 'tasks/b', 'tasks/c']]);
  const { store } = over;
  let reads = 0;
  store.before = (call) => {
    reads += call === 'readRows' ? 1 : 0;
    if (reads === 2) store.drop(SCOPE, 2);
  };
  assert.equal(staleOf(await pull(over)).reason, 'history_pruned');
});

test('[PL-7] rows that were committed between the two reads lift the head of the answer', async () => {
  const over = await filled(['tasks/a']);
  over.store.before = async (call) => {
    if (call !== 'readRows') return;
    over.store.before = () => undefined;
    await pushTo(over, [{ doc_id: 'b' }]);
  };
  const answer = await pull(over);
  assert.equal(idsOf(answer), 'a b');
  assert.ok(answer.kind === 'page' && answer.head === versionOf(over, 2) && !answer.has_more);
});

test('[PL-8] a store that does not answer is a 503, never a page and never "stale"', async () => {
  const over = await filled(['tasks/a']);
  over.store.before = () => {
    throw new StoreError('unavailable', 'down');
  };
  await assert.rejects(pull(over), { code: 'database_unavailable' });
  over.store.before = () => {
    throw new StoreError('failed', 'odd');
  };
  await assert.rejects(pull(over), { code: 'internal' });
});

test('[PL-3] each pull emits one event', async () => {
  const over = await filled(['tasks/a'], ['tasks/b']);
  over.events.length = 0;
  await pull(over, { limit: 1 });
  await pull(over, { since: hlc(9_999_999) });
  assert.deepEqual(over.events, [
    {
      event: 'pull.served',
      scope_id: SCOPE,
      request_id: 'request-1',
      rows: 1,
      has_more: true,
      ms: 0,
    },
    {
      event: 'resync.required',
      scope_id: SCOPE,
      request_id: 'request-1',
      endpoint: 'pull',
      reason: 'cursor_ahead',
      ms: 0,
    },
  ]);
});
