/**
 * The capture worker: hints of a feed, looked at one batch after the other. Any number of processes may
 * run it on the same collections. The place in the feed is saved behind work that is done; where the
 * feed's history was lost, or there is no feed, the collections are compared as a whole [FW-8].
 */

import type { EngineCore } from '../parts.ts';
import type { FeedBatch, ForeignFeed } from '../ports/foreign.ts';
import { type DocumentKey, StoreError } from '../ports/store.ts';
import { documentKey } from '../push/document-state.ts';
import {
  adoptByScope,
  type CompareOptions,
  compareCollection,
  compareTraces,
  foreignOf,
  isKnown,
  scopeOf,
  type ScopedDocument,
} from './compare.ts';

/** How capture runs. */
export interface CaptureOptions {
  readonly collections: readonly string[];
  /** Pause between two comparisons where there is no feed, ms. */
  readonly rescan_ms: number;
  readonly signal: AbortSignal;
}

const EXTERNAL: CompareOptions = { mode: 'rows', origin: 'external' };
/** Pauses after a failure, ms. */
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 10_000;
/** How often an idle feed's place is saved, ms: it must not fall out of the database's log. */
const SAVE_IDLE_EVERY_MS = 10_000;
/** How finely a pause notices the end, ms. */
const TICK_MS = 250;

/** Runs until the signal. Never throws: a failure is reported, and the work is taken up again. */
export async function runCapture(core: EngineCore, options: CaptureOptions): Promise<void> {
  let pause_ms = PAUSE_MIN_MS;
  while (!options.signal.aborted) {
    try {
      await captureOnce(core, options);
      pause_ms = PAUSE_MIN_MS;
    } catch (error) {
      const kind = error instanceof StoreError ? error.kind : 'failed';
      core.telemetry.emit({ event: 'capture.state', state: 'failed', reason: kind, cause: error });
      await pause(core, pause_ms, options.signal);
      pause_ms = Math.min(pause_ms * 2, PAUSE_MAX_MS);
    }
  }
}

/** From a saved place, or from a whole comparison, until the feed ends. */
async function captureOnce(core: EngineCore, options: CaptureOptions): Promise<void> {
  const { collections, signal } = options;
  const foreign = foreignOf(core);
  const token = await foreign.readFeedToken(collections);
  const feed = await openOrForget(core, collections, token);
  if (feed === 'unsupported') {
    core.telemetry.emit({ event: 'capture.state', state: 'comparing', reason: 'no_feed' });
    await compareAll(core, options);
    await pause(core, options.rescan_ms, signal);
    return;
  }
  if (feed === 'history_lost') {
    core.telemetry.emit({ event: 'capture.state', state: 'comparing', reason: 'history_lost' });
    await foreign.saveFeedToken(collections, null);
    return;
  }
  try {
    // The feed stands before the comparison begins: what is written meanwhile is in it.
    if (token === null) await compareAll(core, options);
    core.telemetry.emit({ event: 'capture.state', state: 'following', reason: 'feed' });
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
): Promise<ForeignFeed | 'unsupported' | 'history_lost'> {
  try {
    return await foreignOf(core).openFeed(collections, token);
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'unsupported') return 'unsupported';
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
  let savedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const batch = await feed.next();
    await takeOver(core, batch);
    const busy = batch.keys.length + batch.whole.length > 0;
    if (!busy && clock.monotonic() - savedAt < SAVE_IDLE_EVERY_MS) continue;
    await foreignOf(core).saveFeedToken(collections, batch.token);
    savedAt = clock.monotonic();
  }
}

async function takeOver(core: EngineCore, batch: FeedBatch): Promise<void> {
  if (batch.keys.length > 0) await lookAt(core, batch.keys);
  for (const collection of batch.whole) {
    if (core.catalogue.get(collection)?.capture !== true) continue;
    await compareWhole(core, collection);
  }
}

/** Looks at documents that were named: most are echoes of our own writes and end here. */
export async function lookAt(core: EngineCore, keys: readonly DocumentKey[]): Promise<void> {
  const foreign = foreignOf(core);
  const [documents, traces] = [await foreign.findDocuments(keys), await foreign.findTraces(keys)];
  const found = new Map(documents.map((one) => [placeOf(one), one]));
  const targets = new Map<string, ScopedDocument>();
  const add = (scope_id: string, { collection, doc_id }: DocumentKey): void => {
    const target = { scope_id, collection, doc_id, bytes: 0 };
    targets.set(`${scope_id}\u0000${placeOf(target)}`, target);
  };
  const traced = new Set<string>();
  for (const trace of traces) {
    const document = found.get(placeOf(trace));
    traced.add(placeOf(trace));
    if (document?.scope_id !== trace.scope_id) add(trace.scope_id, trace);
  }
  for (const document of documents) {
    const policy = core.catalogue.get(document.collection);
    if (policy === undefined) continue;
    const known = isKnown(document, policy, core.system.crypto.sha256);
    const scope_id = scopeOf(document, policy);
    if (scope_id === null || (known && traced.has(placeOf(document)))) continue;
    add(scope_id, document);
  }
  await adoptByScope(core, [...targets.values()], EXTERNAL);
}

function placeOf({ collection, doc_id }: DocumentKey): string {
  return documentKey(collection, doc_id);
}

async function compareAll(core: EngineCore, { collections, signal }: CaptureOptions) {
  for (const collection of collections) {
    if (signal.aborted) return;
    await compareWhole(core, collection);
  }
}

async function compareWhole(core: EngineCore, collection: string): Promise<void> {
  for await (const _ of compareCollection(core, collection, EXTERNAL));
  await compareTraces(core, collection, EXTERNAL);
}

async function pause(core: EngineCore, ms: number, signal: AbortSignal): Promise<void> {
  const { clock } = core.system;
  const until = clock.monotonic() + ms;
  while (!signal.aborted && clock.monotonic() < until) {
    await clock.sleep(Math.min(TICK_MS, until - clock.monotonic()));
  }
}
