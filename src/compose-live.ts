/** The part of the composition root about live delivery: places, and the server of the stream. */

import type { Config } from './config/finish-config.ts';
import type { Access } from './core/ports/access.ts';
import type { AppOptions } from './http/route.ts';
import { Admission } from './http/stream/admission.ts';
import { StreamServer } from './http/stream/stream-server.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import { createStreamLog } from './observability/stream-log.ts';

/** Counts what is open, by the configured caps. */
export function createAdmission({ stream }: Config): Admission {
  return new Admission(stream);
}

/** What takes the upgrades of every server of this process. */
export function createStreams(
  options: AppOptions,
  of: {
    readonly config: Config;
    readonly access: Access;
    readonly logger: Logger;
    readonly metrics: Metrics;
  },
): StreamServer {
  const { token_in_query, buffer_bytes } = of.config.stream;
  const stream = { token_in_query, buffer_bytes, log: createStreamLog(of) };
  return new StreamServer({ ...options, access: of.access, stream });
}
