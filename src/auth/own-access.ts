/** Access by the application around: it knows its users by its own sessions, we ask it who calls. */

import type { Access, Action, AskedRequest, Identity } from '../core/ports/access.ts';
import { SyncError } from '../protocol/errors.ts';
import { isIdentityText } from '../protocol/pure/ids.ts';

/** The two questions that an application answers. */
export interface OwnAuth {
  /** Who sends this request; null = nobody that is known, which is answered 401. */
  authenticate(request: AskedRequest): Promise<Identity | null> | Identity | null;
  /** Whether the caller may do this with a collection; absent = with every configured one. */
  authorize?(identity: Identity, collection: string, action: Action): boolean;
}

/** The application's answers as an access rule. What is no identity is the application's fault: 500. */
export function createOwnAccess(auth: OwnAuth): Access {
  return {
    async authenticate(authorization, request) {
      const identity = await auth.authenticate(request as AskedRequest);
      if (identity === null || identity === undefined) {
        const reason = authorization === undefined ? 'token_missing' : 'token_invalid';
        throw new SyncError('authentication_failed', { details: { reason } });
      }
      if (!isIdentityText(identity.actor_id) || !areScopes(identity.scope_ids)) {
        throw new TypeError(
          'auth.authenticate must give { actor_id, scope_ids: [...] } with texts of 1 to 128 characters, or null',
        );
      }
      if (identity.scope_ids.length === 0) throw new SyncError('scope_missing');
      return identity;
    },
    authorize: (identity, collection, action) =>
      auth.authorize?.(identity, collection, action) ?? true,
  };
}

function areScopes(scope_ids: unknown): boolean {
  return Array.isArray(scope_ids) && scope_ids.every((id) => isIdentityText(id));
}
