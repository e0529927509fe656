/** Rows of the tables as the records of the port. */

import { invariant } from '../../core/invariant.ts';
import type {
  Receipt,
  ScopeHead,
  StoredDocument,
  StoredResult,
  Tombstone,
} from '../../core/ports/records.ts';
import type { GroupSnapshot, OplogRead, ParentRow, RowPosition } from '../../core/ports/store.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { HeadRow, LoadedMessage, Row, RowsMessage } from './messages.ts';
import type { PositionRow } from './reads.ts';

/** A head from its columns. */
export function decodeHead(scope_id: string, row: HeadRow): ScopeHead {
  const [head_version, head_seq, head_bundle_seq, hlc_p, hlc_c, chain_start] = row;
  return {
    scope_id,
    head_version: head_version as ScopeHead['head_version'],
    head_seq,
    head_bundle_seq,
    hlc_p,
    hlc_c,
    chain_start: chain_start as ScopeHead['chain_start'],
  };
}

/** What a group found, at the time of its load. */
export function decodeSnapshot(
  scope_id: string,
  loaded: LoadedMessage,
  now_ms: number,
): GroupSnapshot {
  return {
    head: decodeHead(scope_id, loaded.head),
    now_ms,
    receipts: loaded.receipts.map(decodeReceipt),
    tombstones: loaded.tombstones.map(decodeTombstone),
    documents: loaded.documents.map(decodeDocument),
    parents: loaded.parents.map(decodeParent),
    floor: loaded.floor as GroupSnapshot['floor'],
  };
}

/** A position from its columns. */
export function decodePosition([version, prev, seq]: PositionRow): RowPosition {
  return {
    version: version as RowPosition['version'],
    prev: prev as RowPosition['prev'],
    seq,
  };
}

/** The columns of `sync_receipts` in the order of the reads. */
type ReceiptRow = readonly [
  ...[string, string, string, string, string, string, string],
  string,
  number,
];

/** A receipt from its columns. */
export function decodeReceipt(row: Row): Receipt {
  const [scope_id, actor_id, client_id, mutation_id, hash, collection, doc_id, result, at_ms] =
    row as unknown as ReceiptRow;
  return {
    ...{ scope_id, actor_id, client_id, mutation_id, hash, collection, doc_id, at_ms },
    result: JSON.parse(result) as StoredResult,
  };
}

/** A document from its columns; its content is taken out of its wire text. */
export function decodeDocument(row: Row): StoredDocument {
  const [collection, doc_id, scope_id, version, change_version, hash, actor_id, client_id, line] =
    row as unknown as string[];
  const { data } = JSON.parse(line as string) as { data: JsonObject };
  return {
    ...{ collection, doc_id, scope_id, version, change_version, hash, actor_id, client_id },
    data,
    read_only: false,
  } as StoredDocument;
}

function decodeTombstone(row: Row): Tombstone {
  const [scope_id, collection, doc_id, version, change_version, client_id, at_ms] = row;
  return {
    ...{ scope_id, collection, doc_id, version, change_version, client_id, at_ms },
  } as Tombstone;
}

function decodeParent(row: Row): ParentRow {
  const [version, collection, doc_id, change_version] = row;
  return { version, collection, doc_id, change_version } as ParentRow;
}

/** Rows of a range, up to the one that reaches `max_bytes` of wire text; at least one. */
export function decodeRange({ lines, fields }: RowsMessage, max_bytes: number): OplogRead[] {
  if (fields === '') return [];
  const texts = lines.split('\n');
  const rows = fields.split('\n');
  invariant(texts.length === rows.length, 'every row has one line');
  const found: OplogRead[] = [];
  let bytes = 0;
  for (const [i, row] of rows.entries()) {
    const line = texts[i] as string;
    bytes += line.length;
    if (i > 0 && bytes > max_bytes) break;
    found.push(decodeRow(row, line));
  }
  return found;
}

/** The id comes last, because a `reset` row has none. */
function decodeRow(fields: string, line: string): OplogRead {
  const column = fields.split('\t');
  invariant(column.length <= 10, 'no column holds a tab');
  return {
    version: column[0],
    prev: column[1],
    seq: Number(column[2]),
    bundle_seq: Number(column[3]),
    ordinal: Number(column[4]),
    bundle_rows: Number(column[5]),
    collection: column[6],
    doc_id: column[9] ?? null,
    operation: column[7],
    origin: column[8],
    line,
  } as OplogRead;
}

/** Rows of a plan as the writer got them, as a read will give them. */
export function decodeWritten(rows: readonly Row[]): OplogRead[] {
  return rows.map((row) => {
    const [version, , seq, prev, bundle_seq, ordinal, bundle_rows, collection, ...rest] = row;
    const [doc_id, operation, origin, , , line] = rest;
    return {
      ...{ version, prev, seq, bundle_seq, ordinal, bundle_rows },
      ...{ collection, doc_id, operation, origin, line },
    } as OplogRead;
  });
}
