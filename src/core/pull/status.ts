/**
 * The story of a status (E11): head, position and first row, never more, and never a row's content.
 * `seq` is dense per scope, so rows are counted by subtraction.
 */

import type { StaleReason } from '../../protocol/pure/error-codes.ts';
import { type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import { STATUS_PENDING_MAX } from '../../protocol/pure/limits.ts';
import type { ScopeStatus, StatusQuery } from '../../protocol/scope-status.ts';
import type { RequestContext } from '../context.ts';
import type { EngineCore } from '../parts.ts';
import type { ScopeHead } from '../ports/records.ts';
import type { RowPosition, SyncStore } from '../ports/store.ts';
import { asSyncError } from '../store-failure.ts';
import { chainFault, startOf } from './staleness.ts';

/** Says where the scope stands and, with `since`, what a client there has to expect. */
export async function readStatus(
  core: EngineCore,
  context: RequestContext,
  query: StatusQuery,
): Promise<ScopeStatus> {
  const { store, meta, system } = core;
  const epochChanged = context.epoch !== undefined && context.epoch !== meta.epoch;
  try {
    const look = () => lookAt(store, context.scope_id, epochChanged ? null : query.since);
    let found = await look();
    if (found.place.kind === 'stale') {
      // "Stale" is believed after a second look only, as in a pull [PL-8].
      await store.confirmHead(context.scope_id);
      found = await look();
    }
    const place: Place = epochChanged ? { kind: 'stale', reason: 'epoch_changed' } : found.place;
    return {
      ...statusOf({ ...found, place }),
      server_timestamp: new Date(system.clock.now()).toISOString(),
    };
  } catch (error) {
    throw asSyncError(error);
  }
}

/** Where the caller is: it did not say, it can go on with this many rows ahead, or it cannot. */
type Place =
  | { readonly kind: 'unsaid' }
  | { readonly kind: 'ahead'; readonly rows: number; readonly bundles: number | null }
  | { readonly kind: 'stale'; readonly reason: StaleReason };

interface Found {
  readonly head: ScopeHead | null;
  readonly first: RowPosition | null;
  readonly place: Place;
}

async function lookAt(store: SyncStore, scope_id: string, since: Hlc | null): Promise<Found> {
  const { head, at } = await store.readScope(scope_id, since);
  const first = head === null || head.head_seq === 0 ? null : await store.firstRow(scope_id);
  const place: Place = since === null ? { kind: 'unsaid' } : placeOf(since, { head, at, first });
  return { head, first, place };
}

/** The judgement of a pull, as far as positions alone can tell. */
function placeOf(
  since: Hlc,
  facts: Pick<Found, 'head' | 'first'> & { readonly at: RowPosition | null },
): Place {
  const { head, first } = facts;
  const start = startOf({ since, ...facts });
  if (start.kind === 'stale') return start;
  if (start.kind === 'current') return { kind: 'ahead', rows: 0, bundles: 0 };
  // A pull would begin with the row after its start; when that is the first retained one, or none
  // is, it is known whether the page would join.
  const next = first === null ? [] : [first];
  const isKnown = first === null || first.seq > start.seq;
  const fault = isKnown ? chainFault(next, since, start.seq) : undefined;
  if (fault !== undefined) return { kind: 'stale', reason: fault };
  return {
    kind: 'ahead',
    rows: (head?.head_seq ?? 0) - start.seq,
    bundles: start.seq === 0 ? (head?.head_bundle_seq ?? 0) : null,
  };
}

function statusOf({ head, first, place }: Found): Omit<ScopeStatus, 'server_timestamp'> {
  const ahead = place.kind === 'ahead' ? place : null;
  const stale = place.kind === 'stale' ? place : null;
  const head_seq = head?.head_seq ?? 0;
  return {
    needs_sync: place.kind === 'unsaid' ? null : stale !== null || (ahead?.rows ?? 0) > 0,
    head_version: head?.head_version || ZERO_HLC,
    head_bundle_seq: head?.head_bundle_seq ?? 0,
    // A row that was committed between the two reads is not below this head.
    floor_version: first !== null && first.seq <= head_seq ? first.version : null,
    pending_pull_count: ahead === null ? null : Math.min(ahead.rows, STATUS_PENDING_MAX),
    capped: ahead !== null && ahead.rows > STATUS_PENDING_MAX,
    pending_bundles: ahead?.bundles ?? null,
    full_resync_required: stale !== null,
    reason: stale?.reason ?? null,
  };
}
