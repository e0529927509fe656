/** What a verified token says: checks of its header, its times, its audience, and who it is. */

import type { Identity } from '../core/ports/access.ts';
import { SyncError } from '../protocol/errors.ts';
import { isIdentityText } from '../protocol/pure/ids.ts';
import type { KeyHint } from './token-keys.ts';
import { authFailure } from './token-text.ts';

/** Difference between two clocks that is forgiven, seconds. */
export const CLOCK_TOLERANCE_SECONDS = 60;
/** Longest life of a token, seconds: what leaks stops working within a day. */
export const TOKEN_LIFE_SECONDS_MAX = 86_400;

const TYPES: readonly unknown[] = [undefined, 'JWT', 'at+jwt'];
/** Header names that would let a token choose its own key or demand what we do not know. */
const REFUSED_HEADERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit'];

/** Checks a header before its signature [AU-2]: what it names is compared, never followed. */
export function checkHeader(
  header: Record<string, unknown>,
  wanted: { readonly algorithms: readonly string[]; readonly kid: RegExp },
): KeyHint {
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') throw authFailure('token_malformed');
  const fits =
    wanted.algorithms.includes(alg) &&
    TYPES.includes(typ) &&
    (kid === undefined || (typeof kid === 'string' && wanted.kid.test(kid))) &&
    !REFUSED_HEADERS.some((name) => Object.hasOwn(header, name));
  if (!fits) throw authFailure('token_invalid');
  return { alg, kid: kid as string | undefined };
}

/** Times of a token, seconds since 1970. */
export interface TokenTimes {
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly iat: number | undefined;
}

/** Reads the times. `exp` is required; each must be a finite number [AU-4]. */
export function readTimes(payload: Record<string, unknown>): TokenTimes {
  const { exp, nbf, iat } = payload;
  if (!isTime(exp) || !isOptionalTime(nbf) || !isOptionalTime(iat)) {
    throw authFailure('token_claims');
  }
  return { exp, nbf, iat };
}

/** Checks the times against now. Runs on every use of a token, verified before or not [AU-5]. */
export function checkTimes({ exp, nbf, iat }: TokenTimes, now: number): void {
  if (iat !== undefined && iat > now + CLOCK_TOLERANCE_SECONDS) throw authFailure('token_claims');
  if (exp - (iat ?? now) > TOKEN_LIFE_SECONDS_MAX) throw authFailure('token_too_long_lived');
  if (now >= exp + CLOCK_TOLERANCE_SECONDS) throw authFailure('token_expired');
  if (nbf !== undefined && nbf > now + CLOCK_TOLERANCE_SECONDS) {
    throw authFailure('token_not_yet_valid');
  }
}

/** Issuer and audience that a token must name; undefined = not checked. */
export interface WantedParties {
  readonly issuer: string | undefined;
  readonly audience: readonly string[] | undefined;
}

/** Compares issuer and audience, character by character [AU-6]. */
export function checkParties(payload: Record<string, unknown>, wanted: WantedParties): void {
  const { iss, aud } = payload;
  if (wanted.issuer !== undefined && iss !== wanted.issuer) throw authFailure('token_issuer');
  if (wanted.audience === undefined) return;
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!wanted.audience.some((name) => named.includes(name))) throw authFailure('token_audience');
}

/** Names of the claims that say who acts and where. */
export interface ClaimNames {
  readonly actor_id_field: string;
  readonly scope_id_field: string;
}

/** Who the token names [AU-7]. Throws `token_claims`, or 403 `scope_missing`. */
export function readIdentity(payload: Record<string, unknown>, names: ClaimNames): Identity {
  const actor_id = ownClaim(payload, names.actor_id_field);
  if (!isIdentityText(actor_id)) throw authFailure('token_claims');
  const claim = ownClaim(payload, names.scope_id_field);
  const scopes = Array.isArray(claim) ? claim : [claim];
  if (claim === undefined || claim === null || scopes.length === 0) {
    throw new SyncError('scope_missing');
  }
  if (!scopes.every(isIdentityText)) throw authFailure('token_claims');
  return { actor_id, scope_ids: [...new Set(scopes)] };
}

function ownClaim(payload: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isOptionalTime(value: unknown): value is number | undefined {
  return value === undefined || isTime(value);
}
