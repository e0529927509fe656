/**
 * Whether there is a database to wait for. The driver waits for one that is gone as long as for one that
 * comes back, which is right while there is work and wrong when the store closes [ST-9].
 */

import type { MongoClient, TopologyDescriptionChangedEvent } from 'mongodb';
import type { Clock } from '../../core/ports/system.ts';

/** How long a lost primary may be away: a cut connection is replaced within this time, ms. */
const GRACE_MS = 600;
/** How often it is looked at, ms. */
const TICK_MS = 25;

/** Follows what the driver's monitor knows of the primary. */
export class PrimaryWatch {
  readonly #client: MongoClient;
  readonly #clock: Clock;
  /** When the primary was lost; undefined while there is one. */
  #lost_at: number | undefined;
  readonly #hear = ({ newDescription }: TopologyDescriptionChangedEvent): void => {
    const found = [...newDescription.servers.values()].some(({ isWritable }) => isWritable);
    if (found) this.#lost_at = undefined;
    else this.#lost_at ??= this.#clock.monotonic();
  };

  /** Over a client that has just spoken with its primary. */
  constructor(client: MongoClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    client.on('topologyDescriptionChanged', this.#hear);
  }

  /** Waits for work that no longer matters once the primary is lost for longer than a moment. */
  async unlessLost(work: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    try {
      await Promise.race([work, this.#untilLost(over.signal)]);
    } finally {
      over.abort();
    }
  }

  async #untilLost(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const away = this.#lost_at === undefined ? 0 : this.#clock.monotonic() - this.#lost_at;
      if (away >= GRACE_MS) return;
      await this.#clock.sleep(TICK_MS, signal);
    }
  }

  /** The client may be the application's, which goes on with it. */
  end(): void {
    this.#client.off('topologyDescriptionChanged', this.#hear);
  }
}
