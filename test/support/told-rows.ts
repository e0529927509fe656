/** A listener of a change feed that keeps what it is told, and lets a test wait for it. */

import type { FeedListener } from '../../src/core/ports/feed.ts';
import type { OplogRead } from '../../src/core/ports/store.ts';

/** One call of `rows`. */
export interface Told {
  readonly scope_id: string;
  readonly rows: readonly OplogRead[];
}

/** Longest wait for something that must come, ms. */
const WAIT_MS = 20_000;

/** What a feed told, in order. */
export class ToldRows implements FeedListener {
  readonly calls: Told[] = [];
  /** Causes of `ended`: more than one is a fault. */
  readonly ends: unknown[] = [];
  #waiting: (() => void)[] = [];

  rows(scope_id: string, rows: readonly OplogRead[]): void {
    this.calls.push({ scope_id, rows });
    this.#wake();
  }

  ended(cause: unknown): void {
    this.ends.push(cause);
    this.#wake();
  }

  /** Rows of a scope so far. */
  of(scope_id: string): readonly OplogRead[] {
    return this.calls.flatMap((call) => (call.scope_id === scope_id ? call.rows : []));
  }

  /** Resolves once `count` rows of the scope were told. */
  async until(scope_id: string, count: number): Promise<readonly OplogRead[]> {
    await this.#untilTrue(() => this.of(scope_id).length >= count, `${count} rows`);
    return this.of(scope_id);
  }

  /** Resolves with the cause once the feed ended. */
  async untilEnded(): Promise<unknown> {
    await this.#untilTrue(() => this.ends.length > 0, 'the end');
    return this.ends[0];
  }

  async #untilTrue(isTrue: () => boolean, what: string): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, WAIT_MS);
    try {
      while (!isTrue()) {
        if (late) throw new Error(`the feed did not tell ${what}; ended ${this.ends.length} times`);
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
