/** The event streams of one application, and the visits that every one of them needs. */

import type { Clock } from '../../core/ports/system.ts';
import { EVENT_VISIT_MS } from '../http-limits.ts';

/** A stream that is visited. */
export interface VisitedStream {
  /** Called about every `EVENT_VISIT_MS`, with the monotonic time. Must not throw. */
  visit(now: number): void;
}

/** Visits all streams from one timer. */
export class OpenStreams {
  readonly #clock: Clock;
  readonly #streams = new Set<VisitedStream>();
  #stop: AbortController | undefined;
  #visiting = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Visits the stream from now on. */
  add(stream: VisitedStream): void {
    this.#streams.add(stream);
    if (!this.#visiting) void this.#visitAll();
  }

  /** Leaves it alone. Without streams there is no timer. */
  remove(stream: VisitedStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#stop?.abort();
  }

  async #visitAll(): Promise<void> {
    this.#visiting = true;
    while (this.#streams.size > 0) {
      // One per round: a signal that lives on would keep a listener of every round.
      this.#stop = new AbortController();
      await this.#clock.sleep(EVENT_VISIT_MS, this.#stop.signal);
      const now = this.#clock.monotonic();
      for (const stream of [...this.#streams]) stream.visit(now);
    }
    this.#visiting = false;
  }
}
