/** What the package exports: the server as a library, the types of the wire, errors and versions. */

export { PACKAGE_VERSION } from './build-info.ts';
export {
  createSyncServer,
  type ScopeWrite,
  type SyncMetadataRequest,
  type SyncServer,
  type SyncServerAuth,
  type SyncServerChange,
  type SyncServerLogLevel,
  type SyncServerOptions,
} from './compose-library.ts';
export { StoreUnreachable } from './compose-store.ts';
export { ConfigError, type ConfigProblem } from './config/config-error.ts';
export type { ConfigInput } from './config/options-config.ts';
export type { Action, Identity } from './core/ports/access.ts';
export {
  SCOPE_WRITE_REASONS,
  ScopeWriteError,
  type ScopeWriteReason,
} from './core/ports/scope-writes.ts';
export { StoreError, type StoreErrorKind } from './core/ports/store.ts';
export type { WrittenBundle, WrittenRow } from './core/server-writes/decide-scope-write.ts';
export type { SyncMetadata } from './core/server-writes/record-server-change.ts';
export type { ScopeWriteResult } from './core/server-writes/with-scope-write.ts';
export { SetupError, type SetupFault } from './core/upkeep/layout.ts';
export type { LogSink } from './observability/logger.ts';
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
