/**
 * The storage port `SyncStore`: what the engine asks of a database. Two adapters implement it today
 * (`storage/mongo`, `storage/embedded`); `test/contract/store.contract.ts` is its executable meaning.
 *
 * Documents cross the port in canonical wire form (JSON with the closed Extended JSON list). A store
 * converts to its own types inside, and every read and write is filtered by scope inside the store.
 * The one exception is the load of a group, which reads documents by id alone, so that `decide` can
 * refuse another scope's document.
 */

import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { RejectionCode } from '../../protocol/pure/error-codes.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import type { ChangeFeed } from './feed.ts';
import type { HistoryUpkeep, StoreMeta } from './history.ts';
import type { ForeignStore } from './foreign.ts';
import type {
  ConflictEntry,
  DocumentKey,
  DocumentTrace,
  OplogRead,
  OplogRow,
  Receipt,
  RowPosition,
  ScopeHead,
  StoredDocument,
  Tombstone,
} from './records.ts';

export type { DocumentKey, OplogRead, RowPosition } from './records.ts';

/** Who made a mutation, and its id. Looked up over all scopes that the identity holds. */
export interface ReceiptKey {
  readonly scope_ids: readonly string[];
  readonly actor_id: string;
  readonly client_id: string;
  readonly mutation_id: string;
}

/** What `commitGroup` reads under the head lock. */
export interface GroupLoad {
  readonly receipts: readonly ReceiptKey[];
  /**
   * Documents that the changes name, one entry per change. The retained rows among the
   * `parent_version`s come back in `parents`.
   */
  readonly documents: readonly (DocumentKey & { readonly parent_version: Hlc | null })[];
  /** Documents whose traces are needed as well; absent = none. */
  readonly traces?: readonly DocumentKey[];
}

/** A retained row that a change names as its parent. */
export interface ParentRow {
  readonly version: Hlc;
  readonly collection: string;
  readonly doc_id: string | null;
  readonly change_version: Hlc | null;
}

/** What the store found under the lock. */
export interface GroupSnapshot {
  readonly head: ScopeHead;
  /** The store's clock: the database's on MongoDB, the process clock on the embedded store, ms. */
  readonly now_ms: number;
  readonly receipts: readonly Receipt[];
  /** Of the group's own scope only. */
  readonly tombstones: readonly Tombstone[];
  readonly documents: readonly StoredDocument[];
  readonly parents: readonly ParentRow[];
  /** Traces that the load asked for, of the group's own scope; absent = none. */
  readonly traces?: readonly DocumentTrace[];
  /**
   * Version of the first retained row of the scope, null when no row is retained. Loaded only when
   * `needsFloor` says so; undefined otherwise.
   */
  readonly floor: Hlc | null | undefined;
}

/** Names a change of the group: number of its push and its index there. */
export type ChangeRef = `${number}:${number}`;

/** State of a document that a write expects; null = it must not exist. */
export interface WriteGuard {
  readonly version: Hlc | null;
  readonly hash: string | null;
}

/** One document to write or to drop. `change` is blamed when the database refuses the document. */
export type DocumentWrite =
  | {
      readonly kind: 'put';
      readonly change: ChangeRef;
      readonly guard: WriteGuard | null;
      readonly document: Omit<StoredDocument, 'read_only' | 'scope_id' | 'version'> & {
        readonly scope_id: string;
        readonly version: Hlc;
        readonly typed: JsonObject | null;
      };
      /**
       * True when the content is what is stored: then only the engine's fields are written, so that
       * the user's fields keep their types and order to the byte. Never without a guard.
       */
      readonly as_stored?: boolean;
    }
  | {
      /** The document leaves the scope: it stays as it is, without the engine's fields. */
      readonly kind: 'release';
      readonly change: ChangeRef;
      readonly guard: WriteGuard;
      readonly collection: string;
      readonly doc_id: string;
      readonly scope_id: string;
    }
  | {
      /**
       * The document is deleted; the plan holds its tombstone. A store that keeps tombstones in place
       * marks the document instead and needs no second record.
       */
      readonly kind: 'drop';
      readonly change: ChangeRef;
      readonly guard: WriteGuard;
      readonly collection: string;
      readonly doc_id: string;
      readonly scope_id: string;
    };

/** Everything a group writes, as data. An empty plan writes nothing and leaves no trace. */
export interface GroupPlan {
  readonly documents: readonly DocumentWrite[];
  readonly tombstones: {
    readonly put: readonly Tombstone[];
    readonly drop: readonly (DocumentKey & { readonly scope_id: string })[];
  };
  readonly rows: readonly OplogRow[];
  readonly receipts: readonly Receipt[];
  readonly conflicts: readonly ConflictEntry[];
  /** Traces of captured documents; absent = none changes. */
  readonly traces?: {
    readonly put: readonly DocumentTrace[];
    readonly drop: readonly (DocumentKey & { readonly scope_id: string })[];
  };
  /** The head after the group. Without a row only its clock may move: by versions of documents alone. */
  readonly head: ScopeHead;
}

