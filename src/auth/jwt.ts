/** Access by JSON Web Token, signed with a shared secret. */

import { compactVerify } from 'jose';
import type { Access, Action, Identity } from '../core/ports/access.ts';
import type { Clock } from '../core/ports/system.ts';
import {
  type ClaimNames,
  type TokenTimes,
  type WantedParties,
  checkHeader,
  checkParties,
  checkTimes,
  readIdentity,
  readTimes,
} from './claims.ts';
import { secretBytes } from './secret.ts';
import { TokenCache } from './token-cache.ts';
import { authFailure, bearerToken, isCanonical, parsePart, splitToken } from './token-text.ts';

/** Signature algorithms of a shared secret. */
export type HmacAlgorithm = 'HS256' | 'HS384' | 'HS512';

/** Whether an identity may touch a collection. */
export type Authorize = (identity: Identity, collection: string, action: Action) => boolean;

/** How tokens are checked. */
export interface JwtAccessOptions {
  /** At least 32 bytes of UTF-8. */
  readonly secret: string;
  /** The algorithms that a token may use; its own header is only compared with them. */
  readonly algorithms: readonly HmacAlgorithm[];
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
}

/** Verified tokens that are remembered. */
const VERIFIED_TOKENS_MAX = 1_000;

/** Access by token. Throws `RangeError` for a secret under 32 bytes or an empty algorithm list. */
export function createJwtAccess(options: JwtAccessOptions): Access {
  const { clock, algorithms, authorize = () => true } = options;
  if (algorithms.length === 0) throw new RangeError('at least one algorithm must be given');
  const verify = createVerifier(options);
  const verified = new TokenCache<VerifiedToken>(VERIFIED_TOKENS_MAX);
  return {
    authorize,
    async authenticate(authorization) {
      const token = bearerToken(authorization);
      const known = verified.get(token);
      if (known === undefined) {
        const fresh = await verify(token);
        verified.set(token, fresh);
        return fresh.identity;
      }
      checkTimes(known.times, clock.now() / 1000);
      return known.identity;
    },
  };
}

/** Checks a token that was not seen before: header, signature, times, parties, identity [AU-3]. */
function createVerifier(options: JwtAccessOptions): (token: string) => Promise<VerifiedToken> {
  const { algorithms, clock } = options;
  const key = secretBytes(options.secret);
  const names = claimNames(options);
  const parties = wantedParties(options);
  return async (token) => {
    const { header, payload, signature } = splitToken(token);
    checkHeader(parsePart(header), algorithms);
    if (!isCanonical(signature)) throw authFailure('token_invalid');
    await compactVerify(token, key, { algorithms: [...algorithms] }).catch(() => {
      throw authFailure('token_invalid');
    });
    const claims = parsePart(payload);
    const times = readTimes(claims);
    checkTimes(times, clock.now() / 1000);
    checkParties(claims, parties);
    return { identity: readIdentity(claims, names), times };
  };
}

function claimNames({ actor_id_field = 'sub', scope_id_field }: JwtAccessOptions): ClaimNames {
  return { actor_id_field, scope_id_field: scope_id_field ?? actor_id_field };
}

function wantedParties({ issuer, audience }: JwtAccessOptions): WantedParties {
  return { issuer, audience: typeof audience === 'string' ? [audience] : audience };
}
