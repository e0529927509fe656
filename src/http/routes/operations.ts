/** What operators ask: is it alive, is it ready, what did it count; and the index at `/`. */

import { SyncError } from '../../protocol/errors.ts';
import { PROTOCOL_VERSION } from '../../protocol/pure/headers.ts';
import { type Exchange, reply, replyJson } from '../exchange.ts';
import type { AppOptions, PublicRoute } from '../route.ts';

/** The process answers. Touches no database, so that a slow one does not get the process killed. */
export const healthRoute: PublicRoute = {
  method: 'GET',
  path: '/healthz',
  auth: false,
  handle: (exchange) => replyJson(exchange, 200, { status: 'ok' }),
};

/** Whether requests would succeed; 503 keeps a load balancer away [HT-19]. */
export const readyRoute: PublicRoute = {
  method: 'GET',
  path: '/readyz',
  auth: false,
  async handle(exchange, options) {
    const readiness = await options.readiness();
    if (readiness.ready) return replyJson(exchange, 200, readiness);
    return reply(exchange, {
      status: 503,
      body: JSON.stringify(readiness),
      headers: { 'Content-Type': 'application/json', 'Retry-After': '1' },
    });
  },
};

/** Counters and histograms in the Prometheus text format; with a token when one is configured. */
export const metricsRoute: PublicRoute = {
  method: 'GET',
  path: '/metrics',
  auth: false,
  async handle(exchange, options) {
    checkMetricsToken(exchange, options);
    const { body, type } = await options.metrics.text();
    return reply(exchange, { status: 200, body, headers: { 'Content-Type': type } });
  },
};

/** What there is. */
export const indexRoute: PublicRoute = {
  method: 'GET',
  path: '/',
  auth: false,
  handle: (exchange) =>
    replyJson(exchange, 200, {
      name: 'offline-sync',
      protocol_version: PROTOCOL_VERSION,
      links: {
        push: '/sync/push',
        pull: '/sync/pull',
        full: '/sync/full',
        capabilities: '/sync/capabilities',
        health: '/healthz',
        ready: '/readyz',
        metrics: '/metrics',
      },
    }),
};

/** Digests are compared, so that the time it takes says nothing about the token. */
function checkMetricsToken(exchange: Exchange, { metrics, crypto }: AppOptions): void {
  if (metrics.token === null) return;
  const authorization = exchange.request.headers.get('authorization');
  if (authorization === null) {
    throw new SyncError('authentication_failed', { details: { reason: 'token_missing' } });
  }
  if (crypto.sha256(authorization) !== crypto.sha256(`Bearer ${metrics.token}`)) {
    throw new SyncError('authentication_failed', { details: { reason: 'token_invalid' } });
  }
}
