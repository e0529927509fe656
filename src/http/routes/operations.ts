/** What operators ask: is it alive, is it ready, what did it count; and the index at `/`. */

import { PROTOCOL_VERSION } from '../../protocol/pure/headers.ts';
import { reply, replyJson } from '../exchange.ts';
import { checkToken } from '../middleware/check-token.ts';
import type { PublicRoute } from '../route.ts';

/** The process answers. Touches no database, so that a slow one does not get the process killed. */
export const healthRoute: PublicRoute = {
  method: 'GET',
  path: '/healthz',
  auth: false,
  about: {
    id: 'health',
    tag: 'Operations',
    summary: 'Whether the process answers',
    text: 'Asks nobody, so that a slow database does not get the process killed.',
    answers: [{ status: 200, text: 'It does', type: 'application/json', shapes: ['Health'] }],
    errors: [],
  },
  handle: (exchange) => replyJson(exchange, 200, { status: 'ok' }),
};

/** Whether requests would succeed; 503 keeps a load balancer away [HT-19]. */
export const readyRoute: PublicRoute = {
  method: 'GET',
  path: '/readyz',
  auth: false,
  about: {
    id: 'ready',
    tag: 'Operations',
    summary: 'Whether requests would succeed',
    text: 'For load balancers: every check with its result.',
    answers: [
      { status: 200, text: 'Ready', type: 'application/json', shapes: ['Readiness'] },
      {
        status: 503,
        text: 'Not ready',
        type: 'application/json',
        shapes: ['Readiness'],
        headers: ['Retry-After'],
      },
    ],
    errors: ['database_unavailable'],
  },
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
  about: {
    id: 'metrics',
    tag: 'Operations',
    summary: 'Counters and histograms',
    text: 'The Prometheus text format. Asks for a bearer token of its own when one is configured.',
    token: 'metrics',
    answers: [{ status: 200, text: 'The metrics', type: 'text/plain' }],
    errors: ['authentication_failed'],
  },
  async handle(exchange, options) {
    if (options.metrics.token !== null) checkToken(exchange, options.metrics.token, options.crypto);
    const { body, type } = await options.metrics.text();
    return reply(exchange, { status: 200, body, headers: { 'Content-Type': type } });
  },
};

/** What there is. */
export const indexRoute: PublicRoute = {
  method: 'GET',
  path: '/',
  auth: false,
  about: {
    id: 'index',
    tag: 'Operations',
    summary: 'The paths there are',
    text: 'Names of paths for a person with curl.',
    answers: [
      { status: 200, text: 'The paths', type: 'application/json', shapes: ['ServerIndex'] },
    ],
    errors: [],
  },
  handle: (exchange, { server_token }) =>
    replyJson(exchange, 200, {
      name: 'offline-sync',
      protocol_version: PROTOCOL_VERSION,
      links: {
        push: '/sync/push',
        pull: '/sync/pull',
        full: '/sync/full',
        status: '/sync/status',
        capabilities: '/sync/capabilities',
        events: '/sync/events',
        watch: '/sync/watch',
        stream: '/sync/stream',
        subscribers: '/sync/subscribers',
        ...(typeof server_token === 'string' ? { server_changes: '/sync/server/changes' } : {}),
        health: '/healthz',
        ready: '/readyz',
        metrics: '/metrics',
        openapi: '/openapi.json',
        docs: '/docs',
        console: '/console',
      },
    }),
};
