/** Expiry of rows on stores that prune themselves (`retention: "own"`), slice by slice. */

import type { ExpiryBounds, Upkeep } from '../ports/store.ts';

/** Lifetimes in days; `tombstone_ttl_days` 0 = for ever. */
export interface Lifetimes {
  readonly oplog_ttl_days: number;
  readonly receipt_ttl_days: number;
  readonly tombstone_ttl_days: number;
  readonly conflict_ttl_days: number;
}

const DAY_MS = 86_400_000;

/** The times before which rows may go, at `now` (ms). */
export function expiryBounds(now: number, ttl: Lifetimes): ExpiryBounds {
  return {
    oplog_before_ms: now - ttl.oplog_ttl_days * DAY_MS,
    receipts_before_ms: now - ttl.receipt_ttl_days * DAY_MS,
    tombstones_before_ms:
      ttl.tombstone_ttl_days === 0 ? null : now - ttl.tombstone_ttl_days * DAY_MS,
    conflicts_before_ms: now - ttl.conflict_ttl_days * DAY_MS,
  };
}

/**
 * Prunes until nothing is left to prune or `signal` aborts; each slice is its own transaction, so
 * pushes wait for one slice at most. Returns the number of deleted rows.
 */
export async function runRetention(
  store: Pick<Upkeep, 'pruneExpired'>,
  bounds: ExpiryBounds,
  signal?: AbortSignal,
): Promise<number> {
  let rows = 0;
  while (signal?.aborted !== true) {
    const deleted = await store.pruneExpired(bounds);
    if (deleted === 0) break;
    rows += deleted;
  }
  return rows;
}
