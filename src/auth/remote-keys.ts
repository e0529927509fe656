/**
 * Public keys of a key server. They are kept: a token costs no request, an outage stops nobody whose
 * key is known, and no number of junk tokens turns into a number of requests [AU-12][AU-14].
 */

import type { Clock } from '../core/ports/system.ts';
import { SyncError } from '../protocol/errors.ts';
import { fetchKeySet, type KeyServerFault } from './fetch-key-set.ts';
import { type KeySet, PUBLIC_KEYS } from './key-set.ts';
import type { TokenKeys } from './token-keys.ts';

/** Age from which keys are fetched again in the background: a revoked key ends within this time. */
export const KEYS_FRESH_MS = 300_000;
/** Age up to which keys serve while their server cannot be reached. */
export const KEYS_USABLE_MS = 3_600_000;
/** Least time from a good answer to the next request for the sake of an unknown key id. */
export const KEYS_COOLDOWN_MS = 30_000;
/** Least time from a failed request to the next. */
export const KEYS_RETRY_MS = 10_000;
/** How long a request may take. */
const TIMEOUT_MS = 5_000;

/** What became of a request to the key server. */
export type KeyServerFact =
  | { readonly kind: 'changed'; readonly keys: number; readonly refused: number }
  | { readonly kind: 'failed'; readonly reason: KeyServerFault };

/** How a key server is asked. */
export interface RemoteKeysOptions {
  /** https, or http on loopback; without user and password. */
  readonly url: string;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timeout_ms?: number;
  /** Told after each failure, and after each answer with other keys than before. */
  report?(fact: KeyServerFact): void;
}

/** The keys of one key server, as this process knows them. */
export class RemoteKeys implements TokenKeys {
  readonly algorithms = PUBLIC_KEYS.algorithms;
  readonly kid = PUBLIC_KEYS.kid;
  readonly #options: RemoteKeysOptions;
  #set: KeySet | undefined;
  #text = '';
  #generation = 0;
  /** When the request began that brought these keys, and when the last one began. */
  #loaded_at = Number.NEGATIVE_INFINITY;
  #asked_at = Number.NEGATIVE_INFINITY;
  #failed = false;
  #running: Promise<void> | undefined;

  /** Asks nobody yet. Throws `RangeError` for an address that is not allowed. */
  constructor(options: RemoteKeysOptions) {
    if (!isAllowed(options.url)) {
      throw new RangeError(
        'the address of a key server must be https, or http on loopback, without user and password',
      );
    }
    this.#options = options;
  }

  async generation(): Promise<number> {
    await this.#known();
    return this.#generation;
  }

  async find(hint: Parameters<TokenKeys['find']>[0]) {
    const set = await this.#known();
    const found = await set.find(hint);
    if (found.length > 0) return found;
    await this.#ask();
    const again = await (this.#set ?? set).find(hint);
    // While the server is away nobody knows whether the key exists: the token may be good.
    if (again.length === 0 && this.#failed) throw unavailable();
    return again;
  }

  /** The keys to go by: fresh ones, or older ones while they are being fetched again. */
  async #known(): Promise<KeySet> {
    const age = this.#now() - this.#loaded_at;
    if (age >= KEYS_USABLE_MS) await this.#ask();
    else if (age >= KEYS_FRESH_MS) void this.#ask();
    const usable = this.#now() - this.#loaded_at < KEYS_USABLE_MS;
    if (!usable || this.#set === undefined) throw unavailable();
    return this.#set;
  }

  /** Joins the request that runs, or begins one unless the last was just now. Never throws. */
  #ask(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    const pause = this.#failed ? KEYS_RETRY_MS : KEYS_COOLDOWN_MS;
    if (this.#now() - this.#asked_at < pause) return Promise.resolve();
    const end = (): void => {
      this.#running = undefined;
    };
    // Whoever is told may throw, and nobody waits for a request in the background.
    this.#running = this.#load().then(end, end);
    return this.#running;
  }

  async #load(): Promise<void> {
    const { url, timeout_ms = TIMEOUT_MS, report = () => {} } = this.#options;
    const began = this.#now();
    this.#asked_at = began;
    const answer = await fetchKeySet(url, timeout_ms);
    this.#failed = typeof answer === 'string';
    if (typeof answer === 'string') {
      report({ kind: 'failed', reason: answer });
      return;
    }
    this.#loaded_at = began;
    if (answer.text === this.#text) return;
    this.#text = answer.text;
    this.#set = answer.set;
    this.#generation += 1;
    report({ kind: 'changed', keys: answer.set.size, refused: answer.set.refused });
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

function unavailable(): SyncError {
  return new SyncError('service_unavailable', {
    details: { reason: 'keys_unavailable' },
    retryAfterSeconds: KEYS_RETRY_MS / 1_000,
  });
}

function isAllowed(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, password } = new URL(address);
  const loopback = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(hostname);
  const scheme = protocol === 'https:' || (protocol === 'http:' && loopback);
  return scheme && username === '' && password === '';
}
