/** What a server says about the readers of a scope, looked at again and again. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Transport } from './live-link.ts';

/** A reader as the server sees it. */
export interface SeenSubscriber {
  readonly transport: Transport;
  readonly client_id: string | null;
  readonly state: string;
  readonly buffered_bytes: number;
  readonly stalled_ms: number;
  readonly sent: number;
}

/** The readers of the token's scope in one process. */
export async function listSubscribers(url: string, token: string): Promise<SeenSubscriber[]> {
  const response = await fetch(`${url}/sync/subscribers`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  if (response.status !== 200) throw new Error(`subscribers: status ${response.status}`);
  return ((await response.json()) as { subscribers: SeenSubscriber[] }).subscribers;
}

/** Resolves with the list once it is as wanted; throws with the last one after the time, ms. */
export async function subscribersUntil(
  of: { readonly url: string; readonly token: string },
  isWanted: (list: readonly SeenSubscriber[]) => boolean,
  limit_ms: number,
): Promise<SeenSubscriber[]> {
  const until = performance.now() + limit_ms;
  for (;;) {
    const list = await listSubscribers(of.url, of.token);
    if (isWanted(list)) return list;
    if (performance.now() > until) {
      throw new Error(
        `after ${limit_ms} ms: ${JSON.stringify(list.slice(0, 5))} of ${list.length}`,
      );
    }
    await pause(100);
  }
}

/** The most that was seen of what waits for readers. */
export class BufferWatch {
  most_bytes = 0;
  most_total_bytes = 0;
  samples = 0;
  readonly #running: Promise<void>;
  #over = false;

  constructor(of: { readonly url: string; readonly token: string }, every_ms: number) {
    this.#running = (async () => {
      while (!this.#over) {
        const list = await listSubscribers(of.url, of.token);
        const bytes = list.map(({ buffered_bytes }) => buffered_bytes);
        this.most_bytes = Math.max(this.most_bytes, ...bytes);
        this.most_total_bytes = Math.max(
          this.most_total_bytes,
          bytes.reduce((sum, one) => sum + one, 0),
        );
        this.samples += 1;
        await pause(every_ms);
      }
    })();
    this.#running.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }
}
