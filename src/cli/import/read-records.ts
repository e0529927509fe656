/** Reads a file as changes: one record after the other, each with its line, an id and a document. */

import { createReadStream } from 'node:fs';
import type { Json, JsonObject } from '../../protocol/pure/canonical-json.ts';
import { usageError } from '../failure.ts';
import {
  type CsvColumn,
  type CsvTypes,
  documentOfRow,
  parseCsvRecord,
  readHeader,
} from './parse-csv.ts';
import { plainForms } from './plain-forms.ts';
import type { RawRecord, RecordFault, Splitter } from './record-bytes.ts';
import { JsonSplitter } from './split-json.ts';
import { CsvSplitter, LineSplitter } from './split-lines.ts';

/** The formats that can be read. */
export const FORMATS = ['ndjson', 'json', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** How a file is read. */
export interface ReadOptions {
  readonly format: Format;
  /** Field that holds the id; without it `_id`, then `id`. */
  readonly id_field: string | undefined;
  readonly csv_types: CsvTypes;
}

/** One record of the file: a document with its id, or the reason why it is none. */
export type FileRecord = Pick<RawRecord, 'line' | 'end' | 'text'> &
  (
    | { readonly kind: 'document'; readonly doc_id: string; readonly data: JsonObject }
    | { readonly kind: 'refused'; readonly fault: RecordFault }
  );

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Streams the records of a file. Throws a usage error for a CSV header that cannot be used. */
export async function* readRecords(
  path: string,
  options: ReadOptions,
): AsyncGenerator<FileRecord, void, undefined> {
  const shape = shaperOf(options);
  for await (const raw of rawRecords(path, splitterOf(options.format))) {
    const record = shape(raw);
    if (record !== undefined) yield record;
  }
}

async function* rawRecords(path: string, splitter: Splitter): AsyncGenerator<RawRecord> {
  let first = true;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const marked = first && chunk.subarray(0, BOM.length).equals(BOM);
    yield* splitter.push(marked ? chunk.subarray(BOM.length) : chunk);
    first = false;
  }
  yield* splitter.end();
}

function splitterOf(format: Format): Splitter {
  if (format === 'csv') return new CsvSplitter();
  return format === 'json' ? new JsonSplitter() : new LineSplitter();
}

/** Turns raw records into documents; undefined for the header of a CSV file. */
function shaperOf(options: ReadOptions): (raw: RawRecord) => FileRecord | undefined {
  if (options.format !== 'csv') return (raw) => shape(raw, options, jsonOf);
  let columns: readonly CsvColumn[] | undefined;
  return (raw) => {
    if (columns === undefined) {
      columns = headerOf(raw, options);
      return undefined;
    }
    const known = columns;
    return shape(raw, options, (text) => rowOf(text, known));
  };
}

function headerOf(raw: RawRecord, { csv_types, id_field }: ReadOptions): readonly CsvColumn[] {
  const fields = raw.fault ?? parseCsvRecord(raw.text);
  const columns = isFault(fields) ? fields.message : readHeader(fields, csv_types);
  if (typeof columns === 'string') {
    throw usageError(columns, 'the first line of a CSV file must name its fields, each once');
  }
  const ids = id_field === undefined ? DEFAULT_ID_FIELDS : [id_field];
  if (!columns.some(({ name }) => ids.includes(name))) {
    throw usageError(`the header has no field ${ids.join(' or ')}`, 'name one with --id-field');
  }
  return columns;
}

const DEFAULT_ID_FIELDS: readonly string[] = ['_id', 'id'];

type Content = { readonly data: JsonObject } | RecordFault;

function shape(
  raw: RawRecord,
  { id_field }: ReadOptions,
  read: (text: string) => Content,
): FileRecord {
  const { line, end, text } = raw;
  const content = raw.fault ?? read(text);
  if (isFault(content)) return { kind: 'refused', line, end, text, fault: content };
  const { _id, ...rest } = content.data;
  const name = id_field ?? (_id === undefined ? 'id' : '_id');
  const value = Object.hasOwn(content.data, name) ? content.data[name] : undefined;
  const doc_id = idText(value);
  if (doc_id === undefined) {
    const asked = id_field ?? DEFAULT_ID_FIELDS.join(' or ');
    const fault = { code: 'id_missing', message: `there is no id in ${asked}` };
    return { kind: 'refused', line, end, text, fault };
  }
  // The id is no part of the document; another _id beside it stays, so that the engine refuses it.
  return { kind: 'document', line, end, text, doc_id, data: name === '_id' ? rest : content.data };
}

/** An id as the wire has it: text, a whole number, or a wrapper around one. */
function idText(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { $oid, $uuid, $numberLong } = value as Record<string, Json>;
  const inner = $oid ?? $uuid ?? $numberLong;
  return typeof inner === 'string' && inner !== '' ? inner : undefined;
}

function jsonOf(text: string): Content {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { code: 'invalid_json', message: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'not_an_object', message: 'a document must be a JSON object' };
  }
  try {
    return { data: plainForms(value as Json) as JsonObject };
  } catch {
    return { code: 'nesting_too_deep', message: 'it nests too deeply for a document' };
  }
}

function rowOf(text: string, columns: readonly CsvColumn[]): Content {
  const fields = parseCsvRecord(text);
  return isFault(fields) ? fields : documentOfRow(fields, columns);
}

function isFault(value: object): value is RecordFault {
  return 'code' in value && 'message' in value;
}
