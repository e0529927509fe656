/** Field names that almost match a known one. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { CHANGE_FIELDS } from '../../../src/protocol/change.ts';
import { fieldIssues } from '../../../src/protocol/near-miss.ts';

function codes(source: object, kind: 'change' | 'envelope' = 'change'): [string, string][] {
  return fieldIssues(source, CHANGE_FIELDS, kind).map(({ path, code }) => [path, code]);
}

test('[PU-3] known names and foreign names pass', () => {
  const known = Object.fromEntries(CHANGE_FIELDS.map((name) => [name, 1]));
  assert.deepEqual(codes({ ...known, note: 1, x: 2, documentId: 3, '': 4 }), []);
});

test('[PU-3] a name that equals a known one but for case, underscores and hyphens is refused', () => {
  for (const name of ['parentVersion', 'parent-version', 'PARENT_VERSION', '_parent__version_']) {
    const [issue] = fieldIssues({ [name]: null }, CHANGE_FIELDS, 'change');
    assert.equal(issue?.code, 'near_miss');
    assert.equal(issue?.path, `/${name}`);
    assert.match(issue?.message ?? '', /"parent_version"/);
  }
  assert.deepEqual(codes({ docId: 1, Data: 2, mutationID: 3 }), [
    ['/docId', 'near_miss'],
    ['/Data', 'near_miss'],
    ['/mutationID', 'near_miss'],
  ]);
});

test('[PU-3] names of later versions are refused in any spelling, never ignored', () => {
  assert.deepEqual(codes({ force: true, vectorClock: {}, on_conflict: 'park' }), [
    ['/force', 'unsupported_field'],
    ['/vectorClock', 'unsupported_field'],
    ['/on_conflict', 'unsupported_field'],
  ]);
  assert.deepEqual(codes({ client_seq: 1, initializationId: 2, FORCE: 3 }, 'envelope'), [
    ['/client_seq', 'unsupported_field'],
    ['/initializationId', 'unsupported_field'],
    ['/FORCE', 'unsupported_field'],
  ]);
});

test('[PU-3] a hostile key is reported short and changes nothing', () => {
  const source = JSON.parse('{"__proto__":1,"_proto_":2,"constructor":3}') as object;
  assert.deepEqual(codes(source), []);
  const [issue] = fieldIssues({ [`doc${'_'.repeat(9_999)}id`]: 1 }, CHANGE_FIELDS, 'change');
  assert.ok((issue?.path.length ?? 0) <= 65);
});

test('[PU-3] findings of one object are bounded', () => {
  const keys = Array.from({ length: 64 }, (_, i) => `doc_id${'_'.repeat(i + 1)}`);
  const source = Object.fromEntries(keys.map((key) => [key, 1]));
  assert.equal(fieldIssues(source, CHANGE_FIELDS, 'change').length, 20);
});
