/** What pull and full answer, ready to be written to a response. */

import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { PullStale } from '../../protocol/pull.ts';

/** Answer of a pull. `changes` are JSON texts of `PullChange`, in commit order. */
export type PullAnswer =
  | {
      readonly kind: 'page';
      readonly changes: readonly string[];
      readonly last_seq: Hlc;
      readonly has_more: boolean;
      readonly head: Hlc;
      readonly head_bundle_seq: number;
    }
  | { readonly kind: 'stale'; readonly body: PullStale; readonly head_bundle_seq: number };

/** One page of a full resync. */
export interface FullAnswer {
  /** The `since` to pull from afterwards, equal on every page of a walk (`X-Sync-LastSeq`). */
  readonly last_seq: Hlc;
  readonly head: Hlc;
  readonly head_bundle_seq: number;
  /** Cursor of the next page, null on the last one (`X-Sync-Cursor`). */
  readonly cursor: string | null;
  /** Texts of whole lines, each ending in a line feed; the trailer line, when asked for, is the last. */
  readonly chunks: readonly string[];
  readonly count: number;
}
