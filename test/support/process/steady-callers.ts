/**
 * Callers that never give up: each keeps one push in flight and sends it again, with the same
 * mutation ids, until it is answered, whatever happens to the server meanwhile.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Seeded } from './seeded.ts';
import { HttpFailure, push, type WireAnswer, type WireChange } from './wire.ts';

/** Before a push that failed is sent again, ms. */
const AGAIN_MS = 25;

/** Where the server is now. */
export interface Target {
  url: string;
}

/** What callers do. */
export interface SteadyOptions {
  readonly target: Target;
  readonly callers: readonly { readonly token: string; readonly scope_id: string }[];
  readonly random: Seeded;
}

/** An acknowledged mutation with its scope and version. */
export interface Answered {
  readonly mutation_id: string;
  readonly scope_id: string;
  readonly version: string;
  readonly duplicate: boolean;
}

/** The callers of one test. */
export class SteadyCallers {
  /** Every answered mutation, in the order of the answers. */
  readonly answered: Answered[] = [];
  /** Pushes that had to be sent more than once. */
  repeated = 0;
  readonly #options: SteadyOptions;
  readonly #running: Promise<void>[];
  #waiting: { reached: () => boolean; resolve: () => void }[] = [];
  #over = false;
  #abandoned = false;

  constructor(options: SteadyOptions) {
    this.#options = options;
    this.#running = options.callers.map((_, at) => this.#run(at));
  }

  /** Resolves when `count` more mutations were answered. */
  answers(count: number): Promise<void> {
    const goal = this.answered.length + count;
    return this.#until(() => this.answered.length >= goal);
  }

  /** Resolves when a mutation of each scope was answered from now on. */
  answersEverywhere(): Promise<void> {
    const from = this.answered.length;
    const scopes = new Set(this.#options.callers.map(({ scope_id }) => scope_id));
    return this.#until(() => {
      const since = this.answered.slice(from);
      return [...scopes].every((scope_id) => since.some((one) => one.scope_id === scope_id));
    });
  }

  /** Ends the callers whatever was answered: for a test that has failed. */
  abandon(): void {
    this.#over = true;
    this.#abandoned = true;
  }

  /** No new pushes; resolves when each last one was answered. */
  async finish(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#running);
  }

  async #run(at: number): Promise<void> {
    const { random, callers } = this.#options;
    const { scope_id } = callers[at] as SteadyOptions['callers'][number];
    while (!this.#over) {
      const changes = Array.from({ length: random.int(1, 3) }, () => newDocument(random, scope_id));
      const answer = await this.#pushUntilAnswered(at, changes);
      if (answer === undefined) return;
      const { results } = answer;
      for (const { mutation_id, new_version, duplicate = false } of results) {
        if (new_version === null) throw new Error(`refused: ${JSON.stringify(results)}`);
        this.answered.push({ mutation_id, scope_id, version: new_version, duplicate });
      }
      this.#wake();
    }
  }

  /** Undefined when the callers were abandoned. */
  async #pushUntilAnswered(
    at: number,
    changes: readonly WireChange[],
  ): Promise<WireAnswer | undefined> {
    const { target, callers } = this.#options;
    const { token } = callers[at] as SteadyOptions['callers'][number];
    for (let tries = 1; ; tries += 1) {
      try {
        return await push({ url: target.url, token, client_id: `steady-${at}` }, changes);
      } catch (error) {
        if (error instanceof HttpFailure && error.status < 500) throw error;
        if (this.#abandoned) return undefined;
        if (tries === 1) this.repeated += 1;
        await pause(AGAIN_MS);
      }
    }
  }

  #until(reached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ reached, resolve });
    });
  }

  #wake(): void {
    const due = this.#waiting.filter(({ reached }) => reached());
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const { resolve } of due) resolve();
  }
}

function newDocument(random: Seeded, scope_id: string): WireChange {
  const data = { scope: scope_id, n: random.int(0, 1_000), text: random.uuid() };
  const [doc_id, mutation_id] = [random.uuid(), random.uuid()];
  const collection = random.pick(['tasks', 'notes']);
  return { collection, operation: 'upsert', doc_id, data, parent_version: null, mutation_id };
}
