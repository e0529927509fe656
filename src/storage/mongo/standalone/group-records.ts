/** The records of a group beside its documents, in a form that may be written any number of times. */

import { BSON, type Document, ObjectId } from 'mongodb';
import type { LocalFeed } from '../../../core/ports/local-feed.ts';
import type { ScopeHead } from '../../../core/ports/records.ts';
import type { GroupPlan } from '../../../core/ports/store.ts';
import { decodeRecord } from '../bson-reader.ts';
import { storedRow } from '../collections.ts';
import { rowFrom } from '../mongo-reads.ts';
import type { PlannedWrite } from '../plan-writes.ts';

/**
 * Rows and the rest first, then the head, then the receipts: readers see rows up to the head alone, and
 * a stored answer only of what they can see.
 */
export function groupRecords(
  writes: readonly PlannedWrite[],
  before: ScopeHead,
): readonly PlannedWrite[] {
  const records = writes.filter(({ change }) => change === undefined);
  const receipts = records.filter(({ target }) => target === 'sync_receipts');
  const others = records.filter(({ target }) => target !== 'sync_receipts');
  return [...others, ...receipts].map((record) => repeatable(record, before));
}

/** True when two records of the plan would be one and the same: such a plan must not be committed. */
export function namesTwice(plan: GroupPlan): boolean {
  const versions = new Set(plan.rows.map(({ version }) => version));
  const mutations = new Set(
    plan.receipts.map(({ scope_id, actor_id, client_id, mutation_id }) =>
      JSON.stringify([scope_id, actor_id, client_id, mutation_id]),
    ),
  );
  return versions.size < plan.rows.length || mutations.size < plan.receipts.length;
}

/** Tells of the rows of a committed group, from the same bytes that a read would find. */
export function tellRows(feed: LocalFeed, { head, rows }: GroupPlan): void {
  feed.tell(head.scope_id, () =>
    rows.map((row) => rowFrom(decodeRecord(BSON.serialize(storedRow(row))))),
  );
}

function repeatable(write: PlannedWrite, before: ScopeHead): PlannedWrite {
  const { target, operation } = write;
  if ('insertOne' in operation) {
    const { _id = new ObjectId(), ...replacement } = operation.insertOne.document;
    return { target, operation: { replaceOne: { filter: { _id }, replacement, upsert: true } } };
  }
  if (target === 'sync_scopes' && 'updateOne' in operation) {
    // A process that slept through its lease must not take a head back.
    const { head_seq, head_version } = before;
    const filter: Document = { ...operation.updateOne.filter, head_seq, head_version };
    return { target, operation: { updateOne: { ...operation.updateOne, filter } } };
  }
  return { target, operation };
}
