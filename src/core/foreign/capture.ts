/**
 * The capture worker: hints of a feed, looked at one batch after the other. Any number of processes may
 * run it on the same collections. The place in the feed is saved behind work that is done; where the
 * feed's history was lost, or there is no feed, the collections are compared as a whole [FW-8].
 */

import type { EngineCore } from '../parts.ts';
import type { ForeignFeed } from '../ports/foreign.ts';
import { type DocumentKey, StoreError } from '../ports/store.ts';
import type { EngineEvent } from '../ports/telemetry.ts';
import { placeOf } from '../push/document-state.ts';
import {
  adoptByScope,
  type CompareOptions,
  compareCollection,
  compareTraces,
  foreignOf,
  judge,
  tracesBy,
  type ScopedDocument,
} from './compare.ts';

/** How capture runs. */
export interface CaptureOptions {
  readonly collections: readonly string[];
  /** Pause between two comparisons where there is no feed, ms. */
  readonly rescan_ms: number;
  readonly signal: AbortSignal;
}

const EXTERNAL: CompareOptions = { mode: 'rows', origin: 'external', untraced: 'foreign' };
/** Pauses after a failure, ms. */
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 10_000;
/** How often an idle feed's place is saved, ms: it must not fall out of the database's log. */
const SAVE_IDLE_EVERY_MS = 10_000;
/** Documents that could not be taken over are looked at again after this time, ms; so many at most. */
const AGAIN_AFTER_MS = 30_000;
const AGAIN_MAX = 1_000;
/** How finely a pause notices the end, ms. */
const TICK_MS = 250;

/** Runs until the signal. Never throws: a failure is reported, and the work is taken up again. */
export async function runCapture(core: EngineCore, options: CaptureOptions): Promise<void> {
  let pause_ms = PAUSE_MIN_MS;
  const report = reporter(core);
  while (!options.signal.aborted) {
    try {
      await captureOnce(core, options, report);
      pause_ms = PAUSE_MIN_MS;
    } catch (error) {
      const kind = error instanceof StoreError ? error.kind : 'failed';
      report({ state: 'failed', reason: kind, cause: error });
      await pause(core, pause_ms, options.signal);
      pause_ms = Math.min(pause_ms * 2, PAUSE_MAX_MS);
    }
  }
}

type State = Omit<Extract<EngineEvent, { event: 'capture.state' }>, 'event'>;
type Report = (state: State) => void;

/** Tells every failure, and other states when they begin: comparing again and again is one of them. */
function reporter(core: EngineCore): Report {
  let last: string | undefined;
  return (state) => {
    const name = `${state.state} ${state.reason}`;
    if (name === last && state.state !== 'failed') return;
    last = name;
    core.telemetry.emit({ event: 'capture.state', ...state });
  };
}

/** From a saved place, or from a whole comparison, until the feed ends. */
async function captureOnce(
  core: EngineCore,
  options: CaptureOptions,
  report: Report,
): Promise<void> {
  const { collections, signal } = options;
  const foreign = foreignOf(core);
  const { token, compared } = await foreign.readFeedPlace(collections);
  const feed = await openOrForget(core, collections, token);
  if (feed instanceof StoreError) {
    report({ state: 'comparing', reason: 'no_feed', cause: feed.cause });
    await compareAll(core, options, compared);
    if (signal.aborted) return;
    await foreign.saveFeedToken(collections, null);
    core.telemetry.emit({ event: 'capture.caught_up' });
    await pause(core, options.rescan_ms, signal);
    return;
  }
  if (feed === 'history_lost') {
    report({ state: 'comparing', reason: 'history_lost' });
    await foreign.saveFeedToken(collections, null);
    return;
  }
  try {
    // The feed stands before the comparison begins: what is written meanwhile is in it.
    if (token === null) await compareAll(core, options, compared);
    report({ state: 'following', reason: 'feed' });
    await follow(core, feed, options);
  } catch (error) {
    if (!isHistoryLost(error)) throw error;
    await foreign.saveFeedToken(collections, null);
  } finally {
    await feed.close();
  }
}

async function openOrForget(
  core: EngineCore,
  collections: readonly string[],
  token: string | null,
): Promise<ForeignFeed | StoreError | 'history_lost'> {
  try {
    return await foreignOf(core).openFeed(collections, token);
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'unsupported') return error;
    // A place that the database refuses is of no use, whatever it says of it. Without a place there is
    // no history to lose: that is another failure.
    const refused = error instanceof StoreError && error.kind === 'failed';
    if ((refused || isHistoryLost(error)) && token !== null) return 'history_lost';
    throw error;
  }
}

