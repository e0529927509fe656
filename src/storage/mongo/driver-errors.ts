/** What a driver error means for the store: run again, unknown commit, one bad write, or a failure. */

import {
  MongoBulkWriteError,
  MongoClientBulkWriteError,
  MongoError,
  MongoErrorLabel,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';
import { StoreError } from '../../core/ports/store.ts';

const DUPLICATE_KEY = 11_000;
const WRITE_CONFLICT = 112;
const NO_SUCH_TRANSACTION = 251;
/** Codes of a server that changes its role or stops; another one, or the same, serves soon. */
const STATE_CODES = [
  91, // ShutdownInProgress
  189, // PrimarySteppedDown
  10_107, // NotWritablePrimary
  11_600, // InterruptedAtShutdown
  11_602, // InterruptedDueToReplStateChange
  13_435, // NotPrimaryNoSecondaryOk
];
/** Codes after which the whole transaction may run again, also when a proxy dropped the label. */
const TRANSIENT_CODES = new Set([
  ...STATE_CODES,
  WRITE_CONFLICT,
  NO_SUCH_TRANSACTION,
  24, // LockTimeout
  246, // SnapshotUnavailable
  239, // SnapshotTooOld
  267, // PreparedTransactionInProgress
  13_388, // StaleConfig
]);
/** Codes with which the server says that it cannot serve now. */
const UNAVAILABLE_CODES = new Set([
  ...STATE_CODES,
  462, // IngressRequestRateLimitExceeded
  18, // AuthenticationFailed
  8_000, // AtlasError
  14_031, // OutOfDiskSpace
]);
/** Names of client-side errors that mean "not reached". */
const UNREACHABLE_NAMES = new Set([
  'MongoServerSelectionError',
  'MongoTopologyClosedError',
  'MongoNotConnectedError',
  'MongoWaitQueueTimeoutError',
  'MongoClientClosedError',
  'MongoOperationTimeoutError',
]);

/** Codes of a socket that ended under a command: the driver lets some of them through unwrapped. */
const SOCKET_CODES = new Set([
  'EPIPE',
  'ECONNRESET',
  'ETIMEDOUT',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_SOCKET_CLOSED',
]);

/** The first write of an ordered batch that the server refused. */
export interface FailedWrite {
  readonly index: number;
  readonly code: number;
}

/** True when the transaction was not committed and may run again from its start. */
export function isTransient(error: unknown): boolean {
  const root = rootOf(error);
  if (isSocketError(root)) return true;
  if (!(root instanceof MongoError) || root instanceof MongoServerSelectionError) return false;
  if (root.hasErrorLabel(MongoErrorLabel.TransientTransactionError)) return true;
  if (root instanceof MongoServerError) return TRANSIENT_CODES.has(Number(root.code));
  return root instanceof MongoNetworkError;
}

/**
 * True when a failed commit certainly did not happen, so that the group may run again from its
 * start. Anything else may have committed: only the commit itself may be repeated.
 */
export function isUncommitted(error: unknown): boolean {
  return (
    error instanceof MongoServerError &&
    !error.hasErrorLabel(MongoErrorLabel.UnknownTransactionCommitResult) &&
    (error.hasErrorLabel(MongoErrorLabel.TransientTransactionError) ||
      error.code === WRITE_CONFLICT ||
      error.code === NO_SUCH_TRANSACTION)
  );
}

/** The refused write of a batch, or undefined when the command itself failed. */
export function failedWriteOf(error: unknown): FailedWrite | undefined {
  if (error instanceof MongoClientBulkWriteError) {
    const [first] = error.writeErrors;
    return first && { index: first[0], code: first[1].code };
  }
  if (error instanceof MongoBulkWriteError) {
    const first = [error.writeErrors].flat()[0];
    return first && { index: first.index, code: Number(first.code) };
  }
  return undefined;
}

/** True for the violation of a unique index. */
export function isDuplicateKey(write: Pick<FailedWrite, 'code'>): boolean {
  return write.code === DUPLICATE_KEY;
}

/** True when a failed single write met a unique index. */
export function isDuplicateKeyError(error: unknown): boolean {
  const root = rootOf(error);
  return root instanceof MongoServerError && root.code === DUPLICATE_KEY;
}

/** Two upserts of one new record may meet: the second try finds what the other one made. */
export async function againOnDuplicate(upsert: () => Promise<unknown>): Promise<void> {
  try {
    await upsert();
  } catch (error) {
    if (!isDuplicateKeyError(error)) throw error;
    await upsert();
  }
}

/** True for a code that blames the server's state and not the written document. */
export function isServerTrouble(code: number): boolean {
  return TRANSIENT_CODES.has(code) || UNAVAILABLE_CODES.has(code) || code === 13 || code === 50;
}

/** Any driver error as the store's own; anything else is given back as it is. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof StoreError) return error;
  const root = rootOf(error);
  if (!(root instanceof MongoError) && !isSocketError(root)) return error;
  return isUnreachable(root)
    ? new StoreError('unavailable', 'the database does not answer', { cause: root })
    : new StoreError('failed', 'the database refused a statement', { cause: root });
}

/** True when a cursor must be opened again: it expired, or the connection under it broke. */
export function isCursorLost(error: unknown): boolean {
  const CURSOR_NOT_FOUND = 43;
  const root = rootOf(error);
  return (
    isSocketError(root) ||
    root instanceof MongoNetworkError ||
    (root instanceof MongoServerError && root.code === CURSOR_NOT_FOUND)
  );
}

/** Codes with which a change stream ends for good: its place is no longer in the database's log. */
const HISTORY_LOST_CODES = new Set([136, 260, 280, 286]);
/** Codes of a deployment, or of rights, that give no change stream at all. */
const NO_STREAM_CODES = new Set([13, 20, 59, 115, 303, 40_573, 40_324]);

/** What the end of a change stream means. */
export function toFeedError(error: unknown): unknown {
  const code = error instanceof MongoServerError ? Number(error.code) : 0;
  if (HISTORY_LOST_CODES.has(code)) {
    return new StoreError('history_lost', 'the change stream cannot go on', { cause: error });
  }
  if (NO_STREAM_CODES.has(code)) {
    return new StoreError('unsupported', 'the database gives no change stream', { cause: error });
  }
  return toStoreError(error);
}

/** Runs a read or a single write outside a transaction; driver errors become `StoreError`. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toStoreError(error);
  }
}

/** True when the database was not reached or cannot serve now. */
export function isUnreachable(error: unknown): boolean {
  if (isSocketError(error) || error instanceof MongoNetworkError) return true;
  if (!(error instanceof MongoError)) return false;
  return UNREACHABLE_NAMES.has(error.name) || UNAVAILABLE_CODES.has(Number(error.code));
}

function isSocketError(error: unknown): boolean {
  return error instanceof Error && SOCKET_CODES.has(String((error as { code?: unknown }).code));
}

/** A failed command of a client-level batch comes wrapped; labels and codes are those of its cause. */
function rootOf(error: unknown): unknown {
  const wrapped = error instanceof MongoClientBulkWriteError && error.writeErrors.size === 0;
  return wrapped && error.cause !== undefined ? error.cause : error;
}
