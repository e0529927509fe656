/** Any failure → the one envelope. Unknown errors enter here and nowhere else. */

import { StoreError, type StoreErrorKind } from '../core/ports/store.ts';
import type { ErrorEnvelope, Problem } from '../protocol/error-envelope.ts';
import { ERROR_CATALOGUE, SyncError } from '../protocol/errors.ts';
import type { ErrorCode } from '../protocol/pure/error-codes.ts';
import { type Exchange, type HeaderMap, reply } from './exchange.ts';

/** Kinds of store failures that the same request, sent again, will meet again. */
const LASTING_KINDS: readonly StoreErrorKind[] = ['failed', 'layout_blocked'];

/**
 * Names a failure. What is neither a `SyncError` nor a store that may answer again is `internal`,
 * and nothing of it but the cause (for the log) is kept [HT-21].
 */
export function toSyncError(failure: unknown): SyncError {
  if (failure instanceof SyncError) return failure;
  if (failure instanceof StoreError && !LASTING_KINDS.includes(failure.kind)) {
    return new SyncError('database_unavailable', {
      details: { reason: failure.kind },
      cause: failure,
    });
  }
  return new SyncError('internal', { cause: failure });
}

/** The JSON of an error; also what the server writes where no route was reached. */
export function errorEnvelope(error: SyncError, request_id: string): ErrorEnvelope {
  const { message, retryable } = ERROR_CATALOGUE[error.code];
  return {
    error: error.code,
    message,
    retryable,
    request_id,
    ...(error.details === undefined ? {} : { details: error.details }),
    detail: message,
  };
}

/** The same as the last word of a stream of events or of a connection. */
export function errorFacts(
  error: SyncError,
  request_id: string,
): Omit<ErrorEnvelope, 'error' | 'detail'> & { readonly code: ErrorCode } {
  const { error: code, detail: _, ...facts } = errorEnvelope(error, request_id);
  return { code, ...facts };
}

/** Answers with an error, as `application/problem+json` for callers that name that type. */
export function errorResponse(exchange: Exchange, error: SyncError): Response {
  const { status } = ERROR_CATALOGUE[error.code];
  const envelope = errorEnvelope(error, exchange.request_id);
  const asProblem = /\bapplication\/problem\+json\b/i.test(
    exchange.request.headers.get('accept') ?? '',
  );
  const body = asProblem ? asProblemDetails(status, envelope) : envelope;
  return reply(exchange, {
    status,
    body: JSON.stringify(body),
    headers: {
      'Content-Type': asProblem ? 'application/problem+json' : 'application/json',
      ...errorHeaders(error),
    },
  });
}

function asProblemDetails(status: number, envelope: ErrorEnvelope): Problem {
  return {
    type: `urn:offline-sync:error:${envelope.error}`,
    title: envelope.message,
    status,
    instance: envelope.request_id,
    code: envelope.error,
    ...envelope,
  };
}

/** Headers that come with an error. */
export function errorHeaders(error: SyncError): HeaderMap {
  const { status } = ERROR_CATALOGUE[error.code];
  if (status === 401) return { 'WWW-Authenticate': 'Bearer' };
  if (status === 429 || status === 503) {
    return { 'Retry-After': String(error.retry_after_seconds ?? 1) };
  }
  const allowed = error.details?.['allow'];
  return error.code === 'method_not_allowed'
    ? { Allow: String(allowed).replaceAll(',', ', ') }
    : {};
}
