/** Rules about groups and records that every store follows alike. Pure. */

import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { StoredDocument } from './records.ts';
import type { DocumentKey, GroupPlan, GroupSnapshot } from './store.ts';

/** True for a plan that would write nothing. */
export function isEmptyPlan(plan: GroupPlan): boolean {
  return (
    plan.rows.length === 0 &&
    plan.documents.length === 0 &&
    plan.receipts.length === 0 &&
    plan.conflicts.length === 0 &&
    plan.tombstones.put.length === 0 &&
    plan.tombstones.drop.length === 0 &&
    (plan.traces?.put.length ?? 0) === 0 &&
    (plan.traces?.drop.length ?? 0) === 0
  );
}

/**
 * True for a tombstone that stands in the document's own place. The engine takes the hash away when it
 * deletes; a hash beside the mark says that the document was current when another program set it [TB-2].
 */
export function isTombstone({ soft_deleted, version, hash }: StoredDocument): boolean {
  return soft_deleted === true && version !== null && hash === null;
}

/**
 * True when some change names a parent for a document that is absent, has no tombstone, and the
 * parent is no retained row of it: only then `decide` needs the floor, one more read [PU-9].
 */
export function needsFloor(
  wanted: readonly (DocumentKey & { readonly parent_version: Hlc | null })[],
  found: Pick<GroupSnapshot, 'documents' | 'tombstones' | 'parents'>,
): boolean {
  const known = new Set<string>();
  for (const item of [...found.documents, ...found.tombstones]) {
    known.add(`${item.collection}\u0000${item.doc_id}`);
  }
  const rows = new Map(found.parents.map((row) => [row.version as string, row]));
  return wanted.some((key) => {
    if (key.parent_version === null || known.has(`${key.collection}\u0000${key.doc_id}`))
      return false;
    const row = rows.get(key.parent_version);
    return row === undefined || row.collection !== key.collection || row.doc_id !== key.doc_id;
  });
}