function isHistoryLost(error: unknown): boolean {
  return error instanceof StoreError && error.kind === 'history_lost';
}

async function follow(
  core: EngineCore,
  feed: ForeignFeed,
  { collections, signal }: CaptureOptions,
): Promise<void> {
  const { clock } = core.system;
  const again = new Later(core);
  let savedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const batch = await feed.next();
    again.add(await lookAt(core, [...batch.keys, ...again.due()]));
    for (const collection of batch.whole) await compareReplaced(core, collection, signal);
    // What was cut short is not behind the saved place.
    if (signal.aborted) return;
    const busy = batch.keys.length + batch.whole.length > 0;
    if (batch.drained) core.telemetry.emit({ event: 'capture.caught_up' });
    if (!busy && clock.monotonic() - savedAt < SAVE_IDLE_EVERY_MS) continue;
    await foreignOf(core).saveFeedToken(collections, batch.token);
    savedAt = clock.monotonic();
  }
}

/** Documents whose turn comes again. They are forgotten with the process: a comparison finds them. */
class Later {
  readonly #core: EngineCore;
  #keys = new Map<string, DocumentKey>();
  #dueAt = 0;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  add(keys: readonly DocumentKey[]): void {
    const now = this.#core.system.clock.monotonic();
    if (this.#keys.size === 0) this.#dueAt = now + AGAIN_AFTER_MS;
    for (const key of keys) if (this.#keys.size < AGAIN_MAX) this.#keys.set(placeOf(key), key);
  }

  due(): readonly DocumentKey[] {
    if (this.#core.system.clock.monotonic() < this.#dueAt) return [];
    const due = [...this.#keys.values()];
    this.#keys = new Map();
    return due;
  }
}

/**
 * Looks at documents that were named: most are echoes of our own writes and end here. Gives back
 * those that could not be taken over.
 */
export async function lookAt(
  core: EngineCore,
  keys: readonly DocumentKey[],
): Promise<readonly DocumentKey[]> {
  if (keys.length === 0) return [];
  const foreign = foreignOf(core);
  // Traces first: a document that a push makes or takes meanwhile has another hint of its own.
  const found = await foreign.findTraces(keys);
  const traces = tracesBy(found);
  const targets: ScopedDocument[] = [];
  const there = new Set<string>();
  for await (const { document, bytes } of foreign.findDocuments(keys)) {
    there.add(placeOf(document));
    const policy = core.catalogue.get(document.collection);
    if (policy === undefined) continue;
    const target = judge(core, { document, bytes }, { policy, traces });
    if (typeof target !== 'string') targets.push(target);
  }
  for (const { scope_id, collection, doc_id } of found) {
    if (there.has(placeOf({ collection, doc_id }))) continue;
    targets.push({ scope_id, collection, doc_id, bytes: 0 });
  }
  const taken = await adoptByScope(core, targets, EXTERNAL);
  return taken.flatMap(({ document, verdict }) => (verdict === 'failed' ? [document] : []));
}

async function compareAll(
  core: EngineCore,
  { collections, signal }: CaptureOptions,
  compared: readonly string[],
): Promise<void> {
  for (const collection of collections) {
    const untraced = compared.includes(collection) ? 'foreign' : 'own';
    await compareWhole(core, collection, { ...EXTERNAL, untraced, signal });
  }
}

/** A collection that was dropped or replaced as a whole. */
async function compareReplaced(core: EngineCore, collection: string, signal: AbortSignal) {
  if (core.catalogue.get(collection)?.capture !== true) return;
  await compareWhole(core, collection, { ...EXTERNAL, signal });
}

async function compareWhole(core: EngineCore, collection: string, options: CompareOptions) {
  for await (const _ of compareCollection(core, collection, options));
  await compareTraces(core, collection, options);
}

async function pause(core: EngineCore, ms: number, signal: AbortSignal): Promise<void> {
  const { clock } = core.system;
  const until = clock.monotonic() + ms;
  while (!signal.aborted && clock.monotonic() < until) {
    await clock.sleep(Math.min(TICK_MS, until - clock.monotonic()));
  }
}
