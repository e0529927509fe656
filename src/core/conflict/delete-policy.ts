/** What a collection says where an update and a deletion did not know each other [CR-12] [CR-13]. */

import type { DeletePolicy } from '../collections.ts';

/** Who stands in the end; `refused` = the change is rejected and leaves no trace. */
export type Verdict = 'incoming' | 'current' | 'refused';

/** A conflict of which one side deletes. */
export interface DeletionConflict {
  readonly operation: 'upsert' | 'delete';
  /** True when the current side is the deletion. */
  readonly deleted: boolean;
}

/**
 * The policy's own word, or undefined where the resolver decides: under the default policy a
 * deletion is an edit like any other, and two updates are no matter of a deletion.
 */
export function judgeDeletion(
  policy: DeletePolicy,
  { operation, deleted }: DeletionConflict,
): Verdict | undefined {
  if (policy === 'delete_wins') {
    if (operation === 'delete') return 'incoming';
    return deleted ? 'current' : undefined;
  }
  return policy === 'reject_update' && deleted ? 'refused' : undefined;
}
