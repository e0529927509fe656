/** Access by JSON Web Token, signed with a shared secret or by an identity provider. */

import { compactVerify } from 'jose';
import type { Access, Action, Identity } from '../core/ports/access.ts';
import type { Clock } from '../core/ports/system.ts';
import type { TokenAlgorithm } from './algorithms.ts';
import {
  CLOCK_TOLERANCE_SECONDS,
  type ClaimNames,
  type TokenTimes,
  type WantedParties,
  checkHeader,
  checkParties,
  checkTimes,
  readIdentity,
  readTimes,
} from './claims.ts';
import { TokenCache } from './token-cache.ts';
import { type KeyHint, secretKey, type TokenKeys } from './token-keys.ts';
import { authFailure, bearerToken, isCanonical, parsePart, splitToken } from './token-text.ts';

/** Whether an identity may touch a collection. */
export type Authorize = (identity: Identity, collection: string, action: Action) => boolean;

/** How tokens are checked. */
export interface JwtAccessOptions {
  /** At least 32 bytes of UTF-8. Either this or `keys`. */
  readonly secret?: string | undefined;
  /** Public keys. */
  readonly keys?: TokenKeys | undefined;
  /** The algorithms that a token may use; its own header is only compared with them. */
  readonly algorithms: readonly TokenAlgorithm[];
  readonly issuer?: string | undefined;
  readonly audience?: string | readonly string[] | undefined;
  /** Claim with the actor; `sub` by default. */
  readonly actor_id_field?: string | undefined;
  /** Claim with the scope or a list of scopes; the actor's claim by default. */
  readonly scope_id_field?: string | undefined;
  readonly clock: Pick<Clock, 'now'>;
  /** Everything that is configured is permitted when this is absent. */
  readonly authorize?: Authorize | undefined;
}

interface VerifiedToken {
  readonly identity: Identity;
  readonly times: TokenTimes;
  /** That of the keys that verified it. */
  readonly generation: number;
}

/** Verified tokens that are remembered. */
const VERIFIED_TOKENS_MAX = 1_000;

/**
 * Access by token. Throws `RangeError` for a secret under 32 bytes, for a secret beside public keys,
 * and for algorithms that do not fit the keys: a public key used as a secret would let anybody sign
 * [AU-11].
 */
export function createJwtAccess(options: JwtAccessOptions): Access {
  const { clock, authorize = () => true } = options;
  const keys = chooseKeys(options);
  const verify = createVerifier(options, keys);
  const verified = new TokenCache<VerifiedToken>(VERIFIED_TOKENS_MAX);
  return {
    authorize,
    async authenticate(authorization) {
      const token = bearerToken(authorization);
      const known = verified.get(token);
      if (known === undefined || known.generation !== (await keys.generation())) {
        const fresh = await verify(token);
        verified.set(token, fresh);
        return fresh.identity;
      }
      checkTimes(known.times, clock.now() / 1000);
      return known.identity;
    },
  };
}

function chooseKeys({ secret, keys, algorithms }: JwtAccessOptions): TokenKeys {
  if ((secret === undefined) === (keys === undefined)) {
    throw new RangeError('either a secret or public keys must be given');
  }
  const chosen = keys ?? secretKey(secret as string);
  if (algorithms.length === 0) throw new RangeError('at least one algorithm must be given');
  const strange = algorithms.find((name) => !chosen.algorithms.includes(name));
  if (strange !== undefined) {
    throw new RangeError(`the algorithm ${strange} does not fit the kind of key`);
  }
  return chosen;
}

/** Checks a token that was not seen before: header, signature, times, parties, identity [AU-3]. */
function createVerifier(
  options: JwtAccessOptions,
  keys: TokenKeys,
): (token: string) => Promise<VerifiedToken> {
  const { algorithms, clock } = options;
  const names = claimNames(options);
  const parties = wantedParties(options);
  return async (token) => {
    const { header, payload, signature } = splitToken(token);
    const hint = checkHeader(parsePart(header), { algorithms, kid: keys.kid });
    if (!isCanonical(signature)) throw authFailure('token_invalid');
    // Asked for first: keys that change meanwhile only cost a second verification.
    const generation = await keys.generation();
    await checkSignature(token, hint, keys);
    const claims = parsePart(payload);
    const times = readTimes(claims);
    checkTimes(times, clock.now() / 1000);
    checkParties(claims, parties);
    const expires_ms = (times.exp + CLOCK_TOLERANCE_SECONDS) * 1_000;
    return { identity: { ...readIdentity(claims, names), expires_ms }, times, generation };
  };
}

async function checkSignature(token: string, hint: KeyHint, keys: TokenKeys): Promise<void> {
  for (const key of await keys.find(hint)) {
    const good = await compactVerify(token, key, { algorithms: [hint.alg] }).then(
      () => true,
      () => false,
    );
    if (good) return;
  }
  throw authFailure('token_invalid');
}

function claimNames({ actor_id_field = 'sub', scope_id_field }: JwtAccessOptions): ClaimNames {
  return { actor_id_field, scope_id_field: scope_id_field ?? actor_id_field };
}

function wantedParties({ issuer, audience }: JwtAccessOptions): WantedParties {
  return { issuer, audience: typeof audience === 'string' ? [audience] : audience };
}
