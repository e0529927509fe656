/** Whether a change applies as it is, changes nothing, or meets a conflict. Pure. */

import { compareHlc, type Hlc } from '../../protocol/pure/hlc.ts';
import { invariant } from '../invariant.ts';
import type { DeletedState, LiveState } from '../push/document-state.ts';

/** The change as detection sees it. */
export interface DetectInput {
  readonly operation: 'upsert' | 'delete';
  readonly content_hash: string;
  /** Version the edit was made on; null when it is not known. */
  readonly parent: Hlc | null;
  /** True when the change continues an unbroken chain of its own push. */
  readonly lineage: boolean;
  /** The back end that writes without a parent; null for a device, and when a parent is named. */
  readonly authority: string | null;
  /** True when the change names nothing that it was made on. */
  readonly creates: boolean;
}

/**
 * `take`: no conflict. `noop`: same content, or delete of a deleted document. `stale`: made on an
 * older version. `ahead`: names a version above the current one, as seed clients do with their
 * global last seen version; the incoming side wins such a conflict [CR-6]. `override`: the back end
 * wrote over what somebody else left; it wins as well, and what it replaced is kept [SW-4].
 */
export type Detected = 'take' | 'noop' | 'stale' | 'ahead' | 'override';

/** Compares a change with the document's current state. */
export function detect(
  change: DetectInput,
  state: LiveState | DeletedState | { readonly kind: 'absent' },
): Detected {
  if (state.kind === 'absent') return 'take';
  return state.kind === 'live' ? detectLive(change, state) : detectDeleted(change, state);
}

function detectLive(change: DetectInput, state: LiveState): Detected {
  invariant(state.version !== null, 'a foreign document is adopted before it is compared');
  if (change.operation === 'upsert' && change.content_hash === state.hash) return 'noop';
  if (change.lineage || change.parent === state.version) return 'take';
  // Over its own earlier write nothing of anybody is lost.
  if (change.authority !== null) return change.authority === state.client_id ? 'take' : 'override';
  if (change.parent === null) return 'stale';
  return compareHlc(change.parent, state.version) > 0 ? 'ahead' : 'stale';
}

function detectDeleted(change: DetectInput, state: DeletedState): Detected {
  if (change.operation === 'delete') return 'noop';
  // Without a parent it is a new document that reuses the id: client ids must be random. An edit of
  // a mutation that nobody knows (a refused one) is none.
  if (change.lineage || change.creates || change.parent === state.version) return 'take';
  if (state.version === null || change.parent === null) return 'stale';
  return compareHlc(change.parent, state.version) > 0 ? 'ahead' : 'stale';
}
