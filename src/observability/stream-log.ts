/** The gauge of open WebSocket connections, and one log line per connection. */

import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** A connection that ended, as the HTTP layer tells it. */
export interface EndedConnection {
  readonly request_id: string;
  readonly actor_id: string | undefined;
  readonly close_code: number;
  readonly ms: number;
  readonly cause?: unknown;
}

/** Where connections are noted. */
export interface StreamLogOptions {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'websockets'>;
}

/** The log of connections: faults of the server are errors with their cause, the rest is debug [WS-18]. */
export function createStreamLog({ logger, metrics }: StreamLogOptions): {
  open(count: number): void;
  closed(connection: EndedConnection): void;
} {
  return {
    open(count) {
      metrics.websockets.set(count);
    },
    closed({ cause, ...facts }) {
      if (cause === undefined) logger.debug('stream.closed', 'a connection ended', facts);
      else logger.error('stream.failed', 'a connection failed', { ...facts, err: cause });
    },
  };
}
