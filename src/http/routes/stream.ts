/** GET /sync/stream without an upgrade. With one it never comes here: see `stream/stream-server.ts`. */

import { SyncError } from '../../protocol/errors.ts';
import type { PublicRoute } from '../route.ts';
import { STREAM_PATH } from '../stream/handshake.ts';

const TEXT = `A WebSocket. The token stands in the header \`Authorization\` or in the first message; in the address (\`?token=\`) only where the operator allows it. All messages are JSON texts of at most 64 KiB.

The client sends \`StreamSubscribe\` within 10 seconds, and may send \`StreamAuth\` (a new token before the old one expires), another \`StreamSubscribe\` (it replaces the first) and \`StreamSignal\`. The server sends \`StreamSubscribed\`, then \`StreamChange\` for every row after \`since\`, \`StreamCaughtUp\` once, then rows as they are committed, and \`StreamPing\` every 30 seconds. \`StreamResync\` and \`StreamError\` come last, before the close.

Close codes: 1000, 1009 message too big, 1011 internal, 1012 the server stops, 1013 reader too slow, 4400 bad message, 4401 not authenticated or token expired, 4403 forbidden, 4408 no subscription within 10 seconds, 4410 full resync needed, 4429 too many connections or messages.

A handshake that is refused gets the answers below; a request that asks for no WebSocket gets 426.`;

/** Says that a WebSocket is needed. */
export const streamRoute: PublicRoute = {
  method: 'GET',
  path: STREAM_PATH,
  auth: false,
  about: {
    id: 'stream',
    tag: 'Sync',
    summary: 'Follow a scope over a WebSocket',
    text: TEXT,
    token: 'optional',
    messages: {
      client: ['StreamSubscribe', 'StreamAuth', 'StreamSignal'],
      server: [
        'StreamSubscribed',
        'StreamChange',
        'StreamCaughtUp',
        'StreamPing',
        'StreamResync',
        'StreamError',
      ],
    },
    answers: [{ status: 101, text: 'The connection is open' }],
    errors: [
      'invalid_request',
      'validation_failed',
      'authentication_failed',
      'origin_forbidden',
      'scope_missing',
      'rate_limited',
      'service_unavailable',
      'database_unavailable',
    ],
  },
  handle(exchange) {
    exchange.headers['Upgrade'] = 'websocket';
    throw new SyncError('upgrade_required', { details: { reason: 'websocket_required' } });
  },
};