/** What a decision gives back: the plan, and a value that the caller gets with the commit. */
export interface Decision<T> {
  readonly plan: GroupPlan;
  readonly outcome: T;
}

/** Changes that the database refused in an earlier attempt, each with its rejection code. */
export type RefusedChanges = ReadonlyMap<ChangeRef, RejectionCode>;

/** The work of one group on one scope. */
export interface CommitGroup<T> {
  readonly load: GroupLoad;
  /**
   * Pure: no clock, randomness, log, metric or adapter call inside. Runs once per attempt, so
   * possibly several times; runs on the calling thread.
   */
  decide(snapshot: GroupSnapshot, refused: RefusedChanges): Decision<T> | Promise<Decision<T>>;
  /** Time left for all attempts, ms. After it the store throws `deadline`. */
  readonly budget_ms: number;
}

/** What `commitGroup` resolves with, once the plan is durable. */
export interface Committed<T> {
  readonly outcome: T;
  /** False when the plan was empty and nothing was written. */
  readonly written: boolean;
  readonly attempts: number;
}

/** A bounded range of one scope's rows in `seq` order: one read, one batch. */
export interface RowRange {
  readonly scope_id: string;
  readonly after_seq: number;
  readonly max_rows: number;
  /**
   * A store that reads row by row may stop at the end of the bundle that holds the row of this
   * number; others read on to `max_rows`.
   */
  readonly enough_rows?: number;
  /** Stop after about this many bytes of wire text (at least one row comes back). */
  readonly max_bytes: number;
}

/** Part of a full page: ready lines, each ending in a line feed, in id order. */
export interface LineBatch {
  readonly text: string;
  readonly count: number;
  /** Where the next batch goes on, opaque to the caller; null when the batch is empty. */
  readonly last_id: string | null;
  readonly more: boolean;
}

/** Where a batch of a full page starts. `after` is `last_id` of the batch before, null at the beginning. */
export interface LineRange {
  readonly collection: string;
  readonly after: string | null;
  readonly limit: number;
}

/** Reads for one page of a full resync, all in one causally consistent session, all of one scope. */
export interface FullWalk {
  head(): Promise<ScopeHead | null>;
  /** Current documents that have a version, without those marked as deleted. */
  documents(range: LineRange): Promise<LineBatch>;
  /** Deleted documents, each once, wherever their tombstone stands. */
  tombstones(range: LineRange): Promise<LineBatch>;
  close(): Promise<void>;
}

/** Reads of heads. */
export interface ScopeReads {
  /** Head and, when `since` is a row of the scope, its place: one round trip. Never creates a head. */
  readScope(
    scope_id: string,
    since: Hlc | null,
  ): Promise<{ head: ScopeHead | null; at: RowPosition | null }>;
  /** The head as the newest primary has it (linearizable), before an answer "stale". */
  confirmHead(scope_id: string): Promise<ScopeHead | null>;
  /** Heads of these scopes, each once, in any order; a scope without a head is left out. */
  readHeads(scope_ids: readonly string[]): Promise<readonly ScopeHead[]>;
  /** Scope ids in order, after `after`, for operators. */
  listScopes(after: string | null, limit: number): Promise<readonly string[]>;
}

/** Reads of the oplog. */
export interface OplogReads {
  readRows(range: RowRange): Promise<readonly OplogRead[]>;
  /** The first retained row of the scope, or null. */
  firstRow(scope_id: string): Promise<RowPosition | null>;
}

/** Reads of documents and receipts. */
export interface DocumentReads {
  /** Receipts for these keys, read with majority and without a lock. */
  findReceipts(keys: readonly ReceiptKey[]): Promise<readonly Receipt[]>;
  /** Current documents of the scope for these keys; others are left out. */
  readDocuments(scope_id: string, keys: readonly DocumentKey[]): Promise<readonly StoredDocument[]>;
  openWalk(scope_id: string): FullWalk;
}

/** One collection of the configuration as the store needs it. */
export interface WantedCollection {
  readonly name: string;
  readonly id_type: IdType;
  /** What a delete leaves: a record beside the collection (default), or the marked document itself. */
  readonly tombstones?: 'sidecar' | 'in_place';
}

/** The layout that `init` makes and `serve` verifies. Lifetimes in seconds; 0 = for ever. */
export interface WantedLayout {
  readonly collections: readonly WantedCollection[];
  readonly oplog_ttl_seconds: number;
  readonly receipt_ttl_seconds: number;
  readonly tombstone_ttl_seconds: number;
  readonly conflict_ttl_seconds: number;
  /** Hash of the collections' configuration: a change only warns. */
  readonly catalogue_hash: string;
  /** Fresh random values, used only when the store has none yet. */
  readonly new_epoch: string;
  readonly new_cursor_key: string;
}

