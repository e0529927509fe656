/** A JWT for the benchmark's callers. */

import { SignJWT } from 'jose';

/** Signs an HS256 token that lives one hour. */
export function signToken(secret, claims) {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret));
}
