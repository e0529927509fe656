/** The closed catalogue: what each error code means, its status, and what a caller should do. */

import type { ErrorCode, Issue, RejectionCode } from './pure/error-codes.ts';

/** What a client does next without knowing the code. */
export type Recovery = 'none' | 'fix_request' | 'authenticate' | 'retry' | 'resync' | 'upgrade';

/** One entry of the catalogue. */
export interface ErrorEntry {
  readonly status: number;
  readonly retryable: boolean;
  readonly recovery: Recovery;
  /** Static text: facts of the case go to `details`, so that logs group and nothing leaks. */
  readonly message: string;
}

/** Code → meaning. `docs/ERRORS.md` is generated from it. */
export const ERROR_CATALOGUE: Readonly<Record<ErrorCode, ErrorEntry>> = {
  invalid_request: entry(400, 'fix_request', 'The request cannot be parsed. See details.reason.'),
  cursor_invalid: entry(
    400,
    'resync',
    'The cursor is not valid here. Start again without a cursor.',
  ),
  authentication_failed: entry(
    401,
    'authenticate',
    'Authentication failed. Send a valid bearer token.',
  ),
  collection_forbidden: entry(403, 'fix_request', 'A collection is unknown or not permitted.'),
  scope_forbidden: entry(403, 'fix_request', 'The token does not hold the chosen scope.'),
  scope_missing: entry(
    403,
    'authenticate',
    'The token names no scope. Ask for a token with a scope claim.',
  ),
  scope_ambiguous: entry(
    403,
    'fix_request',
    'The token holds several scopes. Choose one with Sync-Scope, or scope_id on the stream.',
  ),
  origin_forbidden: entry(
    403,
    'fix_request',
    'Web pages of this origin may not connect. See cors.origins of the server.',
  ),
  not_found: entry(404, 'fix_request', 'There is nothing at this path.'),
  method_not_allowed: entry(
    405,
    'fix_request',
    'This path does not serve the method. See the Allow header.',
  ),
  not_acceptable: entry(406, 'fix_request', 'No representation fits the Accept header.'),
  request_timeout: entry(408, 'retry', 'The request did not arrive in time. Send it again.'),
  body_too_large: entry(
    413,
    'fix_request',
    'The body is too large. Send fewer or smaller changes.',
  ),
  too_many_changes: entry(413, 'fix_request', 'The push has too many changes. Split it.'),
  bundle_too_large: entry(
    413,
    'fix_request',
    'The push is too large to store as one bundle. Split it.',
  ),
  uri_too_long: entry(414, 'fix_request', 'The request address is too long.'),
  unsupported_media_type: entry(
    415,
    'fix_request',
    'Send the body as application/json in UTF-8 without encoding.',
  ),
  validation_failed: entry(
    422,
    'fix_request',
    'The request was understood but is not valid. See details.issues.',
  ),
  hlc_invalid: entry(
    422,
    'fix_request',
    'A version is not a valid HLC, for example 20260502T120000.000Z-0001-a1b2.',
  ),
  upgrade_required: entry(
    426,
    'upgrade',
    'Another protocol is needed: the version in Sync-Protocol, or a WebSocket on the stream.',
  ),
  rate_limited: entry(429, 'retry', 'Too many requests. Wait for Retry-After.'),
  internal: entry(500, 'none', 'The server failed. Report the request id to its operator.'),
  service_unavailable: entry(503, 'retry', 'The server is busy or stopping. Wait for Retry-After.'),
  database_unavailable: entry(
    503,
    'retry',
    'The database did not answer. Send the same mutation ids again.',
  ),
};

/** Only what recovers by "retry" is worth sending again unchanged. */
function entry(status: number, recovery: Recovery, message: string): ErrorEntry {
  return { status, retryable: recovery === 'retry', recovery, message };
}

/** Text of a rejection and whether sending the same change again can ever succeed. */
export interface RejectionEntry {
  readonly permanent: boolean;
  readonly message: string;
}

/** Rejection code → meaning. */
export const REJECTION_CATALOGUE: Readonly<Record<RejectionCode, RejectionEntry>> = {
  validation_failed: refusal('The change is not valid. See details.issues.'),
  invalid_key: refusal('The document has a key that is not allowed. See details.issues.'),
  collection_forbidden: refusal('The collection is unknown or not permitted.'),
  reserved_field: refusal('Fields that start with "_sync_" belong to the server. Leave them out.'),
  scope_forbidden: refusal('The document names another scope than the one of this request.'),
  id_unavailable: refusal('The id is not available here. Choose another id.'),
  document_too_large: refusal('The document is too large. Make it smaller or split it.'),
  hlc_invalid: refusal('parent_version or change_version is not a usable HLC.'),
  mutation_id_reused: refusal('This mutation_id was used for another change. Draw a new one.'),
  mutation_too_old: refusal(
    'The edit is older than the kept receipts. Make it again on current data.',
  ),
  unique_violation: refusal('A unique index of the collection refuses the document.'),
  document_validation: refusal('The collection does not accept the document.'),
  resolver_error: refusal('The resolver of the collection failed.', false),
  conflict_rejected: refusal('The resolver of the collection refused the change.'),
  update_rejected: refusal('The document was deleted and this collection refuses late updates.'),
  batch_rolled_back: refusal(
    'Another change of this bundle was rejected. Nothing was stored.',
    false,
  ),
};

function refusal(message: string, permanent = true): RejectionEntry {
  return { permanent, message };
}

/** Facts of one failure; only values that the caller may see. */
export interface ErrorDetails {
  readonly reason?: string;
  readonly issues?: readonly Issue[];
  readonly [key: string]: unknown;
}

/** A request that failed for a named reason. Anything else that is thrown becomes `internal`. */
export class SyncError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;
  /** Seconds for `Retry-After`; set on 429 and 503. */
  readonly retry_after_seconds: number | undefined;

  constructor(
    code: ErrorCode,
    options: { details?: ErrorDetails; cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(ERROR_CATALOGUE[code].message, { cause: options.cause });
    this.name = 'SyncError';
    this.code = code;
    this.details = options.details;
    this.retry_after_seconds =
      options.retryAfterSeconds ?? (ERROR_CATALOGUE[code].retryable ? 1 : undefined);
  }
}
