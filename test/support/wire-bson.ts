/**
 * Wire documents ↔ BSON values, apart from the adapters: how a test asks the driver's own library what
 * a store would keep and read back.
 */

import { Binary, BSON, Decimal128, Double, Int32, Long, ObjectId, UUID } from 'mongodb';
import type { Json, JsonObject } from '../../src/protocol/pure/canonical-json.ts';

const UUID_SUBTYPE = 4;

/** The BSON value that a canonical wire value stands for. */
export function toBson(value: Json): unknown {
  if (typeof value === 'number') {
    const small = Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
    return small ? new Int32(value) : new Double(value);
  }
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(toBson);
  const [key, inner] = Object.entries(value as JsonObject)[0] ?? [];
  if (key?.startsWith('$'))
    return wrapped(key, inner as string & { base64: string; subType: string });
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, toBson(item)]));
}

function wrapped(key: string, inner: string & { base64: string; subType: string }): unknown {
  switch (key) {
    case '$date':
      return new Date(inner);
    case '$oid':
      return new ObjectId(inner);
    case '$numberLong':
      return Long.fromString(inner);
    case '$numberDecimal':
      return Decimal128.fromString(inner);
    case '$numberDouble':
      return new Double(Number(inner));
    case '$uuid':
      return new UUID(inner);
    case '$binary':
      return new Binary(Buffer.from(inner.base64, 'base64'), Number.parseInt(inner.subType, 16));
    default:
      throw new Error(`no BSON type for ${key}`);
  }
}

/** The canonical wire value of a stored one. */
export function fromBson(value: unknown): Json {
  if (value instanceof Int32) return value.value;
  if (value instanceof Double) return doubleToWire(value.value);
  if (value instanceof Long) {
    const number = value.toNumber();
    return Number.isSafeInteger(number) ? number : { $numberLong: value.toString() };
  }
  if (value instanceof Decimal128) return { $numberDecimal: value.toString() };
  if (value instanceof ObjectId) return { $oid: value.toHexString() };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (value instanceof Binary) return binaryToWire(value);
  if (value === null || typeof value !== 'object') return value as Json;
  if (Array.isArray(value)) return value.map(fromBson);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fromBson(item)]));
}

function doubleToWire(value: number): Json {
  const plain = Number.isFinite(value) && !Object.is(value, -0);
  if (plain && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
  return { $numberDouble: Object.is(value, -0) ? '-0' : String(value) };
}

function binaryToWire(value: Binary): Json {
  const bytes = Buffer.from(value.buffer.subarray(0, value.position));
  if (value.sub_type === UUID_SUBTYPE) return { $uuid: new UUID(bytes).toHexString() };
  const subType = value.sub_type.toString(16).padStart(2, '0');
  return { $binary: { base64: bytes.toString('base64'), subType } };
}

/** Stores and reads a wire document: BSON bytes and back, with every type kept. */
export function throughBson(data: JsonObject): { readonly data: Json; readonly bytes: number } {
  const bytes = BSON.serialize(toBson(data) as BSON.Document);
  const read = BSON.deserialize(bytes, { promoteValues: false, promoteBuffers: false });
  return { data: fromBson(read), bytes: bytes.length };
}
