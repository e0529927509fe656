/** What a store keeps: heads, oplog rows, documents, tombstones, receipts and conflicts, as records. */

import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';

/** A document by collection and canonical id. */
export interface DocumentKey {
  readonly collection: string;
  readonly doc_id: string;
}

/** The head of a scope: the newest version and the counters. An absent head has version "" and zeros. */
export interface ScopeHead {
  readonly scope_id: string;
  readonly head_version: Hlc | '';
  /** Rows committed in this scope so far (dense, from 1). */
  readonly head_seq: number;
  /** Bundles committed in this scope so far (dense, from 1). */
  readonly head_bundle_seq: number;
  /** Physical part of the newest version, ms. */
  readonly hlc_p: number;
  /** Counter of the newest version. */
  readonly hlc_c: number;
  /** Version before the first row of a converted log; "" for a log that was always ours. */
  readonly chain_start: Hlc | '';
}

/** Effect of a row. `reset` is a barrier that pull never delivers. */
export type Operation = 'upsert' | 'delete' | 'remove' | 'reset';
/** Where a row came from. `external` = a foreign write, found on touch or by capture. */
export type Origin = 'push' | 'server' | 'migrate' | 'external';

/** A row of the oplog as it is written. */
export interface OplogRow {
  readonly version: Hlc;
  readonly scope_id: string;
  readonly seq: number;
  /** Version before this one in the scope; "" for the first. */
  readonly prev: Hlc | '';
  readonly bundle_seq: number;
  /** Place in the bundle, from 0, and rows of the bundle. */
  readonly ordinal: number;
  readonly bundle_rows: number;
  readonly collection: string;
  readonly doc_id: string | null;
  readonly operation: Operation;
  readonly data: JsonObject | null;
  /** Same content with `$numberLong` wrappers kept where the writer asked for that type. */
  readonly typed: JsonObject | null;
  readonly actor_id: string | null;
  readonly client_id: string | null;
  readonly mutation_id: string | null;
  readonly change_version: Hlc | null;
  /** Version of the document that this row replaced; null on create. */
  readonly parent_version: Hlc | null;
  readonly origin: Origin;
  /** Physical part of the version, ms; for expiry only. */
  readonly timestamp_ms: number;
}

/** A document with its engine fields. Unmigrated documents have null scope and version. */
export interface StoredDocument {
  readonly collection: string;
  readonly doc_id: string;
  readonly scope_id: string | null;
  readonly version: Hlc | null;
  readonly change_version: Hlc | null;
  /** Content hash written with `version`. */
  readonly hash: string | null;
  readonly actor_id: string | null;
  readonly client_id: string | null;
  readonly data: JsonObject;
  /** True when the document holds types outside the closed list: it is served, never written. */
  readonly read_only: boolean;
  /**
   * True when it stands there marked as deleted: by the engine when it has a version and no hash (a
   * tombstone in place), else by the application, which the engine has not heard of yet.
   */
  readonly soft_deleted?: boolean;
  /** True when its content is too large for a row: clients hear of it by a barrier. Never written. */
  readonly too_large?: boolean;
}

/** Memory of a captured document, so that its deletion by a foreign writer is noticed. */
export interface DocumentTrace {
  readonly scope_id: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly version: Hlc;
}

/** A deleted document of a scope. */
export interface Tombstone {
  readonly scope_id: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly version: Hlc;
  readonly change_version: Hlc;
  readonly client_id: string | null;
  /** When it was written, ms; for expiry only. */
  readonly at_ms: number;
}

/** Answer of a mutation that had an effect, without documents (they are read again). */
export interface StoredResult {
  readonly status: 'accepted' | 'conflict_resolved';
  readonly resolution: 'applied' | 'incoming' | 'current' | 'noop';
  readonly new_version: Hlc | null;
  readonly server_version: Hlc | null;
  readonly bundle_seq: number | null;
}

/** A stored answer. `hash` identifies the mutation's content. */
export interface Receipt {
  readonly scope_id: string;
  readonly actor_id: string;
  readonly client_id: string;
  readonly mutation_id: string;
  readonly hash: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly result: StoredResult;
  readonly at_ms: number;
}

/** One side of a conflict. */
export interface ConflictSide {
  readonly operation: 'upsert' | 'delete';
  readonly data: JsonObject | null;
  readonly version: Hlc | null;
  readonly change_version: Hlc | null;
  readonly client_id: string | null;
}

/** A detected conflict with both sides, so that the loser is kept. Repeats of one conflict share its id. */
export interface ConflictEntry {
  readonly conflict_id: string;
  readonly scope_id: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly conflict_type: 'modified_both' | 'deleted_remote' | 'deleted_local';
  readonly winner: 'incoming' | 'current';
  readonly actor_id: string;
  readonly client_id: string;
  readonly mutation_id: string | null;
  readonly parent_version: Hlc | null;
  /** The pushed side and the server's side at that moment. */
  readonly local: ConflictSide;
  readonly remote: ConflictSide;
  readonly at_ms: number;
}

/** Place of a row in its scope. */
export interface RowPosition {
  readonly version: Hlc;
  readonly prev: Hlc | '';
  readonly seq: number;
}

/** A row as pull reads it: the fields that decide, and its ready wire text (see `openPullLine`). */
export interface OplogRead extends RowPosition {
  readonly bundle_seq: number;
  readonly ordinal: number;
  readonly bundle_rows: number;
  readonly collection: string;
  readonly doc_id: string | null;
  readonly operation: Operation;
  readonly origin: Origin;
  readonly line: string;
}
