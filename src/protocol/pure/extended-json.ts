/**
 * The closed Extended JSON list: which values a document may hold on the wire, in one canonical form.
 *
 * `checkDocument` walks a parsed JSON object once and gives back its canonical copy, its stored size
 * and, where a small `$numberLong` asks for a stored type that the wire does not show, the typed
 * copy. Content hashes are computed over the canonical form, so every accepted spelling of a value
 * must become the spelling that a store reads back; otherwise a document would look changed by a
 * foreign writer on its next touch [EJ-2].
 */

import type { Json, JsonObject } from './canonical-json.ts';
import type { IssueCode } from './error-codes.ts';
import { ARRAY_ITEMS_MAX, DEPTH_MAX, DOCUMENT_KEYS_MAX, KEY_LENGTH_MAX } from './limits.ts';

/** A refused document: where, what, and what to do. */
export interface DocumentFault {
  readonly path: string;
  readonly code: IssueCode;
  readonly message: string;
}

/** An accepted document. `typed` differs from `data` only by kept `$numberLong` wrappers; bytes are BSON's. */
export interface CheckedDocument {
  readonly data: JsonObject;
  readonly typed: JsonObject | null;
  readonly bytes: number;
}

/** Checks and canonicalises a document from a request. Never throws. */
export function checkDocument(value: unknown): CheckedDocument | DocumentFault {
  const walk = new Walk();
  try {
    if (!isPlainObject(value)) {
      throw new Fault('', 'invalid_data', 'data must be a JSON object');
    }
    const data = walk.object(value, '', 1) as JsonObject;
    return { data, typed: walk.smallLong ? typedCopy(data, walk) : null, bytes: walk.bytes };
  } catch (error) {
    if (error instanceof Fault) {
      return { path: error.path, code: error.code, message: error.message };
    }
    throw error;
  }
}

/** True when `checkDocument` refused. */
export function isDocumentFault(x: CheckedDocument | DocumentFault): x is DocumentFault {
  return 'code' in x && 'message' in x && !('bytes' in x);
}

/** The canonical spelling of a Decimal128, or undefined when `text` is none (at most 34 digits, exact). */
export function canonicalDecimal(text: string): string | undefined {
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') return text;
  const m = /^(-?)(\d{1,200})(?:\.(\d{1,200}))?(?:[eE]([+-]?\d{1,5}))?$/.exec(text);
  if (m === null) return undefined;
  const [, sign, whole, fraction = '', power = '0'] = m as unknown as string[];
  const digits = `${whole}${fraction}`.replace(/^0+(?=\d)/, '');
  const exponent = Number(power) - fraction.length;
  if (digits.length > 34 || exponent > 6111 || exponent < -6176) return undefined;
  return `${sign}${decimalText(digits, exponent)}`;
}

