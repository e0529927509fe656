/** Following the feed: opened again after every way of breaking, polled meanwhile, watched for silence. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { followFeed } from '../../../../src/core/live/feed-follower.ts';
import {
  POLL_EVERY_MS,
  REFUSED_PAUSE_MS,
  WATCHDOG_EVERY_MS,
} from '../../../../src/core/live/live-limits.ts';
import type { ChangeFeed, FeedListener } from '../../../../src/core/ports/feed.ts';
import { StoreError } from '../../../../src/core/ports/store.ts';
import type { EngineEvent } from '../../../../src/core/ports/telemetry.ts';
import { FakeClock } from '../../../support/engine/fake-system.ts';

/** A clock that a script drives: each sleep runs its next step, and the last one stops everything. */
function scripted(steps: ((at: Following) => void)[]): Following {
  const clock = new FakeClock();
  const stop = new AbortController();
  const at: Following = { clock, stop, listeners: [], log: [], events: [], looks: [], open: [] };
  clock.sleep = async (ms, signal) => {
    at.log.push(`sleep ${ms}`);
    clock.pass(ms);
    const step = steps.shift();
    if (step === undefined) stop.abort();
    else step(at);
    if (signal?.aborted === true) at.log.push('woken');
  };
  return at;
}

interface Following {
  readonly clock: FakeClock;
  readonly stop: AbortController;
  readonly listeners: FeedListener[];
  readonly log: string[];
  readonly events: EngineEvent[];
  /** Answers of the next looks; false without one. */
  readonly looks: boolean[];
  /** Failures of the next openings. */
  readonly open: (Error | undefined)[];
}

async function run(at: Following, withFeed = true): Promise<void> {
  const feed: ChangeFeed = {
    open: async (listener) => {
      const failure = at.open.shift();
      at.log.push(failure === undefined ? 'open' : 'refused');
      if (failure !== undefined) throw failure;
      at.listeners.push(listener);
      return {
        close: async () => {
          at.log.push('close');
        },
      };
    },
  };
  await followFeed(
    {
      feed: withFeed ? feed : null,
      clock: at.clock,
      telemetry: { emit: (event) => at.events.push(event) },
      target: {
        tell: (scope_id, rows) => at.log.push(`tell ${scope_id} ${rows.length}`),
        look: async () => {
          at.log.push('look');
          return at.looks.shift() ?? false;
        },
        feedOpened: () => at.log.push('opened'),
      },
    },
    at.stop.signal,
  );
}

const states = (at: Following) =>
  at.events.map((one) => (one.event === 'feed.state' ? `${one.state} ${one.reason}` : one.event));

test('[LD-5] without a feed the heads are polled', async () => {
  const at = scripted([() => {}, () => {}]);
  await run(at, false);
  const poll = `sleep ${POLL_EVERY_MS}`;
  assert.deepEqual(at.log, ['look', poll, 'look', poll, 'look', poll, 'woken']);
  assert.deepEqual(states(at), ['polling none']);
});

test('[LD-5] a feed is looked after: at once, and every five seconds', async () => {
  const at = scripted([({ listeners }) => listeners[0]?.rows('red', [])]);
  await run(at);
  const wait = `sleep ${WATCHDOG_EVERY_MS}`;
  assert.deepEqual(at.log, [
    'open',
    'opened',
    'look',
    wait,
    'tell red 0',
    'look',
    wait,
    'woken',
    'close',
  ]);
  assert.deepEqual(states(at), ['following opened']);
});

test('[LD-5] a feed that ends is closed and opened again; heads are polled meanwhile', async () => {
  const broken = new Error('cut');
  const at = scripted([
    ({ listeners }) => listeners[0]?.ended(broken),
    () => {},
    () => {},
    () => {},
  ]);
  await run(at);
  assert.deepEqual(at.log.slice(3, 12), [
    `sleep ${WATCHDOG_EVERY_MS}`,
    'woken',
    'close',
    'look',
    `sleep ${POLL_EVERY_MS}`,
    'look',
    `sleep ${POLL_EVERY_MS}`,
    'open',
    'opened',
  ]);
  assert.deepEqual(states(at), ['following opened', 'polling ended', 'following reopened']);
  const ended = at.events[1];
  assert.equal(ended?.event === 'feed.state' ? ended.cause : undefined, broken);
});

