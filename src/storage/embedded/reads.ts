/** The reads of the store over one connection, on whichever thread it lives. Scope first, always. */

import type { Connection } from './connection.ts';
import type { HeadRow, PageMessage, ReaderTasks, ReceiptKeyRow, Row } from './messages.ts';
import type { SqlValue } from './sqlite-driver.ts';

const RECEIPTS = `SELECT scope_id, actor_id, client_id, mutation_id, hash, collection, doc_id,
  result, at_ms FROM sync_receipts WHERE actor_id = ? AND client_id = ? AND mutation_id = ?`;

/** Receipts for these keys, each once. */
export function findReceiptRows(connection: Connection, keys: readonly ReceiptKeyRow[]): Row[] {
  const found: Row[] = [];
  const seen = new Set<string>();
  for (const [scope_ids, ...ids] of keys) {
    const rows = connection.all<[string, ...Row]>(RECEIPTS, ids);
    for (const row of rows) {
      const key = [row[0], ...ids].join('\u0000');
      if (!scope_ids.includes(row[0]) || seen.has(key)) continue;
      seen.add(key);
      found.push(row);
    }
  }
  return found;
}

const HEAD = `SELECT head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start
  FROM sync_scopes WHERE scope_id = ?`;
const HEAD_AND_ROW = `SELECT s.head_version, s.head_seq, s.head_bundle_seq, s.hlc_p, s.hlc_c,
  s.chain_start, o.version, o.prev, o.seq FROM (SELECT ? AS scope_id, ? AS since) AS wanted
  LEFT JOIN sync_scopes AS s ON s.scope_id = wanted.scope_id
  LEFT JOIN sync_oplog AS o ON o.version = wanted.since AND o.scope_id = wanted.scope_id`;

/** A row's version, prev and seq. */
export type PositionRow = readonly [string, string, number];

/** The head of a scope. */
export function findHead(connection: Connection, scope_id: string): HeadRow | undefined {
  return connection.first<HeadRow>(HEAD, [scope_id]);
}

/** One statement for all: ten thousand single ones would hold the thread for longer. */
const HEADS = `SELECT scope_id, head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start
  FROM sync_scopes WHERE scope_id IN (SELECT value FROM json_each(?))`;

/** Heads of these scopes, each after its id. */
export function findHeads(
  connection: Connection,
  scope_ids: readonly string[],
): (readonly [string, ...HeadRow])[] {
  return connection.all<[string, ...HeadRow]>(HEADS, [JSON.stringify(scope_ids)]);
}

/** Head and the row `since` in one statement, so that both are of the same moment. */
export function findHeadAndRow(
  connection: Connection,
  scope_id: string,
  since: string,
): { readonly head: HeadRow | undefined; readonly at: PositionRow | undefined } {
  const row = connection.first<[...HeadRow, ...PositionRow]>(HEAD_AND_ROW, [scope_id, since]);
  const head = row?.slice(0, 6) as unknown as HeadRow | undefined;
  const at = row?.slice(6) as unknown as PositionRow | undefined;
  return {
    head: head?.[0] === null ? undefined : head,
    at: at?.[0] === null ? undefined : at,
  };
}

const FIRST_ROW = `SELECT version, prev, seq FROM sync_oplog WHERE scope_id = ?
  ORDER BY seq LIMIT 1`;

/** The first retained row of a scope. */
export function findFirstRow(connection: Connection, scope_id: string): PositionRow | undefined {
  return connection.first<PositionRow>(FIRST_ROW, [scope_id]);
}

/**
 * Rows whose text SQLite joins in one step, which costs a third of fetching them one by one. Sixty
 * documents of the largest size are the most that such a step holds in memory.
 */
const STEP_ROWS = 64;

const STEP = 'SELECT * FROM sync_oplog WHERE scope_id = ? AND seq > ? ORDER BY seq LIMIT ?';
const ROWS_STEP = rowsOf(STEP);
/** The same, up to the row that reaches so many characters. */
const BOUNDED_STEP = rowsOf(`SELECT * FROM (
  SELECT *, sum(length(line)) OVER (ORDER BY seq) - length(line) AS before FROM (${STEP})
) WHERE before < ?`);

/** The columns outside an aggregate are those of the row with the highest `seq`. */
function rowsOf(step: string): string {
  return `SELECT count(*), max(seq), bundle_rows - 1 - ordinal,
    group_concat(line, char(10)), group_concat(concat_ws(char(9), version, prev, seq, bundle_seq,
    ordinal, bundle_rows, collection, operation, origin, doc_id), char(10)) FROM (${step})`;
}