function decimalText(digits: string, exponent: number): string {
  const adjusted = exponent + digits.length - 1;
  if (exponent > 0 || adjusted < -6) {
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${digits[0]}${tail}E${adjusted < 0 ? '-' : '+'}${Math.abs(adjusted)}`;
  }
  if (exponent === 0) return digits;
  const point = digits.length + exponent;
  return point > 0
    ? `${digits.slice(0, point)}.${digits.slice(point)}`
    : `0.${'0'.repeat(-point)}${digits}`;
}

/** UTF-8 length of a string, bytes; -1 when it holds a lone surrogate. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code <= 0x7f) continue;
    bytes += code > 0x7ff ? 2 : 1;
    if (code < 0xd800 || code > 0xdfff) continue;
    // A surrogate pair is two code units and four bytes: the second unit adds nothing.
    const next = text.charCodeAt(i + 1);
    if (code > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return -1;
    i += 1;
  }
  return bytes;
}

class Fault extends Error {
  readonly path: string;
  readonly code: IssueCode;
  constructor(path: string, code: IssueCode, message: string) {
    super(message);
    this.path = path;
    this.code = code;
  }
}

/** One pass over a document: canonical copy, size, and whether a small long was seen. */
class Walk {
  bytes = 0;
  smallLong = false;
  /** Canonical number → its wrapper, by the position at which it was met. */
  readonly longs: { readonly path: string; readonly text: string }[] = [];
  #keys = 0;

  object(source: Record<string, unknown>, path: string, depth: number): Json {
    this.#enter(path, depth);
    const copy: Record<string, Json> = {};
    this.bytes += 5;
    for (const key of Object.keys(source)) {
      this.#keys += 1;
      if (this.#keys > DOCUMENT_KEYS_MAX) {
        throw new Fault(path, 'invalid_data', `a document has at most ${DOCUMENT_KEYS_MAX} keys`);
      }
      this.bytes += 2 + checkKey(key, path);
      copy[key] = this.value(source[key], childPath(path, key), depth + 1);
    }
    return copy;
  }

  value(value: unknown, path: string, depth: number): Json {
    if (value === null) return null;
    switch (typeof value) {
      case 'boolean':
        this.bytes += 1;
        return value;
      case 'number':
        return this.#number(value, path);
      case 'string':
        return this.#string(value, path);
      case 'object':
        break;
      default:
        throw new Fault(path, 'invalid_data', 'only JSON values are allowed');
    }
    if (Array.isArray(value)) return this.#array(value, path, depth);
    const source = value as Record<string, unknown>;
    const wrapper = Object.keys(source).find((key) => key.startsWith('$'));
    return wrapper === undefined
      ? this.object(source, path, depth)
      : this.#wrapper(source, wrapper, path);
  }

  #enter(path: string, depth: number): void {
    if (depth > DEPTH_MAX) {
      throw new Fault(path, 'nesting_too_deep', `documents nest at most ${DEPTH_MAX} levels`);
    }
  }

  #array(source: readonly unknown[], path: string, depth: number): Json {
    this.#enter(path, depth);
    if (source.length > ARRAY_ITEMS_MAX) {
      throw new Fault(path, 'invalid_data', `an array has at most ${ARRAY_ITEMS_MAX} items`);
    }
    this.bytes += 5;
    return source.map((item, index) => {
      this.bytes += 2 + String(index).length;
      return this.value(item, `${path}/${index}`, depth + 1);
    });
  }

  #number(value: number, path: string): number {
    if (!Number.isFinite(value)) {
      throw new Fault(path, 'invalid_number', 'the number is outside the range of a double');
    }
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      throw new Fault(
        path,
        'unsafe_integer',
        'send integers beyond 2^53 as {"$numberLong": "…"} or {"$numberDouble": "…"}',
      );
    }
    this.bytes += Number.isInteger(value) && value >= -0x80000000 && value <= 0x7fffffff ? 4 : 8;
    return value === 0 ? 0 : value;
  }

  #string(value: string, path: string): string {
    const bytes = utf8Length(value);
    if (bytes < 0) throw new Fault(path, 'invalid_data', 'the string holds a lone surrogate');
    this.bytes += 5 + bytes;
    return value;
  }

  #wrapper(source: Record<string, unknown>, key: string, path: string): Json {
    const read = Object.hasOwn(WRAPPERS, key) ? WRAPPERS[key] : undefined;
    if (read === undefined || Object.keys(source).length !== 1) {
      throw new Fault(
        path,
        'invalid_key',
        'keys that start with "$" are reserved for the Extended JSON list',
      );
    }
    const result = read(source[key]);
    if (result === undefined) {
      throw new Fault(path, 'invalid_data', `the value of "${key}" is not valid`);
    }
    this.bytes += result.bytes;
    if (typeof result.wire === 'number') {
      this.smallLong = true;
      this.longs.push({ path, text: String(result.wire) });
    }
    return result.wire;
  }
}

interface WrapperValue {
  readonly wire: Json;
  readonly bytes: number;
}

const LONG_MAX = 2n ** 63n - 1n;
const LONG_MIN = -(2n ** 63n);

const WRAPPERS: Record<string, (value: unknown) => WrapperValue | undefined> = {
  $date(value) {
    if (typeof value !== 'string') return undefined;
    if (!/^(\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(value)) return undefined;
    const date = new Date(value);
    if (Number.isNaN(date.getTime())) return undefined;
    const text = date.toISOString();
    // Date accepts 31 February and 24:00 by rolling over; such a date is refused, not moved.
    const plain = value.replace(/(?:\.(\d{1,3}))?Z$/, (_, ms = '') => `.${ms.padEnd(3, '0')}Z`);
    return text === plain ? { wire: { $date: text }, bytes: 8 } : undefined;
  },
  $oid(value) {
    if (typeof value !== 'string' || !/^[0-9a-fA-F]{24}$/.test(value)) return undefined;
    return { wire: { $oid: value.toLowerCase() }, bytes: 12 };
  },
  $numberLong(value) {
    if (typeof value !== 'string' || !/^(0|-?[1-9]\d{0,18})$/.test(value)) return undefined;
    const long = BigInt(value);
    if (long > LONG_MAX || long < LONG_MIN) return undefined;
    const number = Number(value);
    return { wire: Number.isSafeInteger(number) ? number : { $numberLong: value }, bytes: 8 };
  },
  $numberDecimal(value) {
    const text = typeof value === 'string' ? canonicalDecimal(value) : undefined;
    return text === undefined ? undefined : { wire: { $numberDecimal: text }, bytes: 16 };
  },
  $numberDouble(value) {
    if (typeof value !== 'string') return undefined;
    if (['NaN', 'Infinity', '-Infinity', '-0'].includes(value)) {
      return { wire: { $numberDouble: value }, bytes: 8 };
    }
    const number = Number(value);
    const wrapped = Number.isInteger(number) && !Number.isSafeInteger(number);
    return wrapped && String(number) === value
      ? { wire: { $numberDouble: value }, bytes: 8 }
      : undefined;
  },
  $binary(value) {
    if (!isPlainObject(value) || Object.keys(value).length !== 2) return undefined;
    const { base64, subType } = value;
    if (typeof base64 !== 'string' || typeof subType !== 'string') return undefined;
    const length = base64Length(base64);
    if (length === undefined || !/^[0-9a-fA-F]{1,2}$/.test(subType)) return undefined;
    const type = subType.toLowerCase().padStart(2, '0');
    // 02 carries an inner length, 04 is $uuid, 06–09 have an inner format of their own.
    if (!/^(00|01|03|05|[89a-f].)$/.test(type)) return undefined;
    return { wire: { $binary: { base64, subType: type } }, bytes: 5 + length };
  },
  $uuid(value) {
    if (typeof value !== 'string') return undefined;
    if (!/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(value)) return undefined;
    return { wire: { $uuid: value.toLowerCase() }, bytes: 21 };
  },
};

/** Decoded length of canonical base64, or undefined when the text is not canonical. */
function base64Length(text: string): number | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (padding > 0) {
    // Unused bits of the last character must be zero, else two texts would name the same bytes.
    const last = alphabet.indexOf(text[text.length - padding - 1] as string);
    if (last % (padding === 2 ? 16 : 4) !== 0) return undefined;
  }
  return (text.length / 4) * 3 - padding;
}

/** JSON pointer of a member; a slash in a key is escaped, else two members would share a path. */
function childPath(path: string, key: string): string {
  if (!key.includes('/') && !key.includes('~')) return `${path}/${key}`;
  return `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Length of an allowed key, bytes. */
function checkKey(key: string, path: string): number {
  const at = `${path}/${key.slice(0, 40)}`;
  if (key === '' || key.length > KEY_LENGTH_MAX) {
    throw new Fault(path, 'invalid_key', `keys have 1 to ${KEY_LENGTH_MAX} characters`);
  }
  const bytes = utf8Length(key);
  if (key.startsWith('$') || key.includes('.') || key.includes('\0') || bytes < 0) {
    throw new Fault(at, 'invalid_key', 'keys must not start with "$" or hold a dot or NUL');
  }
  if (key === '__proto__' || key === '_bsontype') {
    throw new Fault(at, 'invalid_key', `"${key}" is not allowed as a key`);
  }
  return bytes;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy of `data` in which the numbers that came as small `$numberLong` carry their wrapper again. */
function typedCopy(data: JsonObject, walk: Walk): JsonObject {
  const wanted = new Map(walk.longs.map((long) => [long.path, long.text]));
  const copy = (value: Json, path: string): Json => {
    if (typeof value === 'number') {
      const text = wanted.get(path);
      return text === undefined ? value : { $numberLong: text };
    }
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item, index) => copy(item, `${path}/${index}`));
    const source = value as JsonObject;
    return Object.fromEntries(
      Object.entries(source).map(([key, item]) => [key, copy(item, childPath(path, key))]),
    );
  };
  return copy(data, '') as JsonObject;
}
