/** Content hashes: what they cover and what they ignore. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { canonicalJson } from '../../../src/protocol/pure/canonical-json.ts';
import {
  bundleHash,
  documentHash,
  type HashedMutation,
  type HashedRow,
  mutationHash,
} from '../../../src/protocol/pure/hash.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const VERSION = '20260502T150000.000Z-0005-a1b2' as Hlc;
const OTHER = '20260502T150000.000Z-0006-a1b2' as Hlc;

test('[CJ-4] a document hash is the SHA-256 of the canonical text, in 64 hex digits', () => {
  const hash = documentHash(sha256, { b: 1, a: '€' });
  assert.equal(hash, sha256('{"a":"€","b":1}'));
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.equal(documentHash(sha256, { a: '€', b: 1 }), hash);
});

test('[CJ-4] a bundle hash covers place, version and content, and nothing else', () => {
  const row: HashedRow = {
    collection: 'tasks',
    doc_id: 'a',
    operation: 'upsert',
    data: { n: 1 },
    ordinal: 0,
    version: VERSION,
  };
  const hash = bundleHash(sha256, [row]);
  assert.equal(bundleHash(sha256, [{ ...row, actor_id: 'someone' } as HashedRow]), hash);
  const changed: Partial<HashedRow>[] = [
    { collection: 'notes' },
    { doc_id: 'b' },
    { operation: 'delete' },
    { data: null },
    { ordinal: 1 },
    { version: OTHER },
  ];
  for (const change of changed) assert.notEqual(bundleHash(sha256, [{ ...row, ...change }]), hash);
  assert.notEqual(bundleHash(sha256, [row, row]), hash);
});

test('[CJ-5] a mutation hash covers collection, operation, id, data, parent and stamp', () => {
  const mutation: HashedMutation = {
    collection: 'tasks',
    operation: 'upsert',
    doc_id: 'a',
    parent_version: null,
    change_version: VERSION,
  };
  const hash = mutationHash(sha256, mutation, '{"n":1}');
  const changed: Partial<HashedMutation>[] = [
    { collection: 'notes' },
    { operation: 'delete' },
    { doc_id: 'b' },
    { parent_version: VERSION },
    { change_version: null },
    { change_version: OTHER },
  ];
  for (const change of changed) {
    assert.notEqual(mutationHash(sha256, { ...mutation, ...change }, '{"n":1}'), hash);
  }
  assert.notEqual(mutationHash(sha256, mutation, '{"n":2}'), hash);
  assert.notEqual(mutationHash(sha256, mutation, 'null'), hash);
});

test('[CJ-5] the text under a mutation hash is canonical JSON, hostile ids included', () => {
  const texts: string[] = [];
  const record = (text: string): string => {
    texts.push(text);
    return '';
  };
  const mutation: HashedMutation = {
    collection: 'tasks"<',
    operation: 'upsert',
    doc_id: '"},"x":"\\€😀',
    parent_version: VERSION,
    change_version: null,
  };
  const data = { b: [1, { z: null, a: '"' }], a: 0.5 };
  mutationHash(record, mutation, canonicalJson(data));
  assert.equal(texts[0], canonicalJson({ ...mutation, data }));
});
