/** Close codes of the stream: what a client is told when its connection ends. */

import type { ErrorCode } from './error-codes.ts';

/** Close code by purpose. Codes below 4000 are WebSocket's own. */
export const CLOSE_CODES = {
  normal: 1000,
  message_too_big: 1009,
  internal: 1011,
  /** The server stops or is busy: connect again, to any node. */
  restart: 1012,
  /** The reader was too slow: connect again and go on from the own place. */
  slow_reader: 1013,
  bad_message: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  no_subscription: 4408,
  resync_required: 4410,
  flood: 4429,
} as const;

/** Close code after the `error` message with this code; what is not listed is `internal`. */
const CLOSE_CODE_OF: Partial<Record<ErrorCode, number>> = {
  invalid_request: CLOSE_CODES.bad_message,
  validation_failed: CLOSE_CODES.bad_message,
  hlc_invalid: CLOSE_CODES.bad_message,
  authentication_failed: CLOSE_CODES.unauthenticated,
  collection_forbidden: CLOSE_CODES.forbidden,
  scope_forbidden: CLOSE_CODES.forbidden,
  scope_missing: CLOSE_CODES.forbidden,
  scope_ambiguous: CLOSE_CODES.forbidden,
  request_timeout: CLOSE_CODES.no_subscription,
  rate_limited: CLOSE_CODES.flood,
  service_unavailable: CLOSE_CODES.restart,
};

/** The close code that follows an error. */
export function closeCodeOf(code: ErrorCode): number {
  return CLOSE_CODE_OF[code] ?? CLOSE_CODES.internal;
}