/** One line of a setup plan. `blocked` needs a person; nothing is applied while one is there. */
export interface SetupStep {
  readonly action: 'create' | 'present' | 'change' | 'blocked';
  readonly kind: 'collection' | 'index' | 'meta';
  readonly name: string;
  readonly detail: string;
  /** What a person should know although nothing is in the way. */
  readonly note?: string;
}

/** One finding of `checkLayout`. */
export interface LayoutCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Rows written before these times (ms) may go; null = keep. Only for stores with `retention: "own"`. */
export interface ExpiryBounds {
  readonly oplog_before_ms: number;
  readonly receipts_before_ms: number;
  readonly tombstones_before_ms: number | null;
  readonly conflicts_before_ms: number;
}

/** Setup, retention and health. */
export interface Upkeep extends HistoryUpkeep {
  /** What `applySetup` would do. Reads only. */
  planSetup(wanted: WantedLayout): Promise<readonly SetupStep[]>;
  /** Applies the plan; idempotent. Throws `layout_blocked` when a step is blocked. */
  applySetup(wanted: WantedLayout): Promise<readonly SetupStep[]>;
  /** Null when the store was never set up. */
  readMeta(): Promise<StoreMeta | null>;
  /** Whether collections and indexes are as wanted. */
  checkLayout(wanted: WantedLayout): Promise<readonly LayoutCheck[]>;
  /** One cheap round trip; throws `unavailable` when the database does not answer. */
  ping(): Promise<void>;
  /** Deletes rows of a scope up to and including `seq`, in ascending order. Returns how many. */
  prune(scope_id: string, seq: number): Promise<number>;
  /** Deletes one slice (≤ `PRUNE_SLICE_ROWS` rows of each kind). Returns how many rows went; 0 = done. */
  pruneExpired(bounds: ExpiryBounds): Promise<number>;
  /** Estimated number of oplog rows. */
  countOplog(): Promise<number>;
  /** Documents of a collection that have no version yet (they are invisible). */
  countUnmigrated(collection: string): Promise<number>;
  /** Upsert of `sync_clients`, outside any push transaction. */
  recordClient(client: { scope_id: string; client_id: string; actor_id: string }): Promise<void>;
  /** Waits for work, and not for a database that has gone away. Absent where it cannot go away. */
  unlessLost?(work: Promise<unknown>): Promise<void>;
  /** Ends what is open, and waits for no database that has gone away. */
  close(): Promise<void>;
}

/** Differences between stores, as data; the core has no other way to tell them apart. */
export interface StoreCapabilities {
  readonly name: 'mongo' | 'embedded' | 'memory';
  /** `replica_set`: concurrent processes; `serial`: one writer process; `none`: one, with a redo log. */
  readonly transactions: 'replica_set' | 'serial' | 'none';
  /** Whether the database expires rows itself or the server prunes in slices. */
  readonly retention: 'ttl' | 'own';
}

/**
 * [ST-1] Commit order of a scope = version order = `seq` order: the head is locked by a changing
 *   value first and written last.
 * [ST-2] A group is all or nothing, also for readers; an empty plan or an error leaves no trace.
 * [ST-3] `commitGroup` resolves only when the plan is durable.
 * [ST-4] While one group of a scope is being decided, no other group of that scope is.
 * [ST-5] `decide` may run several times; only the last decision counts.
 * [ST-6] Guards are checked: a document that is not as the guard says is never overwritten.
 * [ST-7] Receipts are unique by (scope_id, actor_id, client_id, mutation_id).
 * [ST-8] Reads are filtered by scope.
 */
export interface SyncStore extends ScopeReads, OplogReads, DocumentReads, Upkeep {
  readonly capabilities: StoreCapabilities;
  /** Null for a store that no other program writes to. */
  readonly foreign: ForeignStore | null;
  /** Null where commits must be looked for: heads are then polled. */
  readonly feed: ChangeFeed | null;
  commitGroup<T>(scope_id: string, group: CommitGroup<T>): Promise<Committed<T>>;
}

/** Why a store failed; the only thing the core learns about a driver. */
export type StoreErrorKind =
  /** The attempts ran out of time; nothing was written. */
  | 'deadline'
  /** The commit's result is unknown; a repeat with the same mutation ids tells. */
  | 'commit_unknown'
  /** A drawn version exists already: draw a new node id and run again. */
  | 'version_taken'
  /** The database cannot be reached or refuses work (also a full disk); nothing was written. */
  | 'unavailable'
  /** The statement failed for a reason the adapter does not know; nothing was written. */
  | 'failed'
  /** The deployment or its address cannot give what the store promises: a person must change it. */
  | 'unsupported'
  /** Another process holds the store (embedded) or a newer schema is there. */
  | 'locked'
  /** `applySetup` met a blocked step. */
  | 'layout_blocked'
  /** The database has forgotten the place that a feed should go on from. */
  | 'history_lost';

/** A failure of the store. The message is static text without addresses or data. */
export class StoreError extends Error {
  readonly kind: StoreErrorKind;
  constructor(kind: StoreErrorKind, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'StoreError';
    this.kind = kind;
  }
}
