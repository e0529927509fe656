/** Pushes that keep a scope busy: bundles of random size, new documents, edits and deletes. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Acknowledged } from './history-oracle.ts';
import type { Seeded } from './seeded.ts';
import { HttpFailure, push, type WireAnswer, type WireChange } from './wire.ts';

/** Before a push that failed is sent again, ms. */
const AGAIN_MS = 50;
/** How many documents a writer has at most; then it edits and deletes only. */
const DOCUMENTS_MAX = 400;

/** What a writer works with. */
export interface TrafficOptions {
  readonly token: string;
  readonly client_id: string;
  readonly random: Seeded;
  /** The server of the next push. */
  target(): string;
  /** Most rows of a bundle. */
  readonly rows: number;
  /** Between two pushes at most, ms. */
  readonly idle_ms: number;
  /** Other ids and other content than random ones. */
  newId?(): string;
  newData?(): Record<string, unknown>;
}

/** One writer. */
export class LiveTraffic {
  /** Every answered change that made a row. */
  readonly acknowledged: Acknowledged[] = [];
  pushes = 0;
  /** Pushes that had to be sent again. */
  repeated = 0;
  readonly #options: TrafficOptions;
  /** Versions by document. */
  readonly #documents = new Map<string, string>();
  #over = false;
  #running: Promise<void> | undefined;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  /** Pushes until `stop`. */
  start(): void {
    const { random, idle_ms } = this.#options;
    this.#running = (async () => {
      while (!this.#over) {
        await this.pushOnce();
        await pause(random.int(0, idle_ms));
      }
    })();
    // `stop` tells of it.
    this.#running.catch(() => {});
  }

  /** Resolves when the last push was answered. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  /** One bundle, sent until it is answered. */
  async pushOnce(rows = this.#options.random.int(1, this.#options.rows)): Promise<void> {
    const changes = this.#draw(rows);
    const answer = await this.#untilAnswered(changes);
    this.pushes += 1;
    for (const [at, { mutation_id, new_version: version }] of answer.results.entries()) {
      if (version === null) throw new Error(`refused: ${JSON.stringify(answer.results[at])}`);
      this.acknowledged.push({ mutation_id, version });
      const { collection, doc_id, operation } = changes[at] as WireChange;
      const key = `${collection}/${doc_id}`;
      if (operation === 'delete') this.#documents.delete(key);
      else this.#documents.set(key, version);
    }
  }

  async #untilAnswered(changes: readonly WireChange[]): Promise<WireAnswer> {
    const { token, client_id, target } = this.#options;
    for (let tries = 1; ; tries += 1) {
      try {
        return await push({ url: target(), token, client_id }, changes);
      } catch (error) {
        if (error instanceof HttpFailure && error.status < 500) throw error;
        if (tries === 1) this.repeated += 1;
        if (tries > 600) throw error;
        await pause(AGAIN_MS);
      }
    }
  }

  /** Each document once per bundle, with the version that this writer knows as its parent. */
  #draw(rows: number): WireChange[] {
    const { random, newId = random.uuid } = this.#options;
    const known = [...this.#documents.keys()];
    const taken = new Set<string>();
    return Array.from({ length: rows }, () => {
      const full = known.length >= DOCUMENTS_MAX;
      const old = known.length > 0 && (full || random.chance(0.4)) ? random.pick(known) : undefined;
      const isNew = old === undefined || taken.has(old);
      const key = isNew ? `${random.pick(['tasks', 'notes'])}/${newId()}` : old;
      taken.add(key);
      const [collection, doc_id] = key.split('/') as [string, string];
      const mutation_id = random.uuid();
      const parent_version = this.#documents.get(key) ?? null;
      const base = { collection, doc_id, parent_version, mutation_id };
      if (!isNew && random.chance(0.35)) return { ...base, operation: 'delete', data: null };
      return { ...base, operation: 'upsert', data: this.#newData() };
    });
  }

  #newData(): Record<string, unknown> {
    const { random, newData } = this.#options;
    return newData?.() ?? { n: random.int(0, 1_000_000), text: 'x'.repeat(random.int(0, 200)) };
  }
}
