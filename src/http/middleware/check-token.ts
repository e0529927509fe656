/** A fixed bearer token, for callers that are programs of the operator and not users. */

import type { Crypto } from '../../core/ports/system.ts';
import { SyncError } from '../../protocol/errors.ts';
import type { Exchange } from '../exchange.ts';

/** Throws 401 unless the request carries the token. Digests are compared, so that the time it takes says nothing. */
export function checkToken(
  exchange: Exchange,
  token: string,
  { sha256 }: Pick<Crypto, 'sha256'>,
): void {
  const authorization = exchange.request.headers.get('authorization');
  if (authorization === null) {
    throw new SyncError('authentication_failed', { details: { reason: 'token_missing' } });
  }
  if (sha256(authorization) !== sha256(`Bearer ${token}`)) {
    throw new SyncError('authentication_failed', { details: { reason: 'token_invalid' } });
  }
}
