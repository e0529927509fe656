/** What the package exports today: the types of the wire, the error a caller may see, and versions. */

export { PACKAGE_VERSION } from './build-info.ts';
export type { Change, ChangeResult } from './protocol/change.ts';
export type { ErrorEnvelope } from './protocol/error-envelope.ts';
export { type ErrorDetails, SyncError } from './protocol/errors.ts';
export type { FullLine, FullTombstone, FullTrailer } from './protocol/full.ts';
export type { PullChange, PullPage, PullStale } from './protocol/pull.ts';
export type { ErrorCode, Issue, RejectionCode, StaleReason } from './protocol/pure/error-codes.ts';
export type { Hlc } from './protocol/pure/hlc.ts';
export type { PushRequest, PushResponse } from './protocol/push.ts';
export type { Capabilities } from './protocol/status.ts';
export { PROTOCOL_VERSION, SCHEMA_LEVEL } from './protocol/version.ts';
