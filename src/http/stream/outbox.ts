/**
 * What is written to one reader and not taken yet. It never holds more than its bound, or one frame
 * alone when that is larger: a frame that does not fit waits outside, and it is shared with others.
 */

import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';

/** Frames on their way into a socket. */
export class Outbox {
  readonly #ws: Pick<WebSocket, 'readyState'>;
  readonly #socket: Duplex;
  readonly #bytesMax: number;
  readonly #onSpace: () => void;
  /** Frames that did not fit; the first one was refused for its size, the rest came after it. */
  #waiting: Buffer[] = [];
  /** Somebody was told that there is no space. */
  #full = false;
  #asked = false;
  #closed = false;

  /** `onSpace` runs when there is space again after `hasSpace` was false. */
  constructor(
    of: { readonly ws: Pick<WebSocket, 'readyState'>; readonly socket: Duplex },
    bytesMax: number,
    onSpace: () => void,
  ) {
    const { ws, socket } = of;
    this.#ws = ws;
    this.#socket = socket;
    this.#bytesMax = bytesMax;
    this.#onSpace = onSpace;
    socket.on('drain', () => this.#flush());
  }

  get bytes(): number {
    const waiting = this.#waiting.reduce((sum, frame) => sum + frame.length, 0);
    return this.#socket.writableLength + waiting;
  }

  /** Whether frames wait outside of the socket. */
  get isHolding(): boolean {
    return this.#waiting.length > 0;
  }

  /** False once nothing more should be written before `onSpace`. */
  get hasSpace(): boolean {
    if (!this.#isOpen) return false;
    const has = this.#waiting.length === 0 && this.#socket.writableLength < this.#bytesMax;
    if (!has) this.#full = true;
    return has;
  }

  /** What is written until `uncork` goes to the kernel in one call. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
    if (this.#full && this.#isOpen) this.#askForDrain();
  }

  /** Writes a frame after those that wait. */
  write(frame: Buffer): void {
    if (!this.#isOpen) return;
    if (this.#waiting.length === 0 && this.#fits(frame)) {
      this.#socket.write(frame);
      return;
    }
    this.#waiting.push(frame);
    this.#full = true;
    this.#askForDrain();
  }

  /** Writes a short last word, whether there is space or not, before what waits and instead of it. */
  writeLast(frame: Buffer): void {
    if (!this.#isOpen) return;
    this.clear();
    this.#socket.write(frame);
  }

  /** Forgets what waits; what is in the socket goes on. */
  clear(): void {
    this.#waiting = [];
  }

  /** After this nothing is written. */
  close(): void {
    this.#closed = true;
    this.clear();
  }

  /** After a close frame, also one that ws answered by itself, nothing may be written. */
  get #isOpen(): boolean {
    return !this.#closed && this.#ws.readyState === WebSocket.OPEN;
  }

  #fits(frame: Buffer): boolean {
    const written = this.#socket.writableLength;
    return written === 0 || written + frame.length <= this.#bytesMax;
  }

  #flush(): void {
    if (!this.#isOpen) return;
    let next = this.#waiting[0];
    while (next !== undefined && this.#fits(next)) {
      this.#socket.write(next);
      this.#waiting.shift();
      next = this.#waiting[0];
    }
    if (next !== undefined) {
      this.#askForDrain();
      return;
    }
    if (this.#full && this.#socket.writableLength < this.#bytesMax) {
      this.#full = false;
      this.#onSpace();
    }
  }

  /** Below its high-water mark a socket tells of no drain: the end of an empty write does instead. */
  #askForDrain(): void {
    if (this.#socket.writableNeedDrain || this.#asked) return;
    this.#asked = true;
    this.#socket.write(EMPTY, () => {
      this.#asked = false;
      this.#flush();
    });
  }
}

const EMPTY = Buffer.alloc(0);
