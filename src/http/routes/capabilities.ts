/** GET /sync/capabilities. */

import { replyJson } from '../exchange.ts';
import type { SyncRoute } from '../route.ts';

/** Answers what this server can do for the caller. */
export const capabilitiesRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/capabilities',
  auth: true,
  offers: ['application/json'],
  about: {
    id: 'capabilities',
    tag: 'Sync',
    summary: 'What this server can do for the caller',
    text: 'Collections that the caller may use, features and limits. No database is asked.',
    answers: [
      {
        status: 200,
        text: 'What there is',
        type: 'application/json',
        shapes: ['Capabilities'],
      },
    ],
    errors: [],
  },
  handle(exchange, options, context) {
    return replyJson(exchange, 200, options.engine.capabilities(context));
  },
};
