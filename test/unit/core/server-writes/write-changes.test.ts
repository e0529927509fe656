/** What the application's own back end writes: over the commit path of a push, with its own conflict rule. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Change } from '../../../../src/protocol/change.ts';
import { parseServerChanges } from '../../../../src/protocol/server-changes.ts';
import { change, decideOne } from '../../../support/engine/deciding.ts';
import { pushTo, request, world, type World } from '../../../support/engine/engine-world.ts';
import { document, hlc, SCOPE, tombstone } from '../../../support/engine/records.ts';

async function write(
  { engine }: World,
  changes: readonly Partial<Change>[],
  more: Record<string, unknown> = {},
) {
  const body = { scope_id: SCOPE, changes: changes.map((one) => change(one)), ...more };
  const answer = await engine.writeServerChanges({ request_id: 'r' }, parseServerChanges(body));
  return answer.body;
}

test('[SW-2] a back end writes rows of origin server beside those of devices, in one log', async () => {
  const over = world();
  await pushTo(over, [{ doc_id: 'd1' }]);
  const body = await write(over, [{ doc_id: 's1', mutation_id: 'm1' }], { actor_id: 'ann' });
  await write(over, [{ doc_id: 's2' }], { client_id: 'billing' });
  assert.deepEqual(
    over.store.rows.map((row) => [row.doc_id, row.origin, row.actor_id, row.client_id, row.seq]),
    [
      ['d1', 'push', 'actor-1', 'client-m', 1],
      ['s1', 'server', 'ann', 'server', 2],
      ['s2', 'server', 'server', 'billing', 3],
    ],
  );
  assert.equal(body.head, over.store.rows[1]?.version);
  const events = over.events.filter(({ event }) => event === 'push.committed');
  assert.deepEqual(
    events.map((event) => 'origin' in event && event.origin),
    ['push', 'server', 'server'],
  );
});

test('[SW-3] a repeat gets the stored result, and the same id with other content is refused', async () => {
  const over = world();
  const [first] = (await write(over, [{ mutation_id: 'm1' }])).results;
  await pushTo(over, [{ data: { by: 'device' }, parent_version: first?.new_version ?? null }]);
  const [again] = (await write(over, [{ mutation_id: 'm1' }])).results;
  assert.deepEqual([again?.duplicate, again?.new_version], [true, first?.new_version]);
  assert.equal(over.store.rows.length, 2);
  const [reused] = (await write(over, [{ mutation_id: 'm1', data: { x: 1 } }])).results;
  assert.equal(reused?.code, 'mutation_id_reused');
});

test('[SW-3] a device that bears the names of a back end neither spends its mutation ids nor reads its answers', async () => {
  const over = world();
  const names = { actor_id: 'actor-1', client_id: 'client-m' };
  await pushTo(over, [{ doc_id: 'd1', mutation_id: 'm1', data: { by: 'device' } }]);
  const sent = [{ doc_id: 's1', mutation_id: 'm1', data: { by: 'back end' } }];
  const [first] = (await write(over, sent, names)).results;
  assert.deepEqual([first?.status, first?.duplicate], ['accepted', undefined]);
  const [again] = (await write(over, sent, names)).results;
  assert.deepEqual([again?.duplicate, again?.new_version], [true, first?.new_version]);
  const asked = await pushTo(over, [{ doc_id: 'd1', mutation_id: 'm1', data: { by: 'device' } }]);
  assert.equal(asked.results[0]?.duplicate, true);
  assert.equal(over.store.rows.length, 2);
});

const CURRENT = hlc(-10_000);
/** The document as a device left it, with a stamp that is still to come. */
const LIVE = { documents: [document(CURRENT, { change_version: hlc(50_000) })] };
const OWN = { documents: [document(CURRENT, { client_id: 'server' })] };
const SERVER = { origin: 'server', client_id: 'server' } as const;

