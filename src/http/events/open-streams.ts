/** The event streams of one application: places per actor, and the visits that every stream needs. */

import type { Clock } from '../../core/ports/system.ts';
import { SyncError } from '../../protocol/errors.ts';
import { EVENT_STREAMS_PER_ACTOR_MAX, EVENT_VISIT_MS } from '../http-limits.ts';

/** A stream that is visited. */
export interface VisitedStream {
  /** Called about every `EVENT_VISIT_MS`, with the monotonic time. Must not throw. */
  visit(now: number): void;
}

/** Counts streams per actor and visits all of them from one timer. */
export class OpenStreams {
  readonly #clock: Clock;
  readonly #streams = new Set<VisitedStream>();
  readonly #places = new Map<string, number>();
  #stop: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a place of an actor; gives the function that frees it. Throws 429 when all are taken. */
  takePlace(actor_id: string): () => void {
    const taken = this.#places.get(actor_id) ?? 0;
    if (taken >= EVENT_STREAMS_PER_ACTOR_MAX) {
      throw new SyncError('rate_limited', { details: { reason: 'too_many_connections' } });
    }
    this.#places.set(actor_id, taken + 1);
    let free = false;
    return () => {
      if (free) return;
      free = true;
      const left = (this.#places.get(actor_id) ?? 1) - 1;
      if (left === 0) this.#places.delete(actor_id);
      else this.#places.set(actor_id, left);
    };
  }

  /** Visits the stream from now on. */
  add(stream: VisitedStream): void {
    this.#streams.add(stream);
    if (this.#streams.size === 1) void this.#visitAll();
  }

  /** Leaves it alone. Without streams there is no timer. */
  remove(stream: VisitedStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#stop?.abort();
  }

  async #visitAll(): Promise<void> {
    for (;;) {
      // One per round: a signal that lives on would keep a listener of every round.
      const stop = new AbortController();
      this.#stop = stop;
      await this.#clock.sleep(EVENT_VISIT_MS, stop.signal);
      if (stop.signal.aborted) return;
      const now = this.#clock.monotonic();
      for (const stream of [...this.#streams]) stream.visit(now);
    }
  }
}
