/** Access without authentication: everybody is one fixed actor in one scope. For loopback only. */

import type { Access, Identity } from '../core/ports/access.ts';

/** Accepts every request, whatever its `Authorization` header says. */
export function createNoneAccess(fixed: { actor_id: string; scope_id: string }): Access {
  const identity: Identity = { actor_id: fixed.actor_id, scope_ids: [fixed.scope_id] };
  return {
    authenticate: async () => identity,
    authorize: () => true,
  };
}
