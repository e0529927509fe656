/** Writes of the application's own back end: a push with every right, over the same commit path. */

import type { ServerChangesRequest } from '../../protocol/server-changes.ts';
import type { RequestContext } from '../context.ts';
import { type PushAnswer, type PushParts, pushChanges } from '../push/push.ts';

/** What is known of the request beside its body: there is no token of a person. */
export type ServerContext = Pick<RequestContext, 'request_id' | 'signal'>;

/**
 * Writes a back end's changes to one scope [SW-2]: the same checks, queue, transaction and receipts
 * as a push of a device. Only the rights differ: every configured collection may be written.
 */
export function writeServerChanges(
  parts: PushParts,
  context: ServerContext,
  request: ServerChangesRequest,
): Promise<PushAnswer> {
  const { scope_id, actor_id, ...push } = request;
  return pushChanges(
    { ...parts, origin: 'server', access: { authorize: () => true } },
    { ...context, identity: { actor_id, scope_ids: [scope_id] }, scope_id },
    push,
  );
}
