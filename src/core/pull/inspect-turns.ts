/**
 * Which scopes an inspection that follows looks at next: those that the feed named, or all of them. What
 * the feed told is a hint of where to look; rows come from the store, so that none is doubled or left out.
 */

import type { FeedTarget } from '../live/feed-follower.ts';
import type { OplogRead } from '../ports/records.ts';

/** What one look covers: names of scopes, or all of them. */
export type Turn = ReadonlySet<string> | 'all';

/** The turns of one inspection. */
export class InspectTurns implements FeedTarget {
  /** The one scope that is inspected, when there is only one. */
  readonly #only: string | undefined;
  #named = new Set<string>();
  #all = true;
  #wake: () => void = () => {};
  /** Who waits for the next look at all scopes to be over, and for the one that runs. */
  #waiting: (() => void)[] = [];
  #running: (() => void)[] = [];
  /** Newest `seq` by scope that the feed told, and that was found without it. */
  readonly #told = new Map<string, number>();
  readonly #found = new Map<string, number>();
  /** True when the look that runs began after another one under the same feed: what it finds was told. */
  #counts = false;
  #looked: 'not' | 'begun' | 'once' = 'not';
  #stopped = false;

  constructor(only: string | undefined) {
    this.#only = only;
  }

  tell(scope_id: string, rows: readonly OplogRead[]): void {
    if (this.#only !== undefined && this.#only !== scope_id) return;
    const newest = rows.at(-1)?.seq ?? 0;
    this.#told.set(scope_id, Math.max(newest, this.#told.get(scope_id) ?? 0));
    this.#named.add(scope_id);
    this.#wake();
  }

  feedOpened(): void {
    this.#told.clear();
    this.#found.clear();
    this.#counts = false;
    this.#looked = 'not';
  }

  /** Resolves when a look that began after the call is over. */
  async look(): Promise<boolean> {
    const silent = [...this.#found].some(([scope, seq]) => (this.#told.get(scope) ?? 0) < seq);
    this.#found.clear();
    if (this.#stopped) return silent;
    this.#all = true;
    const over = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#wake();
    await over;
    return silent;
  }

  /** The next turn; undefined when there is nothing to look at. */
  take(): Turn | undefined {
    const named = this.#named;
    if (!this.#all && named.size === 0) return undefined;
    this.#named = new Set();
    if (!this.#all) return named;
    this.#all = false;
    this.#running = this.#waiting;
    this.#waiting = [];
    this.#counts = this.#looked === 'once';
    if (this.#looked === 'not') this.#looked = 'begun';
    return 'all';
  }

  /** A row was found in this turn. */
  found(turn: Turn, scope_id: string, seq: number): void {
    if (turn === 'all' && this.#counts) this.#found.set(scope_id, seq);
  }

  /** The turn is over, or broke off and is to be taken again. */
  over(turn: Turn, how: 'done' | 'broken'): void {
    if (how === 'broken') {
      if (turn === 'all') this.#all = true;
      else for (const scope of turn) this.#named.add(scope);
    }
    if (turn !== 'all') return;
    if (how === 'done' && this.#looked === 'begun') this.#looked = 'once';
    for (const resolve of this.#running) resolve();
    this.#running = [];
  }

  /** Resolves when there is a turn to take, or `stop` was called. */
  async next(): Promise<void> {
    while (!this.#stopped && !this.#all && this.#named.size === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nobody takes a turn any more. */
  stop(): void {
    this.#stopped = true;
    for (const resolve of [...this.#running, ...this.#waiting]) resolve();
    this.#wake();
  }
}
