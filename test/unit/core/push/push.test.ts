/** Push through the engine over a store in memory. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { StoreError } from '../../../../src/core/ports/store.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { change } from '../../../support/engine/deciding.ts';
import { LIMITS, pushTo, request, versionOf, world } from '../../../support/engine/engine-world.ts';
import { CLIENT, hlc, SCOPE } from '../../../support/engine/records.ts';

test('[PU-17] the answer names results, head and bundle; neither is a cursor', async () => {
  const over = world();
  const { engine } = over;
  const sent = { client_id: CLIENT, changes: [change(), change({ doc_id: 't2' })] };
  const answer = await engine.push(request(), sent);
  assert.deepEqual(Object.keys(answer.body), ['results', 'head', 'bundle_seq']);
  assert.equal(answer.body.head, versionOf(over, 2));
  assert.deepEqual([answer.body.bundle_seq, answer.head_bundle_seq], [1, 1]);
  const noop = await pushTo(over, [{}]);
  assert.deepEqual([noop.head, noop.bundle_seq], [versionOf(over, 2), null]);
});

test('[PU-1] an empty push is answered with no results and touches nothing', async () => {
  const over = world();
  const body = await pushTo(over, []);
  assert.deepEqual(body, { results: [], head: ZERO_HLC, bundle_seq: null });
  assert.equal(over.store.groups.length, 0);
  assert.equal(over.store.heads.size, 0);
});

test('[PU-2] a push of refused changes only is answered without a commit (invariant 11)', async () => {
  const over = world();
  await pushTo(over, [{ doc_id: 'a' }]);
  over.store.calls.length = 0;
  const body = await pushTo(over, [{ doc_id: '' }, { collection: 'unknown' }]);
  assert.deepEqual(
    body.results.map(({ code, details }) => [code, details?.issues.length]),
    [
      ['validation_failed', 1],
      ['collection_forbidden', 1],
    ],
  );
  assert.equal(body.head, versionOf(over, 1));
  assert.ok(!over.store.calls.includes('commitGroup'));
  assert.equal(over.store.clients.length, 1, 'who only sends refused changes is not recorded');
});

test('[PU-4] a bundle with a refused change is answered without a commit', async () => {
  const over = world({ push_on_reject: 'bundle' });
  const body = await pushTo(over, [{ mutation_id: 'm1' }, { doc_id: '' }]);
  assert.deepEqual(
    body.results.map(({ code }) => code),
    ['batch_rolled_back', 'validation_failed'],
  );
  assert.equal(body.rolled_back, true);
  assert.deepEqual(over.store.calls, ['readScope']);
  const partial = await pushTo(over, [{ mutation_id: 'm1' }, { doc_id: '' }], {
    atomic: 'partial',
  });
  assert.equal(partial.results[0]?.status, 'accepted', 'the request overrules the configuration');
  assert.equal(partial.rolled_back, undefined);
});

test('[PU-4] a bundle that the decision rolls back stores nothing (invariant 11)', async () => {
  const over = world();
  const body = await pushTo(over, [{}, { parent_version: hlc(90_000), doc_id: 't2' }], {
    atomic: 'bundle',
  });
  assert.equal(body.rolled_back, true);
  assert.equal(body.head, ZERO_HLC);
  assert.deepEqual([over.store.rows.length, over.store.documents.size], [0, 0]);
});

test('[PU-7] a pure retry is answered from the receipts, without a commit (invariant 9)', async () => {
  const over = world();
  const sent = [
    { mutation_id: 'm1', data: { n: 1 } },
    { mutation_id: 'm2', doc_id: 't2', data: { n: 2 } },
  ];
  const first = await pushTo(over, sent);
  over.store.calls.length = 0;
  const again = await pushTo(over, sent);
  assert.deepEqual(over.store.calls, ['findReceipts', 'readScope']);
  assert.deepEqual(again, {
    ...first,
    results: first.results.map((one) => ({ ...one, duplicate: true })),
  });
});

test('[PU-7] the retry of a lost change brings the document as it is now', async () => {
  const over = world();
  await pushTo(over, [{ data: { n: 1 } }, { doc_id: 't2' }]);
  const sent = [
    { mutation_id: 'm1', data: { n: 2 } },
    { mutation_id: 'm2', doc_id: 't2', data: { n: 2 } },
  ];
  const lost = await pushTo(over, sent);
  assert.deepEqual(
    lost.results.map(({ resolution, data }) => [resolution, data]),
    [
      ['current', { n: 1 }],
      ['current', { title: 'sent' }],
    ],
  );
  await pushTo(over, [
    { data: { n: 3 }, parent_version: versionOf(over, 1) },
    { doc_id: 't2', operation: 'delete', parent_version: versionOf(over, 2) },
  ]);
  over.store.calls.length = 0;
  const again = await pushTo(over, sent);
  assert.deepEqual(over.store.calls, ['findReceipts', 'readDocuments', 'readScope']);
  assert.deepEqual(
    again.results.map(({ data, duplicate, server_version }) => [data, duplicate, server_version]),
    [
      [{ n: 3 }, true, versionOf(over, 1)],
      [null, true, versionOf(over, 2)],
    ],
  );
  assert.equal(again.bundle_seq, null);
});

test('[PU-7] repeats beside a new or an unnamed change go through the commit', async () => {
  const over = world();
  const sent = { mutation_id: 'm1' };
  await pushTo(over, [sent]);
  for (const other of [{ mutation_id: 'm2', doc_id: 't2' }, { doc_id: 't3' }]) {
    const body = await pushTo(over, [sent, other]);
    assert.deepEqual(
      body.results.map(({ status, duplicate }) => [status, duplicate]),
      [
        ['accepted', true],
        ['accepted', undefined],
      ],
    );
  }
  assert.equal(over.store.rows.length, 3);
});

test('[PU-7] a retry keeps the rejections beside it, and a bundle number only when it is one', async () => {
  const over = world();
  const one = { mutation_id: 'm1' };
  const two = { mutation_id: 'm2', doc_id: 't2' };
  await pushTo(over, [one]);
  await pushTo(over, [two]);
  over.store.calls.length = 0;
  const body = await pushTo(over, [two, { doc_id: '' }]);
  assert.deepEqual(
    body.results.map(({ duplicate, code }) => duplicate ?? code),
    [true, 'validation_failed'],
  );
  assert.equal(body.bundle_seq, 2);
  assert.equal((await pushTo(over, [one, two])).bundle_seq, null);
  assert.ok(!over.store.calls.includes('commitGroup'));
});

test('[PU-8] a reused id is refused alone, or with its bundle (invariant 10)', async () => {
  const over = world();
  await pushTo(over, [{ mutation_id: 'm1' }, { mutation_id: 'm2', doc_id: 't2' }]);
  const sent = [
    { mutation_id: 'm1', data: { n: 9 } },
    { mutation_id: 'm2', doc_id: 't2' },
  ];
  const codes = async (atomic: 'partial' | 'bundle') => {
    const body = await pushTo(over, sent, { atomic });
    return [...body.results.map(({ duplicate, code }) => duplicate ?? code), body.rolled_back];
  };
  assert.deepEqual(await codes('partial'), ['mutation_id_reused', true, undefined]);
  assert.deepEqual(await codes('bundle'), ['mutation_id_reused', true, true]);
  assert.equal(over.store.rows.length, 2);
});

test('[PU-12] the number of changes and the size of a bundle are bounded', async () => {
  const over = world({ limits: { ...LIMITS, push_max_changes: 2 } });
  const three = [{}, {}, {}];
  await assert.rejects(pushTo(over, three), { code: 'too_many_changes', details: { limit: 2 } });
  await pushTo(over, three.slice(1));
  const large = world();
  const text = 'x'.repeat(1_048_576 - 100);
  const changes = Array.from({ length: 8 }, (_, i) => ({ doc_id: `d${i}`, data: { text } }));
  assert.equal((await pushTo(large, changes)).bundle_seq, 1);
  const more = [...changes, { doc_id: 'd8', data: { text: 'x'.repeat(1_000) } }];
  await assert.rejects(pushTo(large, more), {
    code: 'bundle_too_large',
    details: { limit: 8_388_608 },
  });
});

test('[PU-10] a store that fails is a 503 without an answer, and an event with its code', async () => {
  const over = world();
  over.store.failures.push(new StoreError('commit_unknown', 'static text'));
  await assert.rejects(pushTo(over, [{ mutation_id: 'm1' }]), { code: 'database_unavailable' });
  over.store.before = () => {
    throw new TypeError('a bug');
  };
  await assert.rejects(pushTo(over, [{ mutation_id: 'm1' }]), TypeError);
  assert.deepEqual(
    over.events.map((event) => event.event === 'push.failed' && event.code),
    ['database_unavailable', 'internal'],
  );
  assert.equal(over.store.clients.length, 0);
});

test('[PU-12] a caller that is gone before its group starts leaves no trace', async () => {
  const over = world();
  const gone = new AbortController();
  gone.abort();
  await assert.rejects(pushTo(over, [{}], { signal: gone.signal }), { code: 'request_timeout' });
  assert.deepEqual(over.store.calls, []);
  await pushTo(over, [{}], { signal: new AbortController().signal });
  assert.equal(over.store.rows.length, 1);
});

test('[CR-10] a push is one event that counts its results and conflicts once (invariant 26)', async () => {
  const over = world();
  await pushTo(over, [{ mutation_id: 'm0' }]);
  over.events.length = 0;
  await pushTo(over, [{ data: { n: 1 } }, { mutation_id: 'm0' }, { doc_id: 't2' }, { doc_id: '' }]);
  const [, event] = over.events;
  assert.deepEqual(event, {
    event: 'push.committed',
    origin: 'push',
    scope_id: SCOPE,
    actor_id: 'actor-1',
    client_id: CLIENT,
    request_id: 'request-1',
    changes: 4,
    rows: 1,
    accepted: 2,
    resolved: 1,
    rejected: 1,
    duplicates: 1,
    rolled_back: false,
    conflicts: [{ collection: 'tasks', doc_id: 't1', winner: 'current' }],
    bundle_seq: 2,
    ms: 0,
  });
});

test('[PU-5] changes are checked with the caller’s scope and rights', async () => {
  const asked: unknown[] = [];
  const over = world({
    access: {
      authorize: (identity, collection, action) => {
        asked.push([identity.actor_id, collection, action]);
        return action !== 'push' || collection === 'owned';
      },
    },
  });
  const body = await pushTo(over, [{ collection: 'owned' }, { collection: 'tasks' }], {
    scope_id: 'scope-2',
    identity: { actor_id: 'actor-2', scope_ids: [SCOPE, 'scope-2'] },
  });
  assert.deepEqual(
    body.results.map(({ code }) => code),
    [null, 'collection_forbidden'],
  );
  assert.deepEqual(asked, [
    ['actor-2', 'owned', 'push'],
    ['actor-2', 'tasks', 'push'],
  ]);
  const [stored] = over.store.documents.values();
  assert.deepEqual(
    [stored?.scope_id, stored?.actor_id, stored?.data],
    ['scope-2', 'actor-2', { title: 'sent', meta: { owner: 'scope-2' } }],
  );
});

test('[PU-7] pushes that arrive together share groups and still take effect once (invariant 7)', async () => {
  const over = world();
  const same = Array.from({ length: 20 }, () => pushTo(over, [{ mutation_id: 'm1' }]));
  const bodies = await Promise.all(same);
  assert.equal(over.store.rows.length, 1);
  assert.ok(over.store.groups.length <= 2);
  assert.equal(bodies.filter(({ results }) => !results[0]?.duplicate).length, 1);
  assert.equal(new Set(bodies.map(({ results }) => results[0]?.new_version)).size, 1);
});
