/** Ids at their bounds. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  canonicalDocId,
  ID_TYPES,
  isClientId,
  isIdentityText,
  isMutationId,
} from '../../../src/protocol/pure/ids.ts';
import {
  CLIENT_ID_LENGTH_MAX,
  DOC_ID_LENGTH_MAX,
  IDENTITY_LENGTH_MAX,
  MUTATION_ID_LENGTH_MAX,
} from '../../../src/protocol/pure/limits.ts';

test('[ID-1] a document id is a string on the wire, whatever it is stored as', () => {
  for (const value of [1, 1.5, -0, 1e21, true, null, undefined, [], {}, { $oid: '5'.repeat(24) }]) {
    for (const type of ID_TYPES) assert.equal(canonicalDocId(value, type), undefined);
  }
});

test('[ID-3] each id is accepted at its length limit and refused one character beyond', () => {
  const bounds: [(text: string) => boolean, number][] = [
    [isClientId, CLIENT_ID_LENGTH_MAX],
    [isMutationId, MUTATION_ID_LENGTH_MAX],
    [isIdentityText, IDENTITY_LENGTH_MAX],
    [(text) => canonicalDocId(text, 'string') !== undefined, DOC_ID_LENGTH_MAX],
  ];
  for (const [accepts, max] of bounds) {
    assert.equal(accepts('x'.repeat(max)), true);
    assert.equal(accepts('x'.repeat(max + 1)), false);
    assert.equal(accepts(''), false);
  }
});

test('[ID-3] names that are no strings are refused', () => {
  for (const value of [undefined, null, 7, {}, ['a'], Symbol('a')]) {
    for (const check of [isClientId, isMutationId, isIdentityText]) {
      assert.equal(check(value), false);
    }
  }
});
