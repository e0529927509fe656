/**
 * Canonical wire form → BSON, and document ids both ways. The reverse direction is `bson-reader.ts`;
 * the two are symmetric over everything that a push may carry [EJ-2].
 */

import { Binary, Decimal128, type Document, Double, Int32, Long, ObjectId, UUID } from 'mongodb';
import type { Json, JsonObject } from '../../protocol/pure/canonical-json.ts';
import { canonicalDocId, type IdType } from '../../protocol/pure/ids.ts';
import type { StoredTypes } from './bson-reader.ts';

/** Digits that a safe integer has at most. */
const INT_DIGITS = 16;

/** What is stored now, so that a number that did not change keeps its BSON type [EJ-8]. */
export interface StoredContent {
  readonly data: JsonObject;
  readonly types: StoredTypes | undefined;
}

/** A document's user fields for storage. */
export function encodeDocument(data: JsonObject, stored?: StoredContent): Document {
  return encode(data, stored?.types && stored.data, stored?.types) as Document;
}

/** An `_id` for storage. `doc_id` must be canonical for the type. */
export function encodeId(doc_id: string, type: IdType): unknown {
  switch (type) {
    case 'string':
      return doc_id;
    case 'objectid':
      return new ObjectId(doc_id);
    case 'uuid':
      return new UUID(doc_id);
    case 'int': {
      const number = Number(doc_id);
      return isInt32(number) ? new Int32(number) : Long.fromNumber(number);
    }
  }
}

/** The canonical id of a stored `_id` in wire form, or undefined when it is not of this type. */
export function decodeId(stored: Json | undefined, type: IdType): string | undefined {
  if (stored === undefined || stored === null) return undefined;
  switch (type) {
    case 'string':
      return canonicalDocId(stored, type);
    case 'int':
      return canonicalDocId(integerText(stored), type);
    case 'objectid':
      return canonicalDocId((stored as JsonObject)['$oid'], type);
    case 'uuid':
      return canonicalDocId((stored as JsonObject)['$uuid'], type);
  }
}

/**
 * A stored number as the integer it equals. The database takes 7, 7.0, NumberDecimal("7") and also 0 and
 * -0 for the same `_id`, so each must be the same id here, or a document would be in the way unseen.
 */
function integerText(stored: Json): string | undefined {
  if (typeof stored === 'number') return String(stored);
  if (stored === null || typeof stored !== 'object') return undefined;
  const { $numberDouble, $numberDecimal } = stored as JsonObject;
  if ($numberDouble === '-0') return '0';
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/.exec(String($numberDecimal));
  if (parts === null) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = parts;
  const exponent = Number(power) - fraction.length;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  if (exponent >= 0)
    return exponent > INT_DIGITS ? undefined : sign + digits + '0'.repeat(exponent);
  const kept = digits.slice(0, exponent);
  return kept !== '' && /^0+$/.test(digits.slice(exponent)) ? sign + kept : undefined;
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= -0x80000000 && value <= 0x7fffffff;
}

function encode(value: Json, stored: Json | undefined, types: StoredTypes | undefined): unknown {
  if (typeof value === 'number') return encodeNumber(value, stored, types);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const at = inside(stored, types, String(index));
      return encode(item, at?.value, at?.types);
    });
  }
  const source = value as JsonObject;
  const copy: Document = {};
  for (const key of Object.keys(source)) {
    if (key.startsWith('$')) return encodeWrapper(key, source[key] as Json);
    const at = inside(stored, types, key);
    copy[key] = encode(source[key] as Json, at?.value, at?.types);
  }
  return copy;
}

/** The stored value below `key`, when something odd is stored there. */
function inside(
  stored: Json | undefined,
  types: StoredTypes | undefined,
  key: string,
): { readonly value: Json | undefined; readonly types: StoredTypes } | undefined {
  if (types === undefined || typeof types === 'string') return undefined;
  const below = types.get(key);
  if (below === undefined || typeof stored !== 'object' || stored === null) return undefined;
  return { value: (stored as JsonObject)[key], types: below };
}

/** Int32 where it fits, else Long for an integer and Double for the rest; unchanged ones as stored. */
function encodeNumber(
  value: number,
  stored: Json | undefined,
  types: StoredTypes | undefined,
): unknown {
  if (stored === value && types === 'double') return new Double(value);
  if (stored === value && types === 'long') return Long.fromNumber(value);
  return Number.isInteger(value) && !isInt32(value) ? Long.fromNumber(value) : value;
}

function encodeWrapper(key: string, value: Json): unknown {
  const write = WRAPPERS[key];
  if (write === undefined) throw new RangeError('a canonical document holds an unknown wrapper');
  return write(value as string & JsonObject);
}

const WRAPPERS: Readonly<Record<string, (value: string & JsonObject) => unknown>> = {
  $date: (text) => new Date(text),
  $oid: (text) => new ObjectId(text),
  $numberLong: (text) => Long.fromString(text),
  $numberDecimal: (text) => Decimal128.fromString(text),
  $numberDouble: (text) => new Double(Number(text)),
  $uuid: (text) => new UUID(text),
  $binary: ({ base64, subType }) =>
    new Binary(Buffer.from(base64 as string, 'base64'), Number.parseInt(subType as string, 16)),
};
