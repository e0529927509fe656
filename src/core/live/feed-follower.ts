/**
 * Keeps somebody informed of commits: follows the store's feed, opens it again when it breaks, and looks
 * at the heads from time to time, because a feed may be silent without saying so. Without a feed the
 * looks are all there is [LD-5].
 */

import type { ChangeFeed, OpenFeed } from '../ports/feed.ts';
import type { OplogRead } from '../ports/records.ts';
import type { Clock } from '../ports/system.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { POLL_EVERY_MS, REOPEN_FIRST_MS, REOPEN_MAX_MS, WATCHDOG_EVERY_MS } from './live-limits.ts';

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
  if (feed === null) telemetry.emit({ event: 'feed.state', state: 'polling', reason: 'none' });
  let pause = REOPEN_FIRST_MS;
  let next_try = clock.monotonic();
  let reason: 'opened' | 'reopened' = 'opened';
  while (!signal.aborted) {
    if (feed !== null && clock.monotonic() >= next_try) {
      const opened_at = clock.monotonic();
      await followOnce({ ...parts, feed }, reason, signal);
      reason = 'reopened';
      const lasted = clock.monotonic() - opened_at;
      pause = lasted > REOPEN_MAX_MS ? REOPEN_FIRST_MS : Math.min(pause * 2, REOPEN_MAX_MS);
      next_try = clock.monotonic() + pause;
    }
    if (signal.aborted) return;
    await target.look();
    await clock.sleep(POLL_EVERY_MS, signal);
  }
}

/** Opens the feed and stays with it until it ends, is found silent, or the signal aborts. */
async function followOnce(
  { feed, clock, telemetry, target }: FollowParts & { readonly feed: ChangeFeed },
  attempt: 'opened' | 'reopened',
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  let cause: unknown;
  const stop = () => gone.abort();
  signal.addEventListener('abort', stop, { once: true });
  let open: OpenFeed | undefined;
  try {
    open = await feed.open({
      rows: (scope_id, rows) => target.tell(scope_id, rows),
      ended(error) {
        cause = error;
        gone.abort();
      },
    });
    telemetry.emit({ event: 'feed.state', state: 'following', reason: attempt });
    target.feedOpened();
    let silent = await target.look();
    while (!gone.signal.aborted && !silent) {
      await clock.sleep(WATCHDOG_EVERY_MS, gone.signal);
      if (!gone.signal.aborted) silent = await target.look();
    }
    if (signal.aborted) return;
    const reason = silent ? 'silent' : 'ended';
    telemetry.emit({ event: 'feed.state', state: 'polling', reason, cause });
  } catch (error) {
    if (!signal.aborted) {
      telemetry.emit({ event: 'feed.state', state: 'polling', reason: 'failed', cause: error });
    }
  } finally {
    signal.removeEventListener('abort', stop);
    await open?.close();
  }
}
