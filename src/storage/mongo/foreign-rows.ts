/** Rows of what other programs wrote: a document may fill 16 MB, and its row holds more than the document. */

import { BSON } from 'mongodb';
import type { OplogRow } from '../../core/ports/records.ts';
import type { ChangeRef, DocumentWrite, GroupPlan } from '../../core/ports/store.ts';
import { type StoredRecord, storedRow } from './collections.ts';

/** Largest row, bytes: below what the database stores, with room for the engine's fields. */
const ROW_BYTES_MAX = 16_000_000;

/** A document is too large for its row. `change` is what took it over. */
export class RowTooLarge extends Error {
  readonly change: ChangeRef | undefined;
  constructor(change: ChangeRef | undefined) {
    super('a document is too large for a row of the oplog');
    this.change = change;
  }
}

/** The row for storage. Throws `RowTooLarge` before anything is sent: a server may not even answer. */
export function fittingRow(row: OplogRow, plan: GroupPlan): StoredRecord {
  const stored = storedRow(row);
  // A pushed document has a far lower limit of its own.
  if (row.origin !== 'push' && BSON.calculateObjectSize(stored) > ROW_BYTES_MAX) {
    throw new RowTooLarge(plan.documents.find((write) => isOf(write, row))?.change);
  }
  return stored;
}

function isOf(write: DocumentWrite, { collection, doc_id }: OplogRow): boolean {
  const key = write.kind === 'put' ? write.document : write;
  return key.collection === collection && key.doc_id === doc_id;
}