/** A range of at most this many bytes must not read 64 large documents for it. */
const NARROW_BYTES = 1_048_576;

/** Rows of a step, their highest `seq`, how many rows its bundle has beyond it, lines and fields. */
type RowsStep = [number, number, number, string, string];

/**
 * Rows of a range, step by step, until its bytes are reached or its page is surely full: then on to
 * the end of the bundle. The last step of a wide range may go beyond the bytes.
 */
export function readRange(
  connection: Connection,
  range: ReaderTasks['rows']['takes'],
): ReaderTasks['rows']['gives'] {
  const lines: string[] = [];
  const fields: string[] = [];
  let after = range.after_seq;
  let end = Math.min(range.enough_rows, range.max_rows);
  let count = 0;
  let bytes = 0;
  const isNarrow = range.max_bytes <= NARROW_BYTES;
  while (count < end && bytes < range.max_bytes) {
    const values = [range.scope_id, after, Math.min(end - count, STEP_ROWS)];
    const step = isNarrow
      ? connection.first<RowsStep>(BOUNDED_STEP, [...values, range.max_bytes - bytes])
      : connection.first<RowsStep>(ROWS_STEP, values);
    if (step === undefined || step[0] === 0) break;
    const [found, newest, unfinished, text, columns] = step;
    lines.push(text);
    fields.push(columns);
    count += found;
    bytes += text.length;
    after = newest;
    if (count >= end) end = Math.min(range.max_rows, count + unfinished);
  }
  return { lines: lines.join('\n'), fields: fields.join('\n') };
}

/** Rows, last id and joined text of a step. */
type PageStep = [number, string, string];

const STEPS = { documents: pageStep('sync_documents'), tombstones: pageStep('sync_tombstones') };

function pageStep(table: string): string {
  return `SELECT count(*), max(doc_id), group_concat(line, '') FROM (SELECT line, doc_id
    FROM ${table} WHERE scope_id = ? AND collection = ? AND doc_id > ? ORDER BY doc_id LIMIT ?)`;
}

const NEXT = { documents: nextId('sync_documents'), tombstones: nextId('sync_tombstones') };

function nextId(table: string): string {
  return `SELECT doc_id FROM ${table} WHERE scope_id = ? AND collection = ? AND doc_id > ?
    ORDER BY doc_id LIMIT 1`;
}

/** Text of one page that ends it early, so that large documents do not pile up, characters. */
const PAGE_TEXT_MAX = 16_777_216;

/** Lines of a page in id order, step by step. */
export function readPage(connection: Connection, page: PageMessage): ReaderTasks['page']['gives'] {
  const { part, scope_id, collection, limit } = page;
  const texts: string[] = [];
  let last_id: string | null = null;
  let left = limit;
  let length = 0;
  while (left > 0 && length < PAGE_TEXT_MAX) {
    const wanted = Math.min(left, STEP_ROWS);
    const values: SqlValue[] = [scope_id, collection, last_id ?? page.after ?? '', wanted];
    const step: PageStep | undefined = connection.first<PageStep>(STEPS[part], values);
    if (step === undefined || step[0] === 0) return pageOf(texts, limit - left, last_id);
    const [count, newest, text] = step;
    texts.push(text);
    length += text.length;
    last_id = newest;
    left -= count;
    if (count < wanted) return pageOf(texts, limit - left, last_id);
  }
  const next = connection.first(NEXT[part], [scope_id, collection, last_id ?? page.after ?? '']);
  return { ...pageOf(texts, limit - left, last_id), more: next !== undefined };
}

function pageOf(texts: readonly string[], count: number, last_id: string | null) {
  return { text: texts.join(''), count, last_id, more: false };
}

const DOCUMENT = `SELECT collection, doc_id, scope_id, version, change_version, hash, actor_id,
  client_id, line FROM sync_documents WHERE collection = ? AND doc_id = ? AND scope_id = ?`;

/** Current documents of the scope for these keys. */
export function readDocumentRows(
  connection: Connection,
  { scope_id, keys }: ReaderTasks['documents']['takes'],
): Row[] {
  return keys.flatMap(([collection, doc_id]) =>
    connection.all<Row>(DOCUMENT, [collection, doc_id, scope_id]),
  );
}
