/** CSV by RFC 4180: fields of a record, the header, and what a row becomes. */

import type { Json, JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { RecordFault } from './record-bytes.ts';

/** One field. Quotes are gone from the text. */
export interface CsvField {
  readonly text: string;
  readonly quoted: boolean;
}

/** What a column holds. `infer` looks at each value: numbers and booleans that are not quoted. */
export type CsvType = 'string' | 'number' | 'boolean' | 'date' | 'infer';

/** Every type that a column may be given by name. */
export const CSV_TYPES = ['string', 'number', 'boolean', 'date'] as const;

/** Splits a record into fields, or says why it is none. */
export function parseCsvRecord(text: string): readonly CsvField[] | RecordFault {
  const fields: CsvField[] = [];
  let at = 0;
  for (;;) {
    const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
    if (field === undefined) {
      return { code: 'csv_quote', message: 'a quote inside a field must be doubled and quoted' };
    }
    fields.push(field.value);
    if (field.next >= text.length) return fields;
    at = field.next + 1;
  }
}

interface FieldAt {
  readonly value: CsvField;
  /** Where its comma stands, or the length of the text. */
  readonly next: number;
}

function plainField(text: string, from: number): FieldAt | undefined {
  const comma = text.indexOf(',', from);
  const next = comma < 0 ? text.length : comma;
  const value = text.slice(from, next);
  return value.includes('"') ? undefined : { value: { text: value, quoted: false }, next };
}

function quotedField(text: string, from: number): FieldAt | undefined {
  let value = '';
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return undefined;
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') {
      const next = quote + 1;
      const ended = next === text.length || text[next] === ',';
      return ended ? { value: { text: value, quoted: true }, next } : undefined;
    }
    value += '"';
    at = quote + 2;
  }
}

/** A column: the path of its field (dots nest) and its type. */
export interface CsvColumn {
  readonly name: string;
  readonly path: readonly string[];
  readonly type: CsvType;
}

/** Types by column name, or `infer` for all. */
export type CsvTypes = ReadonlyMap<string, CsvType> | 'infer';

/** The columns of a header; a text when the header cannot be used. */
export function readHeader(
  fields: readonly CsvField[],
  types: CsvTypes,
): readonly CsvColumn[] | string {
  const names = fields.map(({ text }) => text);
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) return `the header names "${double}" twice`;
  const bad = names.find((name) =>
    name.split('.').some((key) => key === '' || key === '__proto__'),
  );
  if (bad !== undefined) return `the header has the name "${bad}", which is no field name`;
  const parent = names.find((name) => names.some((other) => other.startsWith(`${name}.`)));
  if (parent !== undefined) return `the header has "${parent}" and fields inside it`;
  if (types === 'infer') {
    return names.map((name) => ({ name, path: name.split('.'), type: 'infer' as const }));
  }
  const unknown = [...types.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined)
    return `--csv-types names "${unknown}", which the header does not have`;
  return names.map((name) => ({
    name,
    path: name.split('.'),
    type: types.get(name) ?? 'string',
  }));
}

/** The document of a row, or why it is none. */
export function documentOfRow(
  fields: readonly CsvField[],
  columns: readonly CsvColumn[],
): { readonly data: JsonObject } | RecordFault {
  if (fields.length !== columns.length) {
    const message = `the row has ${fields.length} fields and the header ${columns.length}`;
    return { code: 'csv_fields', message };
  }
  const data: Record<string, Json> = {};
  for (const [index, column] of columns.entries()) {
    const value = readValue(fields[index] as CsvField, column.type);
    if (value === undefined) {
      return { code: 'csv_value', message: `the value of "${column.name}" is no ${column.type}` };
    }
    if (value !== LEFT_OUT) put(data, column.path, value);
  }
  return { data };
}

const LEFT_OUT = Symbol('a field without a value');

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,3})?Z)?$/;

/** Undefined when the text does not fit. An empty field without quotes has no value, but for strings. */
function readValue(field: CsvField, type: CsvType): Json | typeof LEFT_OUT | undefined {
  if (type !== 'string' && field.text === '' && !field.quoted) return LEFT_OUT;
  return READERS[type](field);
}

const READERS: Readonly<Record<CsvType, (field: CsvField) => Json | undefined>> = {
  string: ({ text }) => text,
  number: ({ text }) => (NUMBER.test(text) ? Number(text) : undefined),
  boolean: ({ text }) => (text === 'true' ? true : text === 'false' ? false : undefined),
  date({ text }) {
    if (!DATE.test(text)) return undefined;
    return { $date: text.length === 10 ? `${text}T00:00:00.000Z` : text };
  },
  infer: ({ text, quoted }) => (quoted ? text : inferred(text)),
};

/** A number only when it reads back as the same text: codes such as 007 or 1e5 stay texts. */
function inferred(text: string): Json {
  if (text === 'true') return true;
  if (text === 'false') return false;
  const number = Number(text);
  return NUMBER.test(text) && String(number) === text ? number : text;
}

function put(data: Record<string, Json>, path: readonly string[], value: Json): void {
  let inner = data;
  for (const key of path.slice(0, -1)) {
    // Own fields only: a column `constructor.a` must not write into what all objects share.
    if (!Object.hasOwn(inner, key)) inner[key] = {};
    inner = inner[key] as Record<string, Json>;
  }
  inner[path.at(-1) as string] = value;
}
