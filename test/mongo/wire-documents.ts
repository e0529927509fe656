/** Arbitrary documents as a push may carry them, every wrapper of the closed list included. */

import fc from 'fast-check';
import type { Json, JsonObject } from '../../src/protocol/pure/canonical-json.ts';
import { canonicalDecimal } from '../../src/protocol/pure/extended-json.ts';

const LONG_MAX = 2n ** 63n - 1n;

const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .map((name) => name.replace(/[.\0]/g, '_').replace(/^\$/, '_'))
  .filter((name) => name !== '__proto__' && name !== '_bsontype' && name !== '_id')
  .filter((name) => !name.startsWith('_sync_'));

const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(0, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53 - 1),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
);

const decimal = fc
  .tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 0n, max: 10n ** 34n - 1n }), fc.integer())
  .map(([sign, digits, power]) => `${sign}${digits}E${power % 6_100}`)
  .filter((text) => canonicalDecimal(text) !== undefined);

const hugeDouble = fc
  .double({ min: 2 ** 53, noNaN: true, noDefaultInfinity: true })
  .map((value) => String(Number.isInteger(value) ? value : 2 ** 60));

const binary = fc
  .tuple(fc.uint8Array({ maxLength: 12 }), fc.constantFrom('00', '0', '1', '03', '05', '80', 'FF'))
  .map(([bytes, subType]) => ({
    $binary: { base64: Buffer.from(bytes).toString('base64'), subType },
  }));

const wrapper: fc.Arbitrary<Json> = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => ({ $date: date.toISOString() })),
  fc.stringMatching(/^[0-9a-fA-F]{24}$/).map(($oid) => ({ $oid })),
  fc.bigInt({ min: -LONG_MAX - 1n, max: LONG_MAX }).map((long) => ({ $numberLong: String(long) })),
  fc.integer().map((long) => ({ $numberLong: String(long) })),
  decimal.map(($numberDecimal) => ({ $numberDecimal })),
  fc.constantFrom('NaN', 'Infinity', '-Infinity').map(($numberDecimal) => ({ $numberDecimal })),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '-0').map(($numberDouble) => ({ $numberDouble })),
  hugeDouble.map(($numberDouble) => ({ $numberDouble })),
  fc.uuid().map((uuid) => ({ $uuid: uuid.toUpperCase() })),
  binary,
);

const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  number,
  fc.string({ unit: 'binary', maxLength: 40 }),
  wrapper,
);

const { node } = fc.letrec<{ node: Json }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(key, tie('node'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** Any document that `checkDocument` accepts, in any spelling. */
export const anyDocument: fc.Arbitrary<JsonObject> = fc.dictionary(key, node, {
  maxKeys: 6,
  noNullPrototype: true,
});
