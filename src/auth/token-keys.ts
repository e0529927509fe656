/** Where the keys come from that check signatures: a shared secret, or public keys. */

import type { CryptoKey } from 'jose';
import { HMAC_ALGORITHMS, type TokenAlgorithm } from './algorithms.ts';
import { secretBytes } from './secret.ts';

/** A key that checks signatures. */
export type VerificationKey = CryptoKey | Uint8Array;

/** What a token says about its key; compared, never followed. */
export interface KeyHint {
  readonly alg: string;
  readonly kid: string | undefined;
}

/** The keys of one deployment. */
export interface TokenKeys {
  /** Every algorithm that these keys could serve; what a deployment lists must be among them [AU-11]. */
  readonly algorithms: readonly TokenAlgorithm[];
  /** What a key id may look like. */
  readonly kid: RegExp;
  /**
   * A number that changes whenever a key came or went: what was verified under another one is
   * verified again. Throws 503 when there are no keys to go by.
   */
  generation(): Promise<number>;
  /** The few keys that can have signed the token. Throws 503 when that cannot be known now [AU-14]. */
  find(hint: KeyHint): Promise<readonly VerificationKey[]>;
}

/** One secret, whatever key id a token names. Throws `RangeError` for one under 32 bytes. */
export function secretKey(secret: string): TokenKeys {
  const keys = [secretBytes(secret)];
  return {
    algorithms: HMAC_ALGORITHMS,
    kid: /^[\w.~=-]{1,128}$/,
    generation: async () => 0,
    find: async () => keys,
  };
}
