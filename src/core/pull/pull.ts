/** The story of a pull (E06): head and position, one bounded range, the chain check, the cut. */

import type { StaleReason } from '../../protocol/pure/error-codes.ts';
import { compareHlc, type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import type { PullQuery } from '../../protocol/pull.ts';
import type { RequestContext } from '../context.ts';
import { invariant } from '../invariant.ts';
import type { EngineCore } from '../parts.ts';
import type { ScopeHead } from '../ports/records.ts';
import type { OplogRead, SyncStore } from '../ports/store.ts';
import { readableCollections } from '../readable.ts';
import { asSyncError } from '../store-failure.ts';
import type { PullAnswer } from './answers.ts';
import { type Cut, cutPage } from './cut-page.ts';
import { scanRows } from './plan-page.ts';
import { chainFault, startOf } from './staleness.ts';

/** Serves one page, or says why the client needs a full resync. */
export async function servePull(
  core: EngineCore,
  context: RequestContext,
  query: PullQuery,
): Promise<PullAnswer> {
  const started = core.system.clock.monotonic();
  const collections = readableCollections(core, context, {
    collections: query.collections,
    action: 'pull',
  });
  const filtered = collections.length < core.catalogue.size;
  const max_rows = scanRows(query.limit, filtered);
  const work: PullWork = {
    store: core.store,
    scope_id: context.scope_id,
    since: query.since,
    max_rows,
    enough_rows: filtered ? max_rows : query.limit,
    cut: {
      limit: query.limit,
      max_bytes: core.limits.pull_max_bytes,
      visible: new Set(collections),
    },
  };
  try {
    const epochChanged = context.epoch !== undefined && context.epoch !== core.meta.epoch;
    const found = epochChanged ? await refuseEpoch(work) : await findPage(work);
    const ms = core.system.clock.monotonic() - started;
    return answer(found, { core, context, collections, ms });
  } catch (error) {
    throw asSyncError(error);
  }
}

interface PullWork {
  readonly store: SyncStore;
  readonly scope_id: string;
  readonly since: Hlc;
  readonly max_rows: number;
  /** Rows after which a page is surely full: every row counts when nothing is filtered. */
  readonly enough_rows: number;
  readonly cut: { limit: number; max_bytes: number; visible: ReadonlySet<string> };
}

/** What a read found: a page, or a reason why there is none. `cut` null = nothing new. */
type Found =
  | { readonly kind: 'page'; readonly head: ScopeHead | null; readonly cut: Cut | null }
  | { readonly kind: 'stale'; readonly head: ScopeHead | null; readonly reason: StaleReason };

async function refuseEpoch({ store, scope_id }: PullWork): Promise<Found> {
  const { head } = await store.readScope(scope_id, null);
  return { kind: 'stale', head, reason: 'epoch_changed' };
}

/**
 * Reads, and believes "stale" only after a second look: the head is confirmed with the primary and
 * the rows are read again, because right after an election a majority read may be older than what
 * clients have seen, and a prune may fall between two reads [PL-8].
 */
async function findPage(work: PullWork): Promise<Found> {
  const first = await readOnce(work);
  if (first.kind === 'page') return first;
  await work.store.confirmHead(work.scope_id);
  return readOnce(work);
}

async function readOnce(work: PullWork): Promise<Found> {
  const { store, scope_id, since } = work;
  // The zero version is no row: nothing to look up for a first pull.
  const wanted = compareHlc(since, '') === 0 ? null : since;
  const { head, at } = await store.readScope(scope_id, wanted);
  const behind = compareHlc(since, head?.head_version ?? '') < 0;
  const needsFirst = behind && at === null && compareHlc(since, '') !== 0;
  const first = needsFirst ? await store.firstRow(scope_id) : null;
  const start = startOf({ since, head, at, first });
  if (start.kind === 'current') return { kind: 'page', head, cut: null };
  if (start.kind === 'stale') return { kind: 'stale', head, reason: start.reason };
  const rows = await readRows(work, start.seq, work.max_rows);
  const fault = chainFault(rows, since, start.seq);
  if (fault !== undefined) return { kind: 'stale', head, reason: fault };
  const cut = cutPage(rows, work.cut) ?? (await readWholeBundle(work, rows));
  return cut === undefined
    ? { kind: 'stale', head, reason: 'history_pruned' }
    : { kind: 'page', head, cut };
}

/**
 * A bundle longer than the range, in rows or in bytes: reads on until it is whole, because a bundle is
 * never split. What bounds it was checked when it was pushed.
 */
async function readWholeBundle(
  work: PullWork,
  begun: readonly OplogRead[],
): Promise<Cut | undefined> {
  const rows = [...begun];
  for (;;) {
    const last = rows.at(-1);
    invariant(last !== undefined, 'a joined range has a first row');
    const missing = last.bundle_rows - 1 - last.ordinal;
    if (missing <= 0) return cutPage(rows, work.cut);
    const more = await readRows(work, last.seq, missing);
    if (chainFault(more, last.version, last.seq) !== undefined) return undefined;
    rows.push(...more);
  }
}

function readRows(work: PullWork, after_seq: number, max_rows: number) {
  const { store, scope_id, cut, enough_rows } = work;
  const { max_bytes } = cut;
  return store.readRows({ scope_id, after_seq, max_rows, enough_rows, max_bytes });
}

interface AnswerOptions {
  readonly core: EngineCore;
  readonly context: RequestContext;
  readonly collections: readonly string[];
  readonly ms: number;
}

function answer(found: Found, options: AnswerOptions): PullAnswer {
  if (found.kind === 'stale') return stale(found.head, found.reason, options);
  const { head, cut } = found;
  if (cut !== null && cut.reset.length > 0) {
    return stale(head, 'collection_reset', { ...options, reset: cut.reset });
  }
  const { core, context, ms } = options;
  const head_seq = head?.head_seq ?? 0;
  const page: PullAnswer = {
    kind: 'page',
    changes: cut?.changes ?? [],
    last_seq: cut?.last_version ?? (head?.head_version || ZERO_HLC),
    has_more: cut !== null && cut.last_seq < head_seq,
    // Rows may have been committed between the two reads: the head is never below the page.
    head: newest(head?.head_version || ZERO_HLC, cut?.last_version ?? ZERO_HLC),
    head_bundle_seq: head?.head_bundle_seq ?? 0,
  };
  core.telemetry.emit({
    event: 'pull.served',
    scope_id: context.scope_id,
    request_id: context.request_id,
    rows: page.changes.length,
    has_more: page.has_more,
    ms,
  });
  return page;
}

function newest(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b;
}

function stale(
  head: ScopeHead | null,
  reason: StaleReason,
  options: AnswerOptions & { readonly reset?: readonly string[] },
): PullAnswer {
  const { core, context, collections, reset, ms } = options;
  core.telemetry.emit({
    event: 'resync.required',
    scope_id: context.scope_id,
    request_id: context.request_id,
    endpoint: 'pull',
    reason,
    ms,
  });
  return {
    kind: 'stale',
    body: {
      full_resync_required: true,
      reason,
      collections: [...collections],
      head: head?.head_version || ZERO_HLC,
      epoch: core.meta.epoch,
      ...(reset === undefined ? {} : { details: { reset: [...reset] } }),
    },
    head_bundle_seq: head?.head_bundle_seq ?? 0,
  };
}
