/**
 * The oplog as an operator reads it: rows of one scope or of all, merged by version, from any
 * version on, and on with new rows as they are committed. Reads only, and asks nobody for rights:
 * whoever may open the store may read it.
 */

import { compareHlc, type Hlc } from '../../protocol/pure/hlc.ts';
import {
  type OplogRead,
  type OplogReads,
  type ScopeReads,
  StoreError,
  type SyncStore,
} from '../ports/store.ts';
import type { Clock } from '../ports/system.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { allScopes } from '../scope/all-scopes.ts';
import { followFeed } from '../live/feed-follower.ts';
import { POLL_EVERY_MS } from '../live/live-limits.ts';
import { InspectTurns, type Turn } from './inspect-turns.ts';

/** What an inspection needs of a store. */
export type InspectStore = Omit<ScopeReads, 'readHeads'> & OplogReads & Pick<SyncStore, 'feed'>;

/** Which rows are shown. An absent member lets everything pass. */
export interface InspectFilter {
  readonly scope_id?: string | undefined;
  readonly collections?: ReadonlySet<string> | undefined;
  readonly doc_id?: string | undefined;
  readonly operations?: ReadonlySet<string> | undefined;
}

/** Where to start, what to show, and whether to stay. */
export interface InspectOptions {
  /** Rows above this version. */
  readonly since: Hlc;
  readonly filter: InspectFilter;
  /** Shown rows after which the inspection ends. */
  readonly limit?: number | undefined;
  /** Stay and show rows as they are committed, until `signal` aborts. */
  readonly follow: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A row, a notice that rows before `first` are no longer there (`first` null: none is left), or the
 * notice that the database does not answer and is waited for.
 */
export type Inspected =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'row'; readonly scope_id: string; readonly row: OplogRead }
  | { readonly kind: 'gap'; readonly scope_id: string; readonly first: Hlc | null };

const ROWS_PER_READ = 200;
const BYTES_PER_READ = 1_048_576;

/**
 * Shows rows above `since`. Within one look at the heads rows come in version order over all
 * scopes; a row that was committed during a look comes with the next one. While following, a database
 * that does not answer is waited for: what was shown is not shown again.
 */
export async function* inspectRows(
  store: InspectStore,
  clock: Clock,
  options: InspectOptions,
): AsyncGenerator<Inspected, void, undefined> {
  const stop = new AbortController();
  const end = () => stop.abort();
  if (options.signal?.aborted === true) end();
  options.signal?.addEventListener('abort', end, { once: true });
  const turns = new InspectTurns(options.filter.scope_id);
  const inspection = { store, options, turns, seen: new Map<string, number>() };
  if (options.follow) {
    const parts = { feed: store.feed, clock, telemetry: SILENT, target: turns };
    void followFeed(parts, stop.signal);
  }
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  try {
    for await (const item of untilAbort(allTurns(inspection, clock, stop.signal), stop.signal)) {
      yield item;
      if (item.kind === 'row') left -= 1;
      if (left <= 0) return;
    }
  } finally {
    options.signal?.removeEventListener('abort', end);
    end();
    turns.stop();
  }
}

/** What all looks of an inspection share. */
interface Inspection {
  readonly store: InspectStore;
  readonly options: InspectOptions;
  readonly turns: InspectTurns;
  /** Position by scope: rows up to it are never shown again. */
  readonly seen: Map<string, number>;
}

/** An operator sees what comes of a feed, not its states. */
const SILENT: Telemetry = { emit: () => {} };

