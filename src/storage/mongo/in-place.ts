/**
 * Tombstones in the document's own place: the document stays, marked with `_sync_deleted: true`, so
 * that the team's own queries, indexes and validators see the soft delete they know.
 */

import type { Document } from 'mongodb';
import type { Tombstone } from '../../core/ports/records.ts';
import type { DocumentKey, DocumentWrite, GroupPlan } from '../../core/ports/store.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import { fieldsBefore, guardFilter } from './stored-documents.ts';

/** The mark of a deleted document. Nothing but `true` counts. */
export const MARKED_DELETED: Document = { _sync_deleted: true };

/** Matches documents that are not marked. */
export const NOT_DELETED: Document = { _sync_deleted: { $ne: true } };

/** Names of the collections whose deleted documents stay in place. */
export type InPlaceCollections = ReadonlySet<string>;

/** What decides where a delete leaves its tombstone. */
export interface DeletePlaces {
  readonly in_place: InPlaceCollections;
  /** Places of the loaded documents that are marked, in whatever mode. */
  readonly marked: ReadonlySet<string>;
}

/** Map key of a document. */
export function documentPlace(key: DocumentKey): string {
  return `${key.collection}\u0000${key.doc_id}`;
}

type Drop = Extract<DocumentWrite, { kind: 'drop' }>;

/** A marked document is never removed: it is the application's mark, or a tombstone already. */
export function staysInPlace(key: DocumentKey, { in_place, marked }: DeletePlaces): boolean {
  return in_place.has(key.collection) || marked.has(documentPlace(key));
}

/**
 * The tombstones that the plan's dropped documents become, by place. The others of the plan, of documents
 * that are not there, need a record beside the collection.
 */
export function tombstonesInPlace(
  plan: GroupPlan,
  places: DeletePlaces,
): ReadonlyMap<string, Tombstone> {
  const dropped = new Set(
    plan.documents.flatMap((write) =>
      write.kind === 'drop' && staysInPlace(write, places) ? documentPlace(write) : [],
    ),
  );
  const put = plan.tombstones.put.filter((one) => dropped.has(documentPlace(one)));
  return new Map(put.map((one) => [documentPlace(one), one]));
}

/** The statement that marks a document as deleted. The user's fields stay, byte for byte [TB-1]. */
export function markWrite(
  drop: Drop,
  tombstone: Tombstone,
  {
    type,
    plan,
    before,
  }: {
    readonly type: IdType;
    readonly plan: GroupPlan;
    readonly before: Uint8Array | undefined;
  },
): { readonly filter: Document; readonly update: Document } {
  const { version, change_version, client_id, scope_id } = tombstone;
  const row = plan.rows.find((one) => one.version === version);
  return {
    filter: guardFilter(drop, type, drop.guard),
    update: {
      $set: {
        _sync_version: version,
        _sync_scope_id: scope_id,
        // A later stamp alone writes no row, and the actor is who deleted.
        ...(row === undefined ? {} : { _sync_actor_id: row.actor_id }),
        _sync_client_id: client_id,
        _sync_change_version: change_version,
        _sync_hash: null,
        ...MARKED_DELETED,
        ...fieldsBefore(before),
      },
    },
  };
}
