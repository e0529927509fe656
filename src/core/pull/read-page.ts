/** One page of the log: head and position, one bounded range, the chain check, the cut. */

import type { StaleReason } from '../../protocol/pure/error-codes.ts';
import { compareHlc, type Hlc } from '../../protocol/pure/hlc.ts';
import { invariant } from '../invariant.ts';
import type { EngineCore } from '../parts.ts';
import type { ScopeHead } from '../ports/records.ts';
import type { OplogRead, SyncStore } from '../ports/store.ts';
import { type Cut, cutPage } from './cut-page.ts';
import { scanRows } from './plan-page.ts';
import { chainFault, startOf } from './staleness.ts';

/** Which page of which scope. `collections` are names that the caller may read. */
export interface PageRequest {
  readonly scope_id: string;
  readonly since: Hlc;
  readonly collections: readonly string[];
  /** Delivered rows; soft, because a page runs to the end of its bundle. */
  readonly limit: number;
  /** The history that the client knows, if it said so. */
  readonly epoch?: string | undefined;
}

/** A page, or why the client cannot go on from its `since`. `cut` null = nothing new. */
export type PageRead =
  | { readonly kind: 'page'; readonly head: ScopeHead | null; readonly cut: Cut | null }
  | {
      readonly kind: 'stale';
      readonly head: ScopeHead | null;
      readonly reason: StaleReason;
      /** Collections that were reset. */
      readonly reset?: readonly string[];
    };

/** What reading takes of the engine. */
export type PageCore = Pick<EngineCore, 'store' | 'catalogue' | 'limits' | 'meta'>;

/** Reads one page. Throws `StoreError`. */
export async function readPage(core: PageCore, request: PageRequest): Promise<PageRead> {
  const { scope_id, since, collections, limit, epoch } = request;
  const filtered = collections.length < core.catalogue.size;
  const max_rows = scanRows(limit, filtered);
  const work: PageWork = {
    store: core.store,
    scope_id,
    since,
    max_rows,
    enough_rows: filtered ? max_rows : limit,
    cut: {
      limit,
      max_bytes: core.limits.pull_max_bytes,
      visible: new Set(collections),
    },
  };
  const epochChanged = epoch !== undefined && epoch !== core.meta.epoch;
  const read = epochChanged ? await refuseEpoch(work) : await findPage(work);
  if (read.kind === 'stale' || read.cut === null || read.cut.reset.length === 0) return read;
  return { kind: 'stale', head: read.head, reason: 'collection_reset', reset: read.cut.reset };
}

interface PageWork {
  readonly store: SyncStore;
  readonly scope_id: string;
  readonly since: Hlc;
  readonly max_rows: number;
  /** Rows after which a page is surely full: every row counts when nothing is filtered. */
  readonly enough_rows: number;
  readonly cut: { limit: number; max_bytes: number; visible: ReadonlySet<string> };
}

async function refuseEpoch({ store, scope_id }: PageWork): Promise<PageRead> {
  const { head } = await store.readScope(scope_id, null);
  return { kind: 'stale', head, reason: 'epoch_changed' };
}

/**
 * Reads, and believes "stale" only after a second look: the head is confirmed with the primary and
 * the rows are read again, because right after an election a majority read may be older than what
 * clients have seen, and a prune may fall between two reads [PL-8].
 */
async function findPage(work: PageWork): Promise<PageRead> {
  const first = await readOnce(work);
  if (first.kind === 'page') return first;
  await work.store.confirmHead(work.scope_id);
  return readOnce(work);
}

async function readOnce(work: PageWork): Promise<PageRead> {
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
  work: PageWork,
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

function readRows(work: PageWork, after_seq: number, max_rows: number) {
  const { store, scope_id, cut, enough_rows } = work;
  const { max_bytes } = cut;
  return store.readRows({ scope_id, after_seq, max_rows, enough_rows, max_bytes });
}
