/** What the HTTP layer tells about a finished request; `observability/request-log.ts` writes it down. */

import type { ErrorCode } from '../protocol/pure/error-codes.ts';

/** One answered request. There is no URL in it: a query may hold what nobody should log. */
export interface FinishedRequest {
  readonly request_id: string;
  readonly method: string;
  /** Path of the route table, or "unmatched": a closed set, fit for a metric's label. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
  /** Code of the error, when the answer was one. */
  readonly code?: ErrorCode;
  /** `details.reason` of the error, when it has one. */
  readonly reason?: string;
  /** What was behind a 5xx answer; for the log only, never for the caller. */
  readonly cause?: unknown;
}

/** Receives one entry per request. Must not throw and must not block. */
export interface RequestLog {
  finished(request: FinishedRequest): void;
}
