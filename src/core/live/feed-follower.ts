/**
 * Keeps somebody informed of commits: follows the store's feed, opens it again when it breaks, and looks
 * at the heads from time to time, because a feed may be silent without saying so. Without a feed the
 * looks are all there is [LD-5].
 */

import type { ChangeFeed, OpenFeed } from '../ports/feed.ts';
import type { OplogRead } from '../ports/records.ts';
import { StoreError } from '../ports/store.ts';
import type { Clock } from '../ports/system.ts';
import type { EngineEvent, Telemetry } from '../ports/telemetry.ts';
import {
  POLL_EVERY_MS,
  REFUSED_PAUSE_MS,
  REOPEN_FIRST_MS,
  REOPEN_MAX_MS,
  WATCHDOG_EVERY_MS,
} from './live-limits.ts';

/** Who is kept informed. */
export interface FeedTarget {
  tell(scope_id: string, rows: readonly OplogRead[]): void;
  /**
   * Looks for what was committed and not told. True when rows of the look before were never told, which
   * a feed that works does not do. Must not throw.
   */
  look(): Promise<boolean>;
  /** A feed was opened: what it did not tell before does not count against it. */
  feedOpened(): void;
}

/** What following takes. */
export interface FollowParts {
  readonly feed: ChangeFeed | null;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly target: FeedTarget;
}

/** Follows until the signal aborts. Never rejects. */
export async function followFeed(parts: FollowParts, signal: AbortSignal): Promise<void> {
  const { feed, clock, telemetry, target } = parts;
  const report = reporter(telemetry);
  if (feed === null) report({ state: 'polling', reason: 'none' });
  let pause = REOPEN_FIRST_MS;
  let next_try = clock.monotonic();
  let reason: 'opened' | 'reopened' = 'opened';
  while (!signal.aborted) {
    if (feed !== null && clock.monotonic() >= next_try) {
      const opened_at = clock.monotonic();
      const end = await followOnce({ ...parts, feed, report }, reason, signal);
      reason = 'reopened';
      const lasted = clock.monotonic() - opened_at;
      pause = lasted > REOPEN_MAX_MS ? REOPEN_FIRST_MS : Math.min(pause * 2, REOPEN_MAX_MS);
      next_try = clock.monotonic() + (end === 'refused' ? REFUSED_PAUSE_MS : pause);
    }
    if (signal.aborted) return;
    await unlessStopped(target.look(), signal);
    await clock.sleep(POLL_EVERY_MS, signal);
  }
}

type State = Omit<Extract<EngineEvent, { event: 'feed.state' }>, 'event'>;
type Report = (state: State) => void;

/** Tells a state when it begins: a feed that is tried in vain again and again is one of them. */
function reporter(telemetry: Telemetry): Report {
  const said = new Set<string>();
  return (state) => {
    if (state.state === 'following') said.clear();
    else if (said.has(state.reason)) return;
    else said.add(state.reason);
    telemetry.emit({ event: 'feed.state', ...state });
  };
}

type FollowOnceParts = Omit<FollowParts, 'telemetry'> & {
  readonly feed: ChangeFeed;
  readonly report: Report;
};

/**
 * Opens the feed and stays with it until it ends, is found silent, or the signal aborts. `refused`: the
 * store gives none, for want of a right or because it has none.
 */
async function followOnce(
  { feed, clock, report, target }: FollowOnceParts,
  attempt: 'opened' | 'reopened',
  signal: AbortSignal,
): Promise<'refused' | undefined> {
  const gone = new AbortController();
  let cause: unknown;
  const stop = () => gone.abort();
  signal.addEventListener('abort', stop, { once: true });
  let open: OpenFeed | undefined;
  try {
    const opening = feed.open({
      rows: (scope_id, rows) => target.tell(scope_id, rows),
      ended(error) {
        cause = error;
        gone.abort();
      },
    });
    open = await unlessStopped(opening, signal);
    if (open === undefined) {
      // It may still open; then there is nobody left who listens.
      void opening.then((late) => late.close()).catch(() => undefined);
      return undefined;
    }
    report({ state: 'following', reason: attempt });
    target.feedOpened();
    const silent = await watchFeed(() => unlessStopped(target.look(), signal), clock, gone.signal);
    if (!signal.aborted) report({ state: 'polling', reason: silent ? 'silent' : 'ended', cause });
    return undefined;
  } catch (error) {
    if (signal.aborted) return undefined;
    const refused = error instanceof StoreError && error.kind === 'unsupported';
    report({ state: 'polling', reason: refused ? 'refused' : 'failed', cause: error });
    return refused ? 'refused' : undefined;
  } finally {
    signal.removeEventListener('abort', stop);
    await open?.close();
  }
}

/** Looks at once and then from time to time, until the feed is gone or a look finds it silent. */
async function watchFeed(
  look: () => Promise<boolean | undefined>,
  clock: Clock,
  gone: AbortSignal,
): Promise<boolean> {
  let silent = await look();
  while (!gone.aborted && silent !== true) {
    await clock.sleep(WATCHDOG_EVERY_MS, gone);
    if (!gone.aborted) silent = await look();
  }
  return silent === true;
}

/**
 * What was waited for, or undefined once the signal aborts: a read of a database that has gone away
 * would hold up whoever stops, and there is nothing in it to lose.
 */
async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let stop = (): void => {};
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
