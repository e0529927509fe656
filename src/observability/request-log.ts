/** One log line and one histogram value per request. */

import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** An answered request, as the HTTP layer tells it. `route` is a path of its table or "unmatched". */
export interface AnsweredRequest {
  readonly request_id: string;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly ms: number;
  readonly code?: string;
  readonly reason?: string;
  readonly cause?: unknown;
}

/** Where requests are noted. */
export interface RequestLogOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Routes whose refused requests count as failed pushes. */
const PUSH_ROUTES = ['/sync/push', '/sync/server/changes'];

/**
 * The request log: server faults are errors or warnings with their cause, refusals are info, the
 * rest is debug [OB-5]. Every refused push counts as failed, also one that never reached the engine.
 */
export function createRequestLog({ logger, metrics }: RequestLogOptions): {
  finished(request: AnsweredRequest): void;
} {
  return {
    finished(request) {
      const { method, route, status, ms } = request;
      const refusedPush = method === 'POST' && PUSH_ROUTES.includes(route) && status >= 400;
      metrics.requestSeconds.observe({ route, status: String(status) }, ms / 1000);
      if (refusedPush) metrics.pushes.inc({ status: 'failure' });
      const level = levelOf(status);
      if (!logger.isEnabled(level)) return;
      const { cause, ...facts } = request;
      logger[level]('http.request', 'request answered', {
        ...facts,
        ...(cause === undefined || status < 500 ? {} : { err: cause }),
      });
    },
  };
}

function levelOf(status: number): 'error' | 'warn' | 'info' | 'debug' {
  if (status === 500) return 'error';
  if (status > 500) return 'warn';
  return status >= 400 ? 'info' : 'debug';
}
