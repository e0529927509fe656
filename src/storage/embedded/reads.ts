/** The reads of the store over one connection, on whichever thread it lives. Scope first, always. */

import type { Connection } from './connection.ts';
import type { HeadRow, PageMessage, ReaderTasks, ReceiptKeyRow, Row } from './messages.ts';

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

const RANGE = `SELECT line, version, prev, seq, bundle_seq, ordinal, bundle_rows, collection, doc_id,
  operation, origin FROM sync_oplog WHERE scope_id = ? AND seq > ? ORDER BY seq LIMIT ?`;

type RangeInput = ReaderTasks['rows']['takes'];

/** Rows fetched by one statement: cheaper than one by one, and bounded where documents are large. */
const BATCH_ROWS = 256;

/** Rows of a range until its bytes are reached or its page is surely full; at least one. */
export function readRange(connection: Connection, range: RangeInput): ReaderTasks['rows']['gives'] {
  const lines: string[] = [];
  const columns: Row[] = [];
  let bytes = 0;
  let after = range.after_seq;
  while (columns.length < range.max_rows) {
    const wanted = Math.min(BATCH_ROWS, range.max_rows - columns.length);
    const rows = connection.all<RangeRow>(RANGE, [range.scope_id, after, wanted]);
    for (const [line, ...rest] of rows) {
      bytes += line.length;
      const full = columns.length >= range.enough_rows && endsBundle(columns.at(-1));
      if (lines.length > 0 && (full || bytes > range.max_bytes)) return join(lines, columns);
      lines.push(line);
      columns.push(rest);
      after = rest[2];
    }
    if (rows.length < wanted) break;
  }
  return join(lines, columns);
}

/** Line, then version, prev, seq, bundle_seq, ordinal, bundle_rows, and the rest of the columns. */
type RangeRow = [string, string, string, number, number, number, number, ...Row];

function endsBundle(row: Row | undefined): boolean {
  return row !== undefined && row[4] === Number(row[5]) - 1;
}

function join(lines: readonly string[], columns: readonly Row[]): ReaderTasks['rows']['gives'] {
  return { lines: lines.join('\n'), columns };
}

const PAGES = {
  documents: `SELECT line, doc_id FROM sync_documents WHERE scope_id = ? AND collection = ?
    AND doc_id > ? ORDER BY doc_id LIMIT ?`,
  tombstones: `SELECT line, doc_id FROM sync_tombstones WHERE scope_id = ? AND collection = ?
    AND doc_id > ? ORDER BY doc_id LIMIT ?`,
} as const;

/** Text of one page that ends it early, so that large documents do not pile up, characters. */
const PAGE_TEXT_MAX = 16_777_216;

/** Lines of a page in id order. One row more than asked for says whether the page is the last. */
export function readPage(connection: Connection, page: PageMessage): ReaderTasks['page']['gives'] {
  const { part, scope_id, collection, after, limit } = page;
  let text = '';
  let count = 0;
  let last_id: string | null = null;
  const values = [scope_id, collection, after ?? '', limit + 1];
  for (const [line, doc_id] of connection.iterate<[string, string]>(PAGES[part], values)) {
    if (count === limit || (count > 0 && text.length + line.length > PAGE_TEXT_MAX)) {
      return { text, count, last_id, more: true };
    }
    text += line;
    count += 1;
    last_id = doc_id;
  }
  return { text, count, last_id, more: false };
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