for (const [name, sent, over, expected] of [
  ['over a device’s edit', {}, LIVE, ['incoming', 1, 'modified_both']],
  [
    'a delete over a device’s edit',
    { operation: 'delete' },
    LIVE,
    ['incoming', 1, 'deleted_local'],
  ],
  ['over its own earlier write', {}, OWN, ['applied', 1, undefined]],
  ['the same content', { data: { title: 'stored' } }, LIVE, ['noop', 0, undefined]],
  ['a new document', {}, {}, ['applied', 1, undefined]],
  [
    'a deleted document',
    {},
    { tombstones: [tombstone(CURRENT, { change_version: hlc(50_000) })] },
    ['applied', 1, undefined],
  ],
  [
    'over a foreign write',
    {},
    { documents: [document(CURRENT, { hash: 'of somebody else' })] },
    ['incoming', 2, 'modified_both'],
  ],
] as const) {
  test(`[SW-4] without a parent a server write holds: ${name}`, () => {
    const { plan, result } = decideOne(sent, over, SERVER);
    assert.deepEqual(
      [result.resolution, plan.rows.length, plan.conflicts[0]?.conflict_type],
      [...expected],
    );
    if (plan.conflicts[0] !== undefined) {
      assert.equal(plan.conflicts[0].winner, 'incoming');
      assert.deepEqual(plan.conflicts[0].remote.data, { title: 'stored' });
    }
  });
}

test('[SW-4] a device’s write without a parent still meets a conflict that it loses', () => {
  const { result, plan } = decideOne({}, LIVE);
  assert.deepEqual([result.resolution, plan.conflicts[0]?.winner], ['current', 'current']);
});

for (const [name, parent_version, resolution] of [
  ['the current version', CURRENT, 'applied'],
  ['a stale one', hlc(-40_000), 'current'],
] as const) {
  test(`[SW-5] with a parent a server write is compare-and-set: ${name} is ${resolution}`, () => {
    const { result, plan } = decideOne({ parent_version }, LIVE, SERVER);
    assert.equal(result.resolution, resolution);
    assert.equal(plan.rows.length, resolution === 'applied' ? 1 : 0);
    if (resolution === 'current') assert.deepEqual(result.data, { title: 'stored' });
  });
}

test('[SW-6] every configured collection and any scope may be written, scope rules hold', async () => {
  const over = world();
  const body = await write(
    over,
    [
      { collection: 'forbidden' },
      { collection: 'owned', data: {} },
      { collection: 'owned', doc_id: 't2', data: { meta: { owner: 'scope-1' } } },
      { collection: 'fixed' },
    ],
    { scope_id: 'scope-9' },
  );
  assert.deepEqual(
    body.results.map(({ code }) => code),
    ['collection_forbidden', null, 'scope_forbidden', 'scope_forbidden'],
  );
  assert.deepEqual(over.store.rows[0]?.data, { meta: { owner: 'scope-9' } });
  const denied = world({ access: { authorize: () => false } });
  assert.equal((await write(denied, [{}])).results[0]?.status, 'accepted');
});

test('[SW-7] while devices may not push, back ends write and devices read', async () => {
  const over = world({ push_enabled: false });
  await assert.rejects(pushTo(over, [{ mutation_id: 'm1' }]), {
    code: 'service_unavailable',
    details: { reason: 'push_disabled' },
    retry_after_seconds: 60,
  });
  assert.deepEqual(over.store.calls, []);
  assert.equal((await write(over, [{}])).results[0]?.status, 'accepted');
  const page = await over.engine.pull(request(), {
    since: '19700101T000000.000Z-0000' as never,
    collections: undefined,
    limit: 10,
  });
  assert.equal(page.kind === 'page' && page.changes.length, 1);
  assert.equal(over.engine.capabilities(request()).features['push'], false);
  assert.equal(world().engine.capabilities(request()).features['push'], true);
});

test('[SW-2] the size limits are those of a push, and a draining engine takes nothing', async () => {
  const over = world();
  const many = Array.from({ length: 501 }, (_, i) => ({ doc_id: `d${i}` }));
  await assert.rejects(write(over, many), { code: 'too_many_changes' });
  await over.engine.drain();
  await assert.rejects(write(over, [{}]), { code: 'service_unavailable' });
});