/** One turn after the other. That the database is waited for is said once each time it went away. */
async function* allTurns(
  inspection: Inspection,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Inspected, void, undefined> {
  const { options, turns } = inspection;
  let waiting = false;
  for (let turn = turns.take(); turn !== undefined; turn = turns.take()) {
    let broken = false;
    for await (const item of taken(inspection, turn)) {
      broken = item.kind === 'waiting';
      if (!broken || !waiting) yield item;
      waiting = broken;
    }
    waiting = broken;
    if (!options.follow) return;
    if (broken) await clock.sleep(POLL_EVERY_MS, signal);
    // Waiting is over at once then: a database that is gone would be asked for ever.
    if (signal.aborted) return;
    await turns.next();
  }
}

/** One turn; its last item is `waiting` when the database went away, and then it is taken again. */
async function* taken(
  inspection: Inspection,
  turn: Turn,
): AsyncGenerator<Inspected, void, undefined> {
  const { options, turns } = inspection;
  try {
    yield* shown(inspection, turn);
    turns.over(turn, 'done');
  } catch (error) {
    if (!options.follow || !isUnavailable(error)) throw error;
    turns.over(turn, 'broken');
    yield { kind: 'waiting' };
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'unavailable';
}

/** One look, without the rows that the filter hides; those count as seen all the same. */
async function* shown(
  inspection: Inspection,
  turn: Turn,
): AsyncGenerator<Inspected, void, undefined> {
  const { options, turns, seen } = inspection;
  for await (const item of look(inspection, turn)) {
    if (item.kind === 'row') {
      seen.set(item.scope_id, item.row.seq);
      turns.found(turn, item.scope_id, item.row.seq);
      if (!shows(options.filter, item.row)) continue;
    }
    yield item;
  }
}

/** The items until the signal aborts: a read that hangs is not waited for then. */
async function* untilAbort<T>(
  items: AsyncGenerator<T, void, undefined>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  let stop = () => {};
  signal.addEventListener('abort', () => stop(), { once: true });
  while (!signal.aborted) {
    const step = await new Promise<IteratorResult<T, void> | undefined>((resolve, reject) => {
      stop = () => resolve(undefined);
      items.next().then(resolve, reject);
    });
    if (step === undefined || step.done === true) return;
    yield step.value;
  }
}

/** Position in one scope, up to the head as it was when the look began. */
interface Cursor {
  readonly scope_id: string;
  readonly last_seq: number;
  after_seq: number;
  rows: readonly OplogRead[];
  index: number;
}

async function* look(
  { store, options, seen }: Inspection,
  turn: Turn,
): AsyncGenerator<Inspected, void, undefined> {
  const queue: Cursor[] = [];
  const { scope_id: only } = options.filter;
  const all = only === undefined ? allScopes(store) : [only];
  for await (const scope_id of turn === 'all' ? all : turn) {
    const opened = await openCursor(store, scope_id, { since: options.since, seen });
    if (opened === undefined) continue;
    // So that a gap is told once, also when nothing is left behind it.
    seen.set(scope_id, opened.cursor.after_seq);
    if (opened.gap !== undefined) yield { kind: 'gap', scope_id, first: opened.gap };
    if (await fill(store, opened.cursor)) enqueue(queue, opened.cursor);
  }
  for (let cursor = queue.shift(); cursor !== undefined; cursor = queue.shift()) {
    const { scope_id } = cursor;
    const row = current(cursor);
    if (row.seq > cursor.after_seq + 1) yield { kind: 'gap', scope_id, first: row.version };
    cursor.after_seq = row.seq;
    cursor.index += 1;
    yield { kind: 'row', scope_id, row };
    if (await fill(store, cursor)) enqueue(queue, cursor);
  }
}

/** Where reading of a scope begins; undefined when it has nothing new. `gap` names the first row left. */
async function openCursor(
  store: InspectStore,
  scope_id: string,
  { since, seen }: { since: Hlc; seen: ReadonlyMap<string, number> },
): Promise<{ cursor: Cursor; gap?: Hlc | null } | undefined> {
  const { head } = await store.readScope(scope_id, null);
  if (head === null || compareHlc(head.head_version, since) <= 0) return undefined;
  const last_seq = head.head_seq;
  const at = (after_seq: number): Cursor => ({ scope_id, last_seq, after_seq, rows: [], index: 0 });
  const known = seen.get(scope_id);
  if (known !== undefined) return known < last_seq ? { cursor: at(known) } : undefined;

  const first = await store.firstRow(scope_id);
  if (first === null) return { cursor: at(last_seq), gap: null };
  if (compareHlc(first.version, since) > 0) {
    const cursor = at(first.seq - 1);
    return compareHlc(first.prev, since) > 0 ? { cursor, gap: first.version } : { cursor };
  }
  return {
    cursor: at(await lastNotAbove(store, scope_id, { since, low: first.seq, high: last_seq })),
  };
}

/** `seq` is dense, so the last row that is not above `since` is found by halving. */
async function lastNotAbove(
  store: InspectStore,
  scope_id: string,
  bounds: { since: Hlc; low: number; high: number },
): Promise<number> {
  let { low, high } = bounds;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const [row] = await store.readRows({
      scope_id,
      after_seq: middle - 1,
      max_rows: 1,
      max_bytes: 1,
    });
    if (row !== undefined && compareHlc(row.version, bounds.since) <= 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** True when the cursor stands on a row. */
async function fill(store: InspectStore, cursor: Cursor): Promise<boolean> {
  if (cursor.index < cursor.rows.length) return true;
  if (cursor.after_seq >= cursor.last_seq) return false;
  cursor.rows = await store.readRows({
    scope_id: cursor.scope_id,
    after_seq: cursor.after_seq,
    max_rows: Math.min(ROWS_PER_READ, cursor.last_seq - cursor.after_seq),
    max_bytes: BYTES_PER_READ,
  });
  cursor.index = 0;
  return cursor.rows.length > 0;
}

/** Keeps the queue in version order, so that its first cursor holds the oldest row. */
function enqueue(queue: Cursor[], cursor: Cursor): void {
  const { version } = current(cursor);
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = queue[middle] as Cursor;
    if (compareHlc(current(other).version, version) <= 0) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, cursor);
}

function current(cursor: Cursor): OplogRead {
  return cursor.rows[cursor.index] as OplogRead;
}

function shows(filter: InspectFilter, row: OplogRead): boolean {
  return (
    (filter.collections === undefined || filter.collections.has(row.collection)) &&
    (filter.doc_id === undefined || filter.doc_id === row.doc_id) &&
    (filter.operations === undefined || filter.operations.has(row.operation))
  );
}
