/** POST /sync/server/changes: back ends in any language write through the engine. */

import { SyncError } from '../../protocol/errors.ts';
import { parseServerChanges } from '../../protocol/server-changes.ts';
import { checkToken } from '../middleware/check-token.ts';
import { acceptsAny } from '../middleware/negotiate.ts';
import { readJson } from '../middleware/read-json.ts';
import type { PublicRoute } from '../route.ts';
import { ERRORS_OF_THE_ENGINE } from '../route-description.ts';
import { PUSH_ANSWER, replyToPush } from './push.ts';

const OFFERS = ['application/json'];

/** Answers like a push. Its token is the service's own, so that no user's token opens it [SW-1]. */
export const serverChangesRoute: PublicRoute = {
  method: 'POST',
  path: '/sync/server/changes',
  auth: false,
  about: {
    id: 'writeServerChanges',
    tag: 'Sync',
    summary: 'Write as a back end',
    text: "A back end in any language writes through the engine, into a scope that it names. The answer is that of a push. The token is the service's own; without a configured one the path does not exist.",
    token: 'service',
    body: 'ServerChangesRequest',
    answers: [PUSH_ANSWER],
    errors: [
      'authentication_failed',
      'not_acceptable',
      'validation_failed',
      'too_many_changes',
      'bundle_too_large',
      ...ERRORS_OF_THE_ENGINE,
    ],
  },
  served: ({ server_token }) => typeof server_token === 'string',
  async handle(exchange, options) {
    const { engine, limits, crypto, server_token } = options;
    checkToken(exchange, server_token as string, crypto);
    if (!acceptsAny(exchange.request.headers.get('accept'), OFFERS)) {
      throw new SyncError('not_acceptable', { details: { offers: OFFERS } });
    }
    const request = parseServerChanges(await readJson(exchange, limits.max_body_bytes));
    const context = { request_id: exchange.request_id, signal: exchange.request.signal };
    return replyToPush(exchange, await engine.writeServerChanges(context, request));
  },
};
