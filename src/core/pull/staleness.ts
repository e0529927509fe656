/** Whether a page joins the client's `since`: the chain of `prev` is the only record consulted. Pure. */

import type { StaleReason } from '../../protocol/pure/error-codes.ts';
import { compareHlc, type Hlc, joins } from '../../protocol/pure/hlc.ts';
import type { ScopeHead } from '../ports/records.ts';
import type { RowPosition } from '../ports/store.ts';

/** What a pull found about its `since`. */
export interface SinceFacts {
  readonly since: Hlc;
  readonly head: ScopeHead | null;
  /** The row `since` itself, when it is retained in the scope. */
  readonly at: RowPosition | null;
  /** First retained row; read only when `at` is missing and `since` is not zero. */
  readonly first: RowPosition | null;
}

/** Where to read from, or why the client cannot go on from its `since`. */
export type Start =
  | { readonly kind: 'current' }
  | { readonly kind: 'after'; readonly seq: number }
  | { readonly kind: 'stale'; readonly reason: StaleReason };

/** Turns `since` into a `seq` to read after [PL-3]. */
export function startOf({ since, head, at, first }: SinceFacts): Start {
  const head_version = head?.head_version ?? '';
  const order = compareHlc(since, head_version);
  if (order === 0) return { kind: 'current' };
  if (order > 0) return { kind: 'stale', reason: 'cursor_ahead' };
  if (compareHlc(since, '') === 0) return { kind: 'after', seq: 0 };
  if (at !== null) return { kind: 'after', seq: at.seq };
  // The own row is gone: a quiet scope whose newest row was pruned is still served, because the
  // first retained row names it.
  if (first === null) return { kind: 'stale', reason: 'history_pruned' };
  if (joins(first.prev, since)) return { kind: 'after', seq: first.seq - 1 };
  const below = compareHlc(since, first.version) < 0;
  return { kind: 'stale', reason: below ? 'history_pruned' : 'chain_broken' };
}

/** Why rows read after `seq` cannot be served, or undefined when they join `since` and each other [PL-2]. */
export function chainFault(
  rows: readonly RowPosition[],
  since: Hlc,
  seq: number,
): StaleReason | undefined {
  const [first] = rows;
  // The head is ahead of `since`, so an empty range means that its rows were pruned meanwhile.
  if (first === undefined) return 'history_pruned';
  if (!joins(first.prev, since)) return first.seq > seq + 1 ? 'history_pruned' : 'chain_broken';
  for (let i = 1; i < rows.length; i += 1) {
    const row = rows[i] as RowPosition;
    const before = rows[i - 1] as RowPosition;
    if (row.prev !== before.version) {
      return row.seq > before.seq + 1 ? 'history_pruned' : 'chain_broken';
    }
  }
  return undefined;
}
