/** How fast a client may send: a bucket of messages that fills again. */

import { STREAM_MESSAGES_BURST, STREAM_MESSAGES_PER_SECOND } from '../../protocol/pure/limits.ts';

/** Counts the messages of one connection, control frames included. */
export class MessageRate {
  #left = STREAM_MESSAGES_BURST;
  #at: number;

  /** `now` is monotonic, ms. */
  constructor(now: number) {
    this.#at = now;
  }

  /** False when there are too many. */
  take(now: number): boolean {
    const filled = this.#left + ((now - this.#at) / 1_000) * STREAM_MESSAGES_PER_SECOND;
    this.#left = Math.min(STREAM_MESSAGES_BURST, filled) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}
