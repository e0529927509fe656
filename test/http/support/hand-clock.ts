/** A clock that stands still until a test moves it; who sleeps is woken by that. */

import type { Clock } from '../../../src/core/ports/system.ts';

/** Where the clocks of these tests start. */
export const FAKE_NOW_MS = Date.UTC(2026, 4, 2, 12);

/** Time in the hands of a test. */
export class HandClock implements Clock {
  #passed = 0;
  readonly #sleeping = new Set<{ due: number; wake: () => void }>();

  now(): number {
    return FAKE_NOW_MS + this.#passed;
  }

  monotonic(): number {
    return this.#passed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = {
        due: this.#passed + ms,
        wake: () => {
          this.#sleeping.delete(sleeper);
          resolve();
        },
      };
      this.#sleeping.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** Who waits for time to pass. */
  get sleepers(): number {
    return this.#sleeping.size;
  }

  /** Lets time pass second by second, and whoever wakes up run. */
  async pass(ms: number): Promise<void> {
    const end = this.#passed + ms;
    while (this.#passed < end) {
      this.#passed = Math.min(end, this.#passed + 1_000);
      for (const sleeper of [...this.#sleeping]) if (sleeper.due <= this.#passed) sleeper.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
