/** Following on a feed: what it tells is shown at once, what it leaves out is found, an outage is waited for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POLL_EVERY_MS, WATCHDOG_EVERY_MS } from '../../../../src/core/live/live-limits.ts';
import type { ChangeFeed, FeedListener } from '../../../../src/core/ports/feed.ts';
import { StoreError } from '../../../../src/core/ports/store.ts';
import type { Clock } from '../../../../src/core/ports/system.ts';
import { type InspectFilter, inspectRows } from '../../../../src/core/pull/inspect.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { Scopes } from './inspected-scopes.ts';

/** Sleeps that end when the test says so. */
class Sleeps implements Clock {
  readonly now = () => 0;
  readonly monotonic = () => this.#passed;
  readonly #open = new Set<{ readonly ms: number; readonly end: () => void }>();
  #changed: () => void = () => {};
  #passed = 0;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const end = () => {
        this.#open.delete(one);
        resolve();
      };
      const one = { ms, end };
      this.#open.add(one);
      signal?.addEventListener('abort', end, { once: true });
      this.#changed();
    });

  /** Ends the sleep of this length, which may not have begun yet. */
  async end(ms: number): Promise<void> {
    const one = await this.begun(ms);
    this.#passed += ms;
    one.end();
  }

  /** Resolves when such a sleep has begun. */
  async begun(ms: number): Promise<{ end(): void }> {
    for (;;) {
      const found = [...this.#open].find((one) => one.ms === ms);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

/** An inspection that follows `store` through a feed of the test. */
class Following {
  readonly store = new Scopes();
  readonly clock = new Sleeps();
  readonly listeners: FeedListener[] = [];
  readonly #stop = new AbortController();
  readonly #items: AsyncGenerator<unknown>;

  constructor(filter: InspectFilter = {}) {
    const feed: ChangeFeed = {
      open: async (listener) => {
        this.listeners.push(listener);
        return { close: async () => {} };
      },
    };
    this.store.feed = feed;
    const { signal } = this.#stop;
    const options = { since: ZERO_HLC, filter, follow: true, signal };
    this.#items = inspectRows(this.store, this.clock, options);
  }

  /** Tells of the newest rows of a scope. */
  tell(scope_id: string, count: number): void {
    const rows = this.store.rows.get(scope_id)?.slice(-count) ?? [];
    this.listeners.at(-1)?.rows(scope_id, rows);
  }

  async next(): Promise<string> {
    const { value } = (await this.#items.next()) as {
      value: { kind: string; row?: { doc_id: string } };
    };
    return value.row?.doc_id ?? value.kind;
  }

  async take(count: number): Promise<string[]> {
    const items: string[] = [];
    while (items.length < count) items.push(await this.next());
    return items;
  }

  /** What is shown after everything that was expected: nothing. */
  async end(): Promise<void> {
    const rest = this.#items.next();
    this.#stop.abort();
    assert.equal((await rest).done, true);
  }
}

test('[FE-7] rows are shown when the feed tells them, without a look at all scopes', async () => {
  const at = new Following();
  at.store.add('a', 1);
  at.store.add('b', 2);
  assert.deepEqual(await at.take(2), ['a1', 'b2']);
  // The wait for the next look shows that the one after the opening is over.
  const shown = at.next();
  await new Promise((resolve) => setImmediate(resolve));
  const before = at.store.lists;
  at.store.add('b', 3, 4);
  at.tell('b', 1);
  assert.deepEqual([await shown, await at.next()], ['b3', 'b4'], 'rows that were not told as well');
  at.tell('b', 2);
  at.store.add('new', 5);
  at.tell('new', 1);
  assert.equal(await at.next(), 'new5');
  assert.equal(at.store.lists, before);
  await at.end();
});

test('[FE-7] a scope that was not asked for is not looked at', async () => {
  const at = new Following({ scope_id: 'a' });
  at.store.add('a', 1);
  assert.equal(await at.next(), 'a1');
  at.store.add('b', 2);
  at.tell('b', 1);
  at.store.add('a', 3);
  at.tell('a', 1);
  assert.equal(await at.next(), 'a3');
  await at.end();
});

/** A follower that was shown `a1`, and then `a2` by the watchdog alone: the feed has not told it. */
async function afterAnUntoldRow(): Promise<Following> {
  const at = new Following();
  at.store.add('a', 1);
  assert.equal(await at.next(), 'a1');
  const shown = at.next();
  await at.clock.end(WATCHDOG_EVERY_MS);
  await new Promise((resolve) => setImmediate(resolve));
  at.store.add('a', 2);
  await at.clock.end(WATCHDOG_EVERY_MS);
  assert.equal(await shown, 'a2');
  return at;
}

test('[FE-7] rows that a silent feed left out are found by the watchdog, and it is opened anew', async () => {
  const at = await afterAnUntoldRow();
  const later = at.next();
  assert.equal(at.listeners.length, 1, 'it may tell the row yet');
  await at.clock.end(WATCHDOG_EVERY_MS);
  while (at.listeners.length < 2) await at.clock.end(POLL_EVERY_MS);
  at.store.add('a', 3);
  at.tell('a', 1);
  assert.equal(await later, 'a3');
  await at.end();
});

test('[FE-7] a feed that tells what a look has found already is not silent', async () => {
  const at = await afterAnUntoldRow();
  at.tell('a', 1);
  const later = at.next();
  for (let i = 0; i < 3; i += 1) await at.clock.end(WATCHDOG_EVERY_MS);
  assert.equal(at.listeners.length, 1);
  at.store.add('a', 3);
  at.tell('a', 1);
  assert.equal(await later, 'a3');
  await at.end();
});

test('[FE-7] an outage is said once and waited for; rows are neither lost nor doubled', async () => {
  const at = new Following();
  const times = Array.from({ length: 300 }, (_, i) => i);
  at.store.add('a', ...times);
  const shown = await at.take(100);
  at.store.fault = new StoreError('unavailable', 'gone');
  while (shown.at(-1) !== 'waiting') shown.push(await at.next());
  assert.ok(shown.length < 300, 'the look broke off');
  const next = at.next();
  for (let i = 0; i < 3; i += 1) await at.clock.end(POLL_EVERY_MS);
  await at.clock.begun(POLL_EVERY_MS);
  at.store.fault = undefined;
  await at.clock.end(POLL_EVERY_MS);
  shown.push(await next);
  while (shown.length < 301) shown.push(await at.next());
  assert.deepEqual(
    shown.filter((item) => item !== 'waiting'),
    times.map((time) => `a${time}`),
  );
  at.store.fault = new StoreError('unavailable', 'gone again');
  at.store.add('a', 300);
  at.tell('a', 1);
  assert.equal(await at.next(), 'waiting', 'the next outage is another one');
  await at.end();
});

test('[FE-7] what no waiting cures ends the inspection', async () => {
  const at = new Following();
  at.store.fault = new StoreError('failed', 'broken');
  await assert.rejects(at.next(), { kind: 'failed' });
});

test('[IN-5] an inspection that is stopped does not wait for a read that hangs', async () => {
  const at = new Following();
  at.store.add('a', 1);
  assert.equal(await at.next(), 'a1');
  at.store.hang = true;
  at.tell('a', 1);
  await at.end();
});

test('[IN-5] a database that is gone is not asked for again once the inspection was stopped', async () => {
  const at = new Following();
  at.store.add('a', 1);
  assert.equal(await at.next(), 'a1');
  let asked = 0;
  Object.defineProperty(at.store, 'fault', {
    get() {
      asked += 1;
      if (asked > 50) throw new Error('asked for ever');
      return new StoreError('unavailable', 'gone');
    },
  });
  at.store.add('a', 2);
  at.tell('a', 1);
  assert.equal(await at.next(), 'waiting');
  await at.end();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(asked <= 5, `asked ${asked} times`);
});
