/** The closed lists of codes. A code may be added, never renamed; the catalogue in `../errors.ts` gives each its meaning. */

/** Codes of failed requests (the envelope's `error`). */
export const ERROR_CODES = [
  'invalid_request',
  'cursor_invalid',
  'authentication_failed',
  'collection_forbidden',
  'scope_forbidden',
  'scope_missing',
  'scope_ambiguous',
  'origin_forbidden',
  'not_found',
  'method_not_allowed',
  'not_acceptable',
  'request_timeout',
  'body_too_large',
  'too_many_changes',
  'bundle_too_large',
  'uri_too_long',
  'unsupported_media_type',
  'validation_failed',
  'hlc_invalid',
  'upgrade_required',
  'rate_limited',
  'internal',
  'service_unavailable',
  'database_unavailable',
] as const;
/** Code of a failed request; see docs/ERRORS.md. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Codes of refused changes, values inside a 200 answer. */
export const REJECTION_CODES = [
  'validation_failed',
  'invalid_key',
  'collection_forbidden',
  'reserved_field',
  'scope_forbidden',
  'id_unavailable',
  'document_too_large',
  'hlc_invalid',
  'mutation_id_reused',
  'mutation_too_old',
  'unique_violation',
  'document_validation',
  'resolver_error',
  'conflict_rejected',
  'update_rejected',
  'batch_rolled_back',
] as const;
/** Code of a refused change; see docs/ERRORS.md. */
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** Reasons of 401 `authentication_failed`, in `details.reason`. */
export const AUTH_REASONS = [
  'token_missing',
  'token_malformed',
  'token_invalid',
  'token_claims',
  'token_expired',
  'token_not_yet_valid',
  'token_too_long_lived',
  'token_audience',
  'token_issuer',
] as const;
export type AuthReason = (typeof AUTH_REASONS)[number];

/** Reasons of a stale pull. */
export const STALE_REASONS = [
  'epoch_changed',
  'cursor_ahead',
  'history_pruned',
  'chain_broken',
  'collection_reset',
] as const;
/** Why a pull asks for a full resync. */
export type StaleReason = (typeof STALE_REASONS)[number];

/** What was wrong, inside `details.issues[]` of a 422 or of a rejection. */
export const ISSUE_CODES = [
  'invalid_envelope',
  'invalid_client_id',
  'invalid_scope_id',
  'invalid_actor_id',
  'invalid_changes',
  'invalid_atomic',
  'invalid_change',
  'invalid_collection',
  'invalid_operation',
  'invalid_doc_id',
  'invalid_data',
  'invalid_key',
  'invalid_number',
  'unsafe_integer',
  'invalid_version',
  'invalid_mutation_id',
  'nesting_too_deep',
  'id_mismatch',
  'reserved_field',
  'near_miss',
  'unsupported_field',
  'unknown_parameter',
  'duplicate_parameter',
  'invalid_limit',
  'invalid_since',
  'invalid_collections',
  'invalid_trailer',
  'invalid_types',
  'invalid_ping',
  'invalid_token',
  'invalid_epoch',
] as const;
export type IssueCode = (typeof ISSUE_CODES)[number];

/** One finding: where (JSON pointer-like path, "" for the whole), what, and a hint that says what to do. */
export interface Issue {
  readonly path: string;
  readonly code: IssueCode;
  readonly message: string;
}
