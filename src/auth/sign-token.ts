/** Makes tokens that `createJwtAccess` accepts: for development, tests and operators. */

import { SignJWT } from 'jose';
import type { Clock } from '../core/ports/system.ts';
import type { HmacAlgorithm } from './algorithms.ts';
import { TOKEN_LIFE_SECONDS_MAX } from './claims.ts';
import { secretBytes } from './secret.ts';

/** What goes into a token. `iat` and `exp` are set here and win over the claims given. */
export interface TokenOptions {
  readonly secret: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** 1 to 86,400: the server refuses longer lives. */
  readonly ttl_seconds: number;
  /** HS256 by default. */
  readonly algorithm?: HmacAlgorithm | undefined;
  readonly clock: Pick<Clock, 'now'>;
}

/** Signs a token. Throws `RangeError` for a life or a secret that the server would refuse. */
export function signToken(options: TokenOptions): Promise<string> {
  const { secret, claims, ttl_seconds, algorithm = 'HS256', clock } = options;
  if (!(ttl_seconds >= 1 && ttl_seconds <= TOKEN_LIFE_SECONDS_MAX)) {
    throw new RangeError(`the life of a token must be 1 to ${TOKEN_LIFE_SECONDS_MAX} seconds`);
  }
  const iat = Math.floor(clock.now() / 1000);
  return new SignJWT({ ...claims, iat, exp: iat + Math.floor(ttl_seconds) })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .sign(secretBytes(secret));
}
