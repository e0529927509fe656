/**
 * The spellings of Extended JSON that MongoDB's own tools write, in the one form that the protocol
 * has for each. What is not listed stays as it is: the engine refuses it with its path.
 */

import type { Json } from '../../protocol/pure/canonical-json.ts';

/** Deeper than any document may be, and shallow enough for the stack. */
const DEPTH_MAX = 200;

/** The value with every known wrapper in the protocol's form. Throws RangeError when it is too deep. */
export function plainForms(value: Json, depth = 0): Json {
  if (value === null || typeof value !== 'object') return value;
  if (depth > DEPTH_MAX) throw new RangeError('nested too deeply');
  if (Array.isArray(value)) return value.map((item) => plainForms(item, depth + 1));
  const entries = Object.entries(value as Record<string, Json>);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && Object.hasOwn(FORMS, first[0])) {
    return FORMS[first[0]]?.(first[1]) ?? (value as Json);
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, plainForms(inner, depth + 1)]));
}

/** Undefined = not this form; the value stays as it is. */
const FORMS: Readonly<Record<string, (inner: Json) => Json | undefined>> = {
  $numberInt: (inner) => (isText(inner, /^-?\d{1,10}$/) ? Number(inner) : undefined),
  $numberDouble: (inner) => {
    const plain = isText(inner, /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/) ? Number(inner) : undefined;
    // -0 and integers beyond 2^53 keep their wrapper: plain they would be another value, or refused.
    if (plain === undefined || Object.is(plain, -0)) return undefined;
    return Number.isInteger(plain) && !Number.isSafeInteger(plain)
      ? { $numberDouble: String(plain) }
      : plain;
  },
  $date: (inner) => dateForm(inner),
  $binary: (inner) => uuidForm(inner),
};

function dateForm(inner: Json): Json | undefined {
  const ms =
    typeof inner === 'number' ? inner : Number(isRecord(inner) ? inner['$numberLong'] : Number.NaN);
  if (!Number.isInteger(ms) || Math.abs(ms) > 8_640_000_000_000_000) return undefined;
  return { $date: new Date(ms).toISOString() };
}

/** Sixteen bytes of subtype 4 are what the protocol calls `$uuid`. */
function uuidForm(inner: Json): Json | undefined {
  if (!isRecord(inner) || !['4', '04'].includes(String(inner['subType']))) return undefined;
  const bytes = Buffer.from(String(inner['base64']), 'base64');
  if (bytes.length !== 16) return undefined;
  const hex = bytes.toString('hex');
  return { $uuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') };
}

function isText(value: Json, form: RegExp): value is string {
  return typeof value === 'string' && form.test(value);
}

function isRecord(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
