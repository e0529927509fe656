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

/** The columns of `sync_oplog` in the order of the range read, without the line. */
type RangeRow = readonly [string, string, number, number, number, number, string, string | null];

/** Rows of a range. No line holds a raw line feed, because JSON escapes it. */
export function decodeRange({ lines, columns }: RowsMessage): OplogRead[] {
  if (columns.length === 0) return [];
  const texts = lines.split('\n');
  invariant(texts.length === columns.length, 'every row has one line');
  return columns.map((row, i) => {
    const [version, prev, seq, bundle_seq, ordinal, bundle_rows, collection, doc_id] =
      row as unknown as RangeRow;
    return {
      ...{ version, prev, seq, bundle_seq, ordinal, bundle_rows, collection, doc_id },
      operation: row[8],
      origin: row[9],
      line: texts[i],
    } as OplogRead;
  });
}
