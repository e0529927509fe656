/**
 * Reads stored BSON into canonical wire form, straight from the bytes.
 *
 * The driver's own deserialiser is not used for documents, because it forgets what the wire and the
 * next write need: which numbers were stored as doubles or longs, which keys and types are outside
 * the closed Extended JSON list, and where a plain object only looks like one of its classes.
 */

import { BSONType, Decimal128 } from 'mongodb';
import type { Json, JsonObject } from '../../protocol/pure/canonical-json.ts';
import { canonicalDecimal } from '../../protocol/pure/extended-json.ts';
import {
  ARRAY_ITEMS_MAX,
  DEPTH_MAX,
  DOCUMENT_KEYS_MAX,
  KEY_LENGTH_MAX,
} from '../../protocol/pure/limits.ts';

/**
 * Where a number is stored otherwise than the codec would store it: `double` for 5.0, `long` for a
 * small one. A tree of the same shape as the document, with the odd places only.
 */
export type StoredTypes = 'double' | 'long' | ReadonlyMap<string, StoredTypes>;

/** A stored document in wire form, its engine fields apart. */
export interface DecodedDocument {
  /** `_id` and `_sync_*`. */
  readonly engine: JsonObject;
  readonly data: JsonObject;
  /** True when `data` holds something that cannot be written back as it is. */
  readonly read_only: boolean;
  readonly types: StoredTypes | undefined;
}

/** Prefix of the fields that belong to the engine. */
const ENGINE_PREFIX = '_sync_';

/** Decodes a document of a business collection. */
export function decodeDocument(bytes: Uint8Array): DecodedDocument {
  const reader = new BsonReader(bytes);
  const engine: Record<string, Json> = {};
  const data: Record<string, Json> = {};
  let types: Map<string, StoredTypes> | undefined;
  let readOnly = false;
  reader.eachElement((key) => {
    reader.keys += 1;
    const value = reader.value();
    if (key === '_id' || key.startsWith(ENGINE_PREFIX)) {
      engine[key] = value;
      reader.keys -= 1;
    } else {
      if (Object.hasOwn(data, key)) readOnly = true;
      put(data, key, value);
      readOnly ||= reader.foreign || !isWritableKey(key);
      if (reader.stored !== undefined) types = (types ?? new Map()).set(key, reader.stored);
    }
    reader.foreign = false;
  });
  return { engine, data, read_only: readOnly || reader.keys > DOCUMENT_KEYS_MAX, types };
}

/** Decodes a record of an engine collection as a whole. */
export function decodeRecord(bytes: Uint8Array): JsonObject {
  const reader = new BsonReader(bytes);
  const record: Record<string, Json> = {};
  reader.eachElement((key) => put(record, key, reader.value()));
  return record;
}

/** `__proto__` as a field name of a foreign document must stay a field. */
function put(target: Record<string, Json>, key: string, value: Json): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true });
  } else {
    target[key] = value;
  }
}

/** Whether a push may carry this key: the rules of the closed list. */
function isWritableKey(key: string): boolean {
  return (
    key !== '' &&
    key.length <= KEY_LENGTH_MAX &&
    !key.startsWith('$') &&
    !key.includes('.') &&
    key !== '__proto__' &&
    key !== '_bsontype'
  );
}

const INT32_MAX = 0x7fffffff;
const INT32_MIN = -0x80000000;
const DATE_MS_MAX = 8_640_000_000_000_000n;
const SHORT_TEXT = 24;

