/** Who calls, and for which scope: from headers only, before any body is read. */

import type { RequestContext } from '../../core/context.ts';
import type { Access, Identity } from '../../core/ports/access.ts';
import { SyncError } from '../../protocol/errors.ts';
import { HEADER_EPOCH, HEADER_SCOPE } from '../../protocol/pure/headers.ts';
import type { Exchange } from '../exchange.ts';

/**
 * Authenticates and chooses the scope [HT-7]. The signal is read only when somebody asks for it,
 * because making one costs more than the rest of a small request's headers.
 */
export async function authenticate(
  exchange: Exchange,
  access: Pick<Access, 'authenticate'>,
): Promise<RequestContext> {
  const { request, request_id } = exchange;
  const authorization = request.headers.get('authorization') ?? undefined;
  const identity = await access.authenticate(authorization, request);
  const scope_id = chooseScope(identity, request.headers.get(HEADER_SCOPE));
  const epoch = request.headers.get(HEADER_EPOCH);
  return {
    identity,
    scope_id,
    request_id,
    ...(epoch === null ? {} : { epoch }),
    get signal() {
      return request.signal;
    },
  };
}

function chooseScope(identity: Identity, wanted: string | null): string {
  const { scope_ids } = identity;
  if (wanted === null) {
    const [only] = scope_ids;
    if (only === undefined) throw new SyncError('scope_missing');
    if (scope_ids.length > 1) throw new SyncError('scope_ambiguous');
    return only;
  }
  const held = scope_ids.find((id) => id === wanted || encodeURIComponent(id) === wanted);
  if (held === undefined) throw new SyncError('scope_forbidden');
  return held;
}
