/** Browsers of other origins: an allow-list, exact strings, never `*` [HT-18]. */

import { EXPOSED_HEADERS } from '../../protocol/pure/headers.ts';
import { type Exchange, type HeaderMap, reply } from '../exchange.ts';
import { PREFLIGHT_SECONDS } from '../http-limits.ts';

const EXPOSED = EXPOSED_HEADERS.join(', ');
const REQUEST_HEADERS =
  'Authorization, Content-Type, If-None-Match, Last-Event-ID, Sync-Protocol, Sync-Epoch, Sync-Scope, X-Request-Id';

/** Headers that let a listed origin read the answer; empty when no origin is configured. */
export function corsHeaders(exchange: Exchange, origins: readonly string[]): HeaderMap {
  if (origins.length === 0) return {};
  const origin = exchange.request.headers.get('origin');
  if (origin === null || !origins.includes(origin)) return { Vary: 'Origin' };
  return {
    Vary: 'Origin',
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': EXPOSED,
  };
}

/** True for the question that a browser asks before a cross-origin request. It carries no token. */
export function isPreflight(exchange: Exchange): boolean {
  return (
    exchange.method === 'OPTIONS' &&
    exchange.request.headers.has('origin') &&
    exchange.request.headers.has('access-control-request-method')
  );
}

/** Answers a preflight; without `Access-Control-Allow-Origin` for origins that are not listed. */
export function preflightResponse(exchange: Exchange, methods: readonly string[]): Response {
  const allowed = exchange.headers['Access-Control-Allow-Origin'] !== undefined;
  return reply(exchange, {
    status: 204,
    body: null,
    headers: allowed
      ? {
          'Access-Control-Allow-Methods': methods.join(', '),
          'Access-Control-Allow-Headers': REQUEST_HEADERS,
          'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
        }
      : {},
  });
}