test('[LD-5] a feed that is silent about a commit is opened anew', async () => {
  const at = scripted([() => {}, () => {}, () => {}, () => {}]);
  at.looks.push(false, true);
  await run(at);
  assert.deepEqual(states(at).slice(0, 3), [
    'following opened',
    'polling silent',
    'following reopened',
  ]);
  assert.equal(at.log.filter((line) => line === 'open').length, 2);
});

test('[LD-5] a feed that cannot be opened is tried again at growing distances', async () => {
  const at = scripted(Array.from({ length: 60 }, () => () => {}));
  at.open.push(...Array.from({ length: 20 }, () => new Error('no')));
  await run(at);
  const gaps: number[] = [];
  let polls = 0;
  for (const line of at.log) {
    if (line === 'look') polls += 1;
    if (line === 'refused') gaps.push(polls);
  }
  const between = gaps.slice(1).map((count, i) => count - (gaps[i] ?? 0));
  assert.deepEqual(between, [2, 4, 8, 16, 20]);
});

test('[LD-5] stopping while the feed is being opened closes it', async () => {
  const at = scripted([]);
  const running = run(at);
  at.stop.abort();
  await running;
  assert.equal(at.log.filter((line) => line === 'close').length, 1);
  assert.equal(at.log.includes(`sleep ${POLL_EVERY_MS}`), false);
});

test('[FE-8] a feed that the database refuses is said once, polled without, and asked for again', async () => {
  const pause = REFUSED_PAUSE_MS / POLL_EVERY_MS;
  const at = scripted(Array.from({ length: 3 * pause }, () => () => {}));
  const refused = new StoreError('unsupported', 'no right');
  at.open.push(refused, refused, refused);
  await run(at);
  const asked = at.log.flatMap((line, i) => (line === 'refused' || line === 'open' ? [i] : []));
  // A poll is a look and a sleep.
  const polls = asked.slice(1).map((place, i) => (place - (asked[i] as number) - 1) / 2);
  assert.deepEqual(polls, [pause, pause, pause]);
  assert.deepEqual(states(at), ['polling refused', 'following reopened']);
  const [first] = at.events;
  assert.equal(first?.event === 'feed.state' ? first.cause : undefined, refused);
});

test('[FE-8] each way of losing the feed is said once until it is followed again', async () => {
  const broken = new Error('cut');
  const endOnce = ({ listeners }: Following) => listeners[0]?.ended(broken);
  const at = scripted(Array.from({ length: 80 }, () => endOnce));
  at.open.push(new Error('no'), new Error('no'), undefined, new Error('no'), new Error('no'));
  await run(at);
  assert.deepEqual(states(at), [
    'polling failed',
    'following reopened',
    'polling ended',
    'polling failed',
    'following reopened',
  ]);
});

test('[LD-10] stopping waits neither for a look nor for a feed that does not open', async () => {
  for (const withFeed of [false, true]) {
    const at = scripted([]);
    const never = new Promise<never>(() => {});
    const stopped = followFeed(
      {
        feed: withFeed ? { open: () => never } : null,
        clock: at.clock,
        telemetry: { emit: (event) => at.events.push(event) },
        target: { tell: () => {}, look: () => never, feedOpened: () => {} },
      },
      at.stop.signal,
    );
    at.stop.abort();
    await stopped;
  }
});

test('[LD-10] a feed that opens after the stop is closed', async () => {
  const at = scripted([]);
  let give = (_feed: { close(): Promise<void> }): void => {};
  const late = new Promise<{ close(): Promise<void> }>((resolve) => {
    give = resolve;
  });
  const stopped = followFeed(
    {
      feed: { open: () => late },
      clock: at.clock,
      telemetry: { emit: (event) => at.events.push(event) },
      target: { tell: () => {}, look: async () => false, feedOpened: () => {} },
    },
    at.stop.signal,
  );
  at.stop.abort();
  await stopped;
  const closed = new Promise<void>((resolve) => give({ close: async () => resolve() }));
  await closed;
  assert.deepEqual(at.events, []);
});
