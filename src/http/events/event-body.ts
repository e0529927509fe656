/** The body of an event stream: bytes that wait for a reader who takes them in blocks. */

import { BLOCK_BYTES } from '../http-limits.ts';

/** What the owner of a body hears of its reader. */
export interface BodyListener {
  /** Some bytes were taken. */
  taken(): void;
  /** The reader will take nothing any more. */
  gone(): void;
}

/**
 * Holds whole events only: whatever is dropped, the reader never sees a part of one. The stream itself
 * keeps nothing (its mark is 0), so what waits here is all that waits in front of the socket.
 */
export class EventBody {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #listener: BodyListener;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #wake: () => void = () => {};

  constructor(listener: BodyListener) {
    this.#listener = listener;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#give(controller),
        cancel: () => {
          this.#forget();
          listener.gone();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Bytes that nobody took yet. */
  get waiting_bytes(): number {
    return this.#bytes;
  }

  /** Adds a whole event. After the end nothing is added. */
  write(event: Uint8Array): void {
    if (this.#ended) return;
    this.#waiting.push(event);
    this.#bytes += event.length;
    this.#wake();
  }

  /** Drops the events that nobody took. */
  discard(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  /** Ends the body after what waits. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #give(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#bytes === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#bytes > 0) controller.enqueue(this.#nextBlock());
    if (this.#bytes === 0 && this.#ended) controller.close();
    this.#listener.taken();
  }

  /** Everything that was written since the last look, up to the size of a block: one write per block. */
  #nextBlock(): Uint8Array {
    let count = 0;
    let bytes = 0;
    while (count < this.#waiting.length && bytes < BLOCK_BYTES) {
      bytes += this.#waiting[count]?.length ?? 0;
      count += 1;
    }
    const parts = this.#waiting.splice(0, count);
    this.#bytes -= bytes;
    const [first] = parts;
    return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, bytes);
  }

  /** The reader is gone: a waiting `pull` is never answered, and nothing is kept for it. */
  #forget(): void {
    this.#ended = true;
    this.#wake = () => {};
    this.discard();
  }
}
