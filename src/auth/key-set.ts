/** A JSON Web Key Set, judged before any of its keys is used. */

import { createLocalJWKSet, type CryptoKey, errors, type JWK } from 'jose';
import { PUBLIC_KEY_ALGORITHMS } from './algorithms.ts';
import type { KeyHint, TokenKeys } from './token-keys.ts';

/** Keys of one set; real ones publish fewer than ten. */
export const KEYS_MAX = 100;
/** Keys that are tried for one token: several fit when it names no id, or when an id is there twice. */
export const KEYS_TRIED_MAX = 4;

const KEY_TYPES: readonly unknown[] = ['RSA', 'EC', 'OKP'];
/** Parts of private and of shared keys: one that was published can be used by anybody. */
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
/** Base64url digits of the least modulus, 2,048 bits. */
const MODULUS_LENGTH_MIN = 342;
/** A key id as identity providers write them, plain base64 included. It is compared with those of the set only. */
const KEY_ID = /^[\w.~=+/:-]{1,128}$/;

/** The usable keys of a set. */
export interface KeySet {
  readonly size: number;
  /** Keys that were left out: private, weak, for encryption, or of another kind. */
  readonly refused: number;
  /** At most `KEYS_TRIED_MAX` keys of the right kind, with the id that the token names [AU-13]. */
  find(hint: KeyHint): Promise<readonly CryptoKey[]>;
}

/** Reads a set. Undefined when it is none, or holds no usable key. */
export function readKeySet(value: unknown): KeySet | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { keys } = value as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > KEYS_MAX) return undefined;
  const usable = keys.filter(isUsable);
  if (usable.length === 0) return undefined;
  const local = createLocalJWKSet({ keys: usable });
  return {
    size: usable.length,
    refused: keys.length - usable.length,
    async find({ alg, kid }) {
      const header = { alg, ...(kid === undefined ? {} : { kid }) };
      try {
        return [await local(header)];
      } catch (error) {
        return error instanceof errors.JWKSMultipleMatchingKeys ? firstOf(error) : [];
      }
    },
  };
}

async function firstOf(candidates: AsyncIterable<CryptoKey>): Promise<readonly CryptoKey[]> {
  const found: CryptoKey[] = [];
  for await (const key of candidates) {
    found.push(key);
    if (found.length === KEYS_TRIED_MAX) break;
  }
  return found;
}

function isUsable(value: unknown): value is JWK {
  if (typeof value !== 'object' || value === null) return false;
  const key = value as Record<string, unknown>;
  const { kty, kid, use, n } = key;
  const strong = kty !== 'RSA' || (typeof n === 'string' && n.length >= MODULUS_LENGTH_MIN);
  return (
    KEY_TYPES.includes(kty) &&
    strong &&
    (use === undefined || use === 'sig') &&
    (kid === undefined || (typeof kid === 'string' && KEY_ID.test(kid))) &&
    !PRIVATE_PARTS.some((name) => Object.hasOwn(key, name))
  );
}

/** What public keys have in common, wherever they come from. */
export const PUBLIC_KEYS = { algorithms: PUBLIC_KEY_ALGORITHMS, kid: KEY_ID } as const;

/** Public keys that stand in the configuration. Throws `RangeError` when none of them is usable. */
export function staticKeys(value: unknown): TokenKeys {
  const set = readKeySet(value);
  if (set === undefined || set.refused > 0) {
    throw new RangeError(
      'every key must be a public RSA (2,048 bits and more), EC or OKP key for signatures',
    );
  }
  return { ...PUBLIC_KEYS, generation: async () => 0, find: (hint) => set.find(hint) };
}
