/**
 * A reference client whose requests are written down: what was answered to it, what it was given,
 * and which of its own rows it has seen. Now and then an answer is lost on its way back.
 */

import { SyncClient } from '../../../examples/minimal-client.mjs';
import type { ClientState } from '../../../examples/minimal-client.d.mts';
import type { Seeded } from './seeded.ts';
import type { WirePage, WireResult } from './wire.ts';

/** An answered edit. */
export interface AnsweredEdit {
  readonly mutation_id: string;
  readonly version: string | null;
  readonly resolution: string;
  /** Whether a backup was open, which a restore puts back later, when the answer came. */
  readonly at_risk: boolean;
}

/** A page that was delivered. */
export interface DeliveredPage {
  readonly since: string;
  readonly last_seq: string;
  readonly versions: readonly string[];
}

/** Where and how a recorded client works. */
export interface RecordedOptions {
  readonly url: string;
  readonly token: string;
  readonly scope_id: string;
  readonly client_id: string;
  readonly collections: readonly string[];
  readonly random: Seeded;
  /** Probability that an answer is lost. */
  readonly lossy: number;
}

/** The answer did not arrive. */
export class LostAnswer extends Error {}

/** A client and what is known about it. */
export class RecordedClient {
  readonly client: SyncClient;
  readonly scope_id: string;
  readonly client_id: string;
  /** Last answer of each edit. */
  readonly answered = new Map<string, AnsweredEdit>();
  /** Own edits that came back as rows, or that a repeat found in the last full resync. */
  readonly seen = new Set<string>();
  /** Edits that the server refused for good. */
  readonly refused: unknown[] = [];
  /** Reasons of stale answers, in order. */
  readonly stale: string[] = [];
  delivered: DeliveredPage[] = [];
  at_risk = false;
  lossy: number;
  saved: ClientState | undefined;
  readonly #random: Seeded;
  /** Head of the last full resync. */
  #low = '';

  constructor(options: RecordedOptions) {
    const { url, token, client_id, collections } = options;
    this.scope_id = options.scope_id;
    this.client_id = client_id;
    this.lossy = options.lossy;
    this.#random = options.random;
    this.client = new SyncClient({
      ...{ url, token, collections, clientId: client_id },
      fetch: (target, init) => this.#fetch(target, init),
      save: (state) => {
        this.saved = state;
      },
      onRejected: (_change, result) => this.refused.push(result),
    });
  }

  async #fetch(target: string, init: RequestInit): Promise<Response> {
    const response = await fetch(target, init);
    const body = await response.text();
    if (this.#random.chance(this.lossy)) throw new LostAnswer(target);
    const { pathname, searchParams } = new URL(target);
    if (response.status === 200) {
      if (pathname.endsWith('/push')) this.#notePush(JSON.parse(body).results);
      else if (pathname.endsWith('/pull')) {
        this.#notePull(String(searchParams.get('since')), JSON.parse(body));
      } else this.#noteFull(body);
    }
    return new Response(body, { status: response.status, headers: response.headers });
  }

  #notePush(results: readonly WireResult[]): void {
    for (const { mutation_id, new_version, resolution, status, duplicate } of results) {
      if (status === 'rejected') continue;
      this.#answer(mutation_id, new_version, String(resolution));
      if (duplicate && new_version !== null && new_version <= this.#low) this.seen.add(mutation_id);
    }
  }

  /** A row of its own tells the author the same as an answer that it may have missed. */
  #notePull(since: string, page: WirePage): void {
    if (page.changes === undefined) {
      this.stale.push(String(page.reason));
      return;
    }
    const versions = page.changes.map(({ version }) => version);
    this.delivered.push({ since, last_seq: page.last_seq, versions });
    for (const { client_id, mutation_id, version } of page.changes) {
      if (client_id !== this.client_id) continue;
      this.seen.add(mutation_id);
      const known = this.answered.get(mutation_id)?.version;
      if (known !== version) this.#answer(mutation_id, version, 'applied');
    }
  }

  #noteFull(body: string): void {
    const end = JSON.parse(body.trimEnd().split('\n').at(-1) as string) as FullEnd;
    if (end.cursor === null) this.#low = end.last_seq;
  }

  #answer(mutation_id: string, version: string | null, resolution: string): void {
    const { at_risk } = this;
    this.answered.set(mutation_id, { mutation_id, version, resolution, at_risk });
  }
}

interface FullEnd {
  readonly last_seq: string;
  readonly cursor: string | null;
}
