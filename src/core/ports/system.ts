/** What the engine needs of the machine, handed in so that a simulation can replace it. */

import type { Digest } from '../../protocol/pure/hash.ts';

/** Time and waiting. */
export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic clock, ms since an arbitrary start. */
  monotonic(): number;
  /** Resolves early when the signal aborts; it never rejects. 0 = once everything that is due had its turn. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Randomness and digests. */
export interface Crypto {
  /** `length` random characters `[0-9a-z]`. */
  randomBase36(length: number): string;
  /** `bytes` random bytes as hex. */
  randomHex(bytes: number): string;
  readonly sha256: Digest;
  /** HMAC-SHA-256 of `text` under a hex key, base64url without padding. */
  hmac(keyHex: string, text: string): string;
}

/** The machine as the engine sees it. */
export interface System {
  readonly clock: Clock;
  readonly crypto: Crypto;
}