/** A position in the bytes. `type` is the type of the element whose value comes next. */
class BsonReader {
  /** Set when a value outside the closed list was read; the caller clears it. */
  foreign = false;
  /** Odd stored types of the value read last. */
  stored: StoredTypes | undefined;
  /** Keys of objects that were read so far. */
  keys = 0;
  readonly #bytes: Buffer;
  #at = 0;
  #type = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Calls `visit` with the key of every element of the document here; it must read the value. */
  eachElement(visit: (key: string) => void): void {
    this.#at += 4;
    this.#depth += 1;
    // What nests deeper than a push may carry is outside as well.
    if (this.#depth > DEPTH_MAX) this.foreign = true;
    for (;;) {
      this.#type = this.#bytes[this.#at] as number;
      this.#at += 1;
      if (this.#type === 0) break;
      const key = this.#cstring();
      this.stored = undefined;
      visit(key);
    }
    this.#depth -= 1;
  }

  value(): Json {
    const read = READERS[this.#type];
    if (read === undefined) throw new RangeError('a stored document holds an unknown BSON type');
    return read(this);
  }

  object(): Json {
    const copy: Record<string, Json> = {};
    let types: Map<string, StoredTypes> | undefined;
    this.eachElement((key) => {
      this.keys += 1;
      const value = this.value();
      // Two members of one name: the second is shown, and a write would lose the first.
      if (Object.hasOwn(copy, key) || !isWritableKey(key)) this.foreign = true;
      put(copy, key, value);
      if (this.stored !== undefined) types = (types ?? new Map()).set(key, this.stored);
    });
    this.stored = types;
    return copy;
  }

  array(): Json {
    const copy: Json[] = [];
    let types: Map<string, StoredTypes> | undefined;
    this.eachElement(() => {
      copy.push(this.value());
      if (this.stored !== undefined) {
        types = (types ?? new Map()).set(String(copy.length - 1), this.stored);
      }
    });
    if (copy.length > ARRAY_ITEMS_MAX) this.foreign = true;
    this.stored = types;
    return copy;
  }

  double(): Json {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    if (!Number.isInteger(value)) {
      return Number.isFinite(value) ? value : { $numberDouble: String(value) };
    }
    if (Object.is(value, -0)) return { $numberDouble: '-0' };
    if (!Number.isSafeInteger(value)) return { $numberDouble: String(value) };
    this.stored = 'double';
    return value;
  }

  int(): Json {
    const value = this.#bytes.readInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  long(): Json {
    const value = this.bigint();
    const number = Number(value);
    if (!Number.isSafeInteger(number)) return { $numberLong: String(value) };
    if (number >= INT32_MIN && number <= INT32_MAX) this.stored = 'long';
    return number;
  }

  bigint(): bigint {
    const value = this.#bytes.readBigInt64LE(this.#at);
    this.#at += 8;
    return value;
  }

  date(): Json {
    const ms = this.bigint();
    if (ms > DATE_MS_MAX || ms < -DATE_MS_MAX) {
      return this.outside({ $date: { $numberLong: String(ms) } });
    }
    return { $date: new Date(Number(ms)).toISOString() };
  }

  boolean(): Json {
    this.#at += 1;
    return this.#bytes[this.#at - 1] === 1;
  }

  string(): string {
    const length = this.#bytes.readInt32LE(this.#at);
    const start = this.#at + 4;
    this.#at = start + length;
    return this.#text(start, this.#at - 1);
  }

  hex(length: number): string {
    this.#at += length;
    return this.#bytes.toString('hex', this.#at - length, this.#at);
  }

  binary(): Json {
    const length = this.#bytes.readInt32LE(this.#at);
    const subType = (this.#bytes[this.#at + 4] as number).toString(16).padStart(2, '0');
    const start = this.#at + 5;
    this.#at = start + length;
    if (subType === '04' && length === 16) return { $uuid: uuidText(this.#bytes, start) };
    const base64 = this.#bytes.toString('base64', start, this.#at);
    const value = { $binary: { base64, subType } };
    return /^(00|01|03|05|[89a-f].)$/.test(subType) ? value : this.outside(value);
  }

  decimal(): Json {
    const bytes = Uint8Array.from(this.#bytes.subarray(this.#at, this.#at + 16));
    this.#at += 16;
    const text = new Decimal128(bytes).toString();
    const value = { $numberDecimal: text };
    // A number has several encodings; only the usual one is what a push of this text would store.
    const usual = canonicalDecimal(text) === text ? Decimal128.fromString(text).bytes : undefined;
    return usual?.every((byte, i) => byte === bytes[i]) ? value : this.outside(value);
  }

  regex(): Json {
    const pattern = this.#cstring();
    return this.outside({ $regularExpression: { pattern, options: this.#cstring() } });
  }

  timestamp(): Json {
    const i = this.#bytes.readUInt32LE(this.#at);
    const t = this.#bytes.readUInt32LE(this.#at + 4);
    this.#at += 8;
    return this.outside({ $timestamp: { t, i } });
  }

  codeWithScope(): Json {
    this.#at += 4;
    const $code = this.string();
    return this.outside({ $code, $scope: this.object() });
  }

  dbPointer(): Json {
    const $ref = this.string();
    return this.outside({ $dbPointer: { $ref, $id: { $oid: this.hex(12) } } });
  }

  /** Marks the value as one that a push cannot carry. */
  outside(value: Json): Json {
    this.foreign = true;
    this.stored = undefined;
    return value;
  }

  #cstring(): string {
    const start = this.#at;
    const end = this.#bytes.indexOf(0, start);
    this.#at = end + 1;
    return this.#text(start, end);
  }

  /** Short ASCII text is most of a document; building it here is faster than a call into the decoder. */
  #text(start: number, end: number): string {
    if (end - start > SHORT_TEXT) return this.#decoded(start, end);
    let text = '';
    for (let i = start; i < end; i += 1) {
      const code = this.#bytes[i] as number;
      if (code > 0x7f) return this.#decoded(start, end);
      text += String.fromCharCode(code);
    }
    return text;
  }

  /** Bytes that are no UTF-8 (other drivers store them, also lone surrogates) are shown as U+FFFD. */
  #decoded(start: number, end: number): string {
    const text = this.#bytes.toString('utf8', start, end);
    if (text.includes('\ufffd') && !this.#bytes.subarray(start, end).equals(Buffer.from(text))) {
      this.foreign = true;
    }
    return text;
  }
}

function uuidText(bytes: Buffer, start: number): string {
  const hex = bytes.toString('hex', start, start + 16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

type Read = (reader: BsonReader) => Json;

/** How each BSON type is read. Those that call `outside` have a readable form only. */
const READS: readonly (readonly [number, Read])[] = [
  [BSONType.double, (reader) => reader.double()],
  [BSONType.string, (reader) => reader.string()],
  [BSONType.object, (reader) => reader.object()],
  [BSONType.array, (reader) => reader.array()],
  [BSONType.binData, (reader) => reader.binary()],
  [BSONType.undefined, (reader) => reader.outside({ $undefined: true })],
  [BSONType.objectId, (reader) => ({ $oid: reader.hex(12) })],
  [BSONType.bool, (reader) => reader.boolean()],
  [BSONType.date, (reader) => reader.date()],
  [BSONType.null, () => null],
  [BSONType.regex, (reader) => reader.regex()],
  [BSONType.dbPointer, (reader) => reader.dbPointer()],
  [BSONType.javascript, (reader) => reader.outside({ $code: reader.string() })],
  [BSONType.symbol, (reader) => reader.outside({ $symbol: reader.string() })],
  [BSONType.javascriptWithScope, (reader) => reader.codeWithScope()],
  [BSONType.int, (reader) => reader.int()],
  [BSONType.timestamp, (reader) => reader.timestamp()],
  [BSONType.long, (reader) => reader.long()],
  [BSONType.decimal, (reader) => reader.decimal()],
  [BSONType.maxKey, (reader) => reader.outside({ $maxKey: 1 })],
  [BSONType.minKey, (reader) => reader.outside({ $minKey: 1 })],
];

/** The same by the type's byte: an array, because every value of every document is looked up. */
const READERS: readonly (Read | undefined)[] = Array.from(
  { length: 256 },
  (_, byte) => READS.find(([type]) => (type & 0xff) === byte)?.[1],
);
