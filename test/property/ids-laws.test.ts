/** Laws of ids: the canonical form is stable, and an id of a store is accepted as it prints. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ObjectId, UUID } from 'mongodb';
import { canonicalDocId, ID_TYPES, isWellFormed } from '../../src/protocol/pure/ids.ts';
import { checkLaw } from '../support/law.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.stringMatching(/^[0-9a-fA-F]{24}$/),
  fc.stringMatching(/^-?\d{1,17}$/),
  fc.uuid().map((id) => id.toUpperCase()),
);

test('[ID-2] a canonical id is its own canonical form and stores without loss', (t) => {
  checkLaw(
    t,
    fc.property(text, fc.constantFrom(...ID_TYPES), (sent, type) => {
      const id = canonicalDocId(sent, type);
      if (id === undefined) return;
      assert.equal(canonicalDocId(id, type), id);
      assert.equal(Buffer.from(id).toString(), id, 'UTF-8 keeps it');
      if (type === 'objectid') assert.equal(new ObjectId(id).toHexString(), id);
      if (type === 'uuid') assert.equal(new UUID(id).toHexString(), id);
      if (type === 'int') assert.equal(String(Number(id)), id);
    }),
    3_000,
  );
});

test('[ID-1] only strings are ids on the wire', (t) => {
  const other = fc.oneof(fc.double(), fc.boolean(), fc.constant(null), fc.object(), fc.array(text));
  checkLaw(
    t,
    fc.property(other, fc.constantFrom(...ID_TYPES), (sent, type) => {
      assert.equal(canonicalDocId(sent, type), undefined);
    }),
  );
});

test('[ID-3] a text is well formed exactly when UTF-8 keeps it', (t) => {
  checkLaw(
    t,
    fc.property(text, (value) => {
      assert.equal(isWellFormed(value), Buffer.from(value).toString() === value);
    }),
    2_000,
  );
});
