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

/** The scope of a request whose header names one, or none: then there must be only one. Throws 403. */
export function chooseScope(identity: Identity, wanted: string | null): string {
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

/** Throws 403 when the caller may not follow this scope or one of the collections (any more). */
export function checkFollows(
  access: Pick<Access, 'authorize'>,
  identity: Identity,
  followed: { readonly scope_id: string; readonly collections: readonly string[] },
): void {
  if (!identity.scope_ids.includes(followed.scope_id)) throw new SyncError('scope_forbidden');
  const may = (name: string) => access.authorize(identity, name, 'stream');
  if (!followed.collections.every(may)) throw new SyncError('collection_forbidden');
}
