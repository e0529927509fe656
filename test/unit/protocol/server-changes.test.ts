import assert from 'node:assert/strict';
import test from 'node:test';
import { SyncError } from '../../../src/protocol/errors.ts';
import { parseServerChanges } from '../../../src/protocol/server-changes.ts';

test('[SW-8] the envelope needs a scope and changes; actor and client have the name server', () => {
  assert.deepEqual(parseServerChanges({ scope_id: 's1', changes: [7] }), {
    scope_id: 's1',
    actor_id: 'server',
    client_id: 'server',
    changes: [7],
  });
  const all = { scope_id: 's1', actor_id: 'a', client_id: 'c', changes: [], atomic: 'bundle' };
  assert.deepEqual(parseServerChanges({ ...all, other: 1 }), all);
  const nulls = parseServerChanges({
    scope_id: 's1',
    changes: [],
    actor_id: null,
    client_id: null,
  });
  assert.deepEqual([nulls.actor_id, nulls.client_id], ['server', 'server']);
});

const good = { scope_id: 's1', changes: [] };
for (const [name, body, issues] of [
  ['an array', [], [['', 'invalid_envelope']]],
  ['null', null, [['', 'invalid_envelope']]],
  ['a text', 'x', [['', 'invalid_envelope']]],
  [
    'nothing',
    {},
    [
      ['/scope_id', 'invalid_scope_id'],
      ['/changes', 'invalid_changes'],
    ],
  ],
  ['a list of scopes', { ...good, scope_id: ['s1'] }, [['/scope_id', 'invalid_scope_id']]],
  ['a long scope', { ...good, scope_id: 's'.repeat(129) }, [['/scope_id', 'invalid_scope_id']]],
  ['an empty actor', { ...good, actor_id: '' }, [['/actor_id', 'invalid_actor_id']]],
  ['an operator as actor', { ...good, actor_id: { $ne: 1 } }, [['/actor_id', 'invalid_actor_id']]],
  ['NUL in the client', { ...good, client_id: 'a\0' }, [['/client_id', 'invalid_client_id']]],
  ['another atomic', { ...good, atomic: 'all' }, [['/atomic', 'invalid_atomic']]],
  ['a near miss', { ...good, scopeId: 's1' }, [['/scopeId', 'near_miss']]],
  ['what a later version serves', { ...good, force: true }, [['/force', 'unsupported_field']]],
] as const) {
  test(`[SW-8] ${name} is 422 with its findings`, () => {
    try {
      parseServerChanges(body);
    } catch (error) {
      assert.ok(error instanceof SyncError);
      assert.equal(error.code, 'validation_failed');
      const found = error.details?.issues?.map(({ path, code }) => [path, code]);
      assert.deepEqual(
        found,
        issues.map((issue) => [...issue]),
      );
      return;
    }
    assert.fail('the envelope was accepted');
  });
}
