/**
 * The default resolver: the later edit wins, by the stamp of the edit. Ties fall to the client id,
 * then to the content hash, so that every server decides alike whatever order pushes arrive in [CR-2].
 */

import { compareHlc, formatHlc, type Hlc, hlcAfter, parseHlc } from '../../protocol/pure/hlc.ts';
import { invariant } from '../invariant.ts';

/** One side as the order sees it. `hash` is "" for a delete. */
export interface Contender {
  readonly stamp: Hlc;
  readonly client_id: string;
  readonly hash: string;
}

/** True when `incoming` beats `current`; equal contenders are one and the same edit. */
export function lastWriterWins(incoming: Contender, current: Contender): boolean {
  const byStamp = compareHlc(incoming.stamp, current.stamp);
  if (byStamp !== 0) return byStamp > 0;
  if (incoming.client_id !== current.client_id) return incoming.client_id > current.client_id;
  return incoming.hash > current.hash;
}

/** What bounds a stamp. */
export interface StampBounds {
  readonly now_ms: number;
  readonly max_clock_drift_ms: number;
  /** Stamp of the content that the edit was made on, null for a create. */
  readonly parent_stamp: Hlc | null;
}

/**
 * The stamp that counts: never beyond the store's clock plus the drift limit, and above the stamp
 * of the edit's own parent, because an edit follows what it edited whatever its clock says [CR-3].
 */
export function effectiveStamp(sent: Hlc, bounds: StampBounds): Hlc {
  const parts = parseHlc(sent);
  invariant(parts !== undefined, 'a stamp was checked before');
  const ceiling = bounds.now_ms + bounds.max_clock_drift_ms;
  const clamped = parts.p > ceiling ? formatHlc({ ...parts, p: ceiling, c: 0 }) : sent;
  const { parent_stamp } = bounds;
  return parent_stamp !== null && compareHlc(clamped, parent_stamp) <= 0
    ? hlcAfter(parent_stamp)
    : clamped;
}
