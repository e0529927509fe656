/**
 * The port of writes that the application makes itself, in transactions of the store, beside the
 * engine. Only a store with transactions over the application's own statements has it.
 *
 * [SX-1] The head is locked by a changing value before the first statement of the application and is
 *   written last, so that commit order stays version order.
 * [SX-2] What the application wrote and the rows about it are committed together or not at all.
 */

import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { ScopeHead } from './records.ts';
import type {
  Committed,
  Decision,
  DocumentKey,
  GroupSnapshot,
  RefusedChanges,
  SyncStore,
} from './store.ts';

/** What the engine knew of a document before the transaction began: as others still see it. */
export interface EarlierDocument extends DocumentKey {
  readonly scope_id: string | null;
  readonly version: Hlc | null;
  /** True for a tombstone that stands in the document's place. */
  readonly deleted: boolean;
  /** The content of one without a version: only this can say whose it is. */
  readonly data?: JsonObject;
}

/** The application's transaction. */
export interface CallerTransaction {
  /** The driver's session; whoever knows the store knows its type. */
  readonly session: unknown;
  /** Creates or replaces a document; the engine's fields in it stay as they are. */
  put(document: DocumentKey & Content): Promise<void>;
  drop(key: DocumentKey): Promise<void>;
}

interface Content {
  readonly data: JsonObject;
  readonly typed: JsonObject | null;
}

/** What is decided over: the documents as the transaction left them, and as they were before it. */
export interface WrittenDocuments {
  readonly snapshot: GroupSnapshot;
  readonly earlier: readonly EarlierDocument[];
  readonly refused: RefusedChanges;
}

/** Decides the rows about documents that were written. Pure; may run several times. */
export type WrittenDecision<T> = (written: WrittenDocuments) => Decision<T>;

/** Work in a transaction that the store opens, repeats and commits. */
export interface ScopeWork<T> {
  /** Time left for all attempts, ms. */
  readonly budget_ms: number;
  /**
   * Writes, and names the documents that it wrote. Runs once per attempt. What it throws is thrown on,
   * unless the store says that the transaction may run again.
   */
  write(transaction: CallerTransaction): Promise<readonly DocumentKey[]>;
  readonly decide: WrittenDecision<T>;
}

/** A head that is locked in somebody's transaction. */
export interface LockedScope {
  readonly scope_id: string;
  readonly head: ScopeHead;
  /** The store's time of the lock, ms. */
  readonly now_ms: number;
}

/** Transactions of the application. */
export interface ScopeWrites {
  /** Commits also when the decision plans nothing: the application may have written elsewhere. */
  writeInScope<T>(scope_id: string, work: ScopeWork<T>): Promise<Committed<T>>;
  /**
   * Locks the head in a transaction that the application opened, or finds it locked there. Throws
   * `ScopeWriteError` when another statement came first, unless that is accepted.
   */
  lockIn(session: unknown, scope_id: string, accept_late: boolean): Promise<LockedScope>;
  /**
   * Decides over these documents and writes the plan into the transaction that `lockIn` locked the
   * head in; the application commits. Driver errors are thrown as they are, so that its own retry works.
   */
  writeIn<T>(
    session: unknown,
    locked: LockedScope,
    work: { readonly keys: readonly DocumentKey[]; readonly decide: WrittenDecision<T> },
  ): Promise<T>;
}

/** A store that may have transactions of the application. */
export interface OpenStore extends SyncStore {
  /** Absent = it has none. */
  readonly scope_writes?: ScopeWrites;
}

/** Why a write of the application was refused. Nothing of it is stored. */
export const SCOPE_WRITE_REASONS = {
  invalid_scope:
    'scope_id and actor_id are texts of 1 to 128 characters without control characters',
  invalid_document: 'the collection is not configured, or the id is not of its type',
  change_refused: 'the document cannot be synced as it is; see code and issues',
  document_refused: 'the database did not accept the fields of the engine in the document',
  document_too_large: 'the document is larger than max_document_bytes',
  too_many_documents: 'more documents than push_max_changes were written; use several writes',
  bundle_too_large: 'the documents are too large for one bundle; use several writes',
  scope_move_unsupported: 'the document belongs to another scope, or would after the write',
  engine_fields_changed: 'fields that begin with _sync_ were changed; leave them to the engine',
  nothing_written: 'no document was recorded, so that clients would never hear of the write',
  document_missing: 'an upsert was recorded and the document is not there',
  document_present: 'a delete was recorded and the document is still there',
  write_ended: 'the function that was given to withScopeWrite has ended; await everything in it',
  too_slow: 'the function took longer than a scope may be locked',
  unsupported:
    'this store has no transactions of the application; use upsert and delete of withScopeWrite',
  transaction_required: 'the session is not in a transaction',
  foreign_session: 'the session belongs to another client; give createSyncServer your client',
  lock_not_first:
    'another statement ran in the transaction before; call buildSyncMetadata first, or accept transient errors',
  unknown_metadata:
    'metadata must be the object that buildSyncMetadata gave in this very transaction',
} as const;
/** Why a write of the application was refused: a key of `SCOPE_WRITE_REASONS`. */
export type ScopeWriteReason = keyof typeof SCOPE_WRITE_REASONS;

/** A write of the application that was refused; it was rolled back, or must be. */
export class ScopeWriteError extends Error {
  readonly reason: ScopeWriteReason;
  /** The document at fault, when one is. */
  readonly document: DocumentKey | undefined;
  /** Of `change_refused`: the code of the rejection and what was wrong where. */
  readonly code: string | undefined;
  readonly issues: readonly { readonly path: string; readonly code: string }[];

  constructor(
    reason: ScopeWriteReason,
    facts: {
      readonly document?: DocumentKey;
      readonly code?: string;
      readonly issues?: readonly { readonly path: string; readonly code: string }[];
    } = {},
  ) {
    const { document, code, issues = [] } = facts;
    const place = document === undefined ? '' : ` (${document.collection}/${document.doc_id})`;
    super(`${SCOPE_WRITE_REASONS[reason]}${code === undefined ? '' : `: ${code}`}${place}`);
    this.name = 'ScopeWriteError';
    this.reason = reason;
    this.document = document;
    this.code = code;
    this.issues = issues;
  }
}
