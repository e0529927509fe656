/** Who wins a conflict, by the policies of the collection. Pure. */

import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { CollectionPolicy } from '../collections.ts';
import { judgeDeletion, type Verdict } from './delete-policy.ts';
import { lastWriterWins } from './last-writer-wins.ts';

/** One side. `stamp` is null when the edit carried none, or when it is not known any more. */
export interface Side {
  readonly stamp: Hlc | null;
  readonly client_id: string;
  /** Content hash; "" for a deletion. */
  readonly hash: string;
}

/** Two edits of one document that did not know each other. */
export interface Conflict {
  /** What the incoming change does. */
  readonly operation: 'upsert' | 'delete';
  /** True when the current document is deleted. */
  readonly deleted: boolean;
  /** False when the change is ahead of the current version or written with authority: it wins then. */
  readonly stale: boolean;
  readonly incoming: Side;
  readonly current: Side;
}

/** Asks the delete policy first, then the resolver for what is stale [CR-6]. */
export function resolveConflict(
  conflict: Conflict,
  policy: Pick<CollectionPolicy, 'resolver' | 'delete_policy'>,
): Verdict {
  const verdict = judgeDeletion(policy.delete_policy, conflict);
  if (verdict !== undefined) return verdict;
  const wins = !conflict.stale || RESOLVERS[policy.resolver](conflict);
  return wins ? 'incoming' : 'current';
}

/** Whether the incoming side wins, when it was made on an older version. */
const RESOLVERS: Readonly<Record<CollectionPolicy['resolver'], (conflict: Conflict) => boolean>> = {
  lww: laterEditWins,
  server_wins: () => false,
};

/** Without a stamp the literal rule stands in: a stale edit loses, but for one of a deleted document. */
function laterEditWins({ incoming, current, deleted }: Conflict): boolean {
  if (incoming.stamp === null || current.stamp === null) return deleted;
  return lastWriterWins(
    { ...incoming, stamp: incoming.stamp },
    { ...current, stamp: current.stamp },
  );
}
