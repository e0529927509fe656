/** GET /sync/capabilities. */

import { replyJson } from '../exchange.ts';
import type { SyncRoute } from '../route.ts';

/** Answers what this server can do for the caller. */
export const capabilitiesRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/capabilities',
  auth: true,
  offers: ['application/json'],
  handle(exchange, options, context) {
    return replyJson(exchange, 200, options.engine.capabilities(context));
  },
};
