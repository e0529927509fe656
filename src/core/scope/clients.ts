/** Remembers which clients push, outside the push transaction and at most once a minute each. */

import { CLIENT_SEEN_ENTRIES_MAX, CLIENT_SEEN_EVERY_MS } from '../../protocol/pure/limits.ts';
import type { Upkeep } from '../ports/store.ts';
import type { Clock } from '../ports/system.ts';

/** A client that pushed. */
export interface SeenClient {
  readonly scope_id: string;
  readonly client_id: string;
  readonly actor_id: string;
}

/** Bounded memory of the last sighting per client. */
export class SeenClients {
  readonly #store: Pick<Upkeep, 'recordClient'>;
  readonly #clock: Clock;
  readonly #seen = new Map<string, number>();

  constructor(store: Pick<Upkeep, 'recordClient'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Records the client unless that happened less than a minute ago. A failure only costs the record. */
  seen(client: SeenClient): void {
    const key = `${client.scope_id}\u0000${client.client_id}`;
    const now = this.#clock.monotonic();
    const last = this.#seen.get(key);
    if (last !== undefined && now - last < CLIENT_SEEN_EVERY_MS) return;
    this.#seen.delete(key);
    this.#seen.set(key, now);
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size > CLIENT_SEEN_ENTRIES_MAX && oldest !== undefined) {
      this.#seen.delete(oldest);
    }
    this.#store.recordClient(client).catch(() => this.#seen.delete(key));
  }
}
