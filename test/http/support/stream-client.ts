/** A client of the stream that keeps what it was told. */

import { WebSocket, type ClientOptions } from 'ws';
import { inTime } from './reached.ts';

/** A message of the server. */
export type Told = Record<string, unknown> & { readonly type: string };

/** How a connection ended. */
interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** One connection. */
export class StreamClient {
  readonly ws: WebSocket;
  readonly told: Told[] = [];
  readonly pings: number[] = [];
  readonly #closed: Promise<Closed>;
  readonly #listeners = new Set<() => void>();

  constructor(
    port: number,
    options: ClientOptions & { readonly path?: string; readonly protocols?: string[] } = {},
  ) {
    const { path = '/sync/stream', protocols = [], ...rest } = options;
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, rest);
    this.ws.on('message', (data) => {
      this.told.push(JSON.parse(String(data)) as Told);
      for (const listener of this.#listeners) listener();
    });
    this.ws.on('ping', () => {
      this.pings.push(this.told.length);
      for (const listener of this.#listeners) listener();
    });
    this.ws.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      this.ws.once('close', (code, reason) => {
        resolve({ code, reason: String(reason) });
        for (const listener of this.#listeners) listener();
      });
    });
  }

  /** Code and reason of the close; 1006 when the connection broke. */
  get closed(): Promise<Closed> {
    return inTime(this.#closed, () => `still open after ${JSON.stringify(this.told)}`);
  }

  /** Resolves when the handshake is answered with 101. */
  opened(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.ws.once('open', () => resolve(this));
      this.ws.once('error', reject);
    });
  }

  send(message: unknown): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first message of this type, now or later. */
  async heard(type: string): Promise<Told> {
    await this.until(() => this.told.some((one) => one.type === type));
    return this.told.find((one) => one.type === type) as Told;
  }

  /** Resolves once the condition holds after something arrived. */
  until(isReached: () => boolean): Promise<void> {
    const coming = new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const isOver = this.ws.readyState === WebSocket.CLOSED;
        if (!isReached() && !isOver) return;
        this.#listeners.delete(look);
        if (isReached()) resolve();
        else reject(new Error(`closed after ${JSON.stringify(this.told)}`));
      };
      this.#listeners.add(look);
      look();
    });
    return inTime(coming, () => `only came: ${JSON.stringify(this.told).slice(-1_000)}`);
  }
}
