/**
 * What crosses the thread boundary. Rows travel as flat arrays of strings and numbers in the order
 * of the statement that binds them, because copying those costs a fraction of copying objects.
 */

import type { StoreErrorKind, SetupStep, WantedLayout } from '../../core/ports/store.ts';
import type { SqlValue } from './sqlite-driver.ts';

/** Columns of one row. */
export type Row = readonly SqlValue[];

/** Columns of `sync_scopes` as they travel: version, seq, bundle_seq, hlc_p, hlc_c, chain_start. */
export type HeadRow = readonly [string, number, number, number, number, string];

/** What a group loads. */
export interface LoadMessage {
  readonly scope_id: string;
  /** One entry per change: collection, doc_id, parent_version. */
  readonly documents: readonly (readonly [string, string, string | null])[];
  /** Scopes, then actor, client and mutation. */
  readonly receipts: readonly ReceiptKeyRow[];
}

/** A receipt key: its scopes, then actor_id, client_id and mutation_id. */
export type ReceiptKeyRow = readonly [readonly string[], string, string, string];

/** What the load found. `floor` undefined = not needed. */
export interface LoadedMessage {
  readonly head: HeadRow;
  readonly receipts: readonly Row[];
  readonly tombstones: readonly Row[];
  readonly documents: readonly Row[];
  readonly parents: readonly Row[];
  readonly floor: string | null | undefined;
}

/** What a group writes. */
export interface PlanMessage {
  /** Documents that must not exist yet, all columns. */
  readonly inserts: readonly Row[];
  /** New columns, then the key, scope and guard of the document to replace. */
  readonly updates: readonly Row[];
  /** Key, scope and guard of documents to delete. */
  readonly deletes: readonly Row[];
  readonly putTombstones: readonly Row[];
  readonly dropTombstones: readonly Row[];
  readonly rows: readonly Row[];
  readonly receipts: readonly Row[];
  readonly conflicts: readonly Row[];
  readonly head: HeadRow;
}

/** Lifetimes as times before which rows may go, ms; null = keep. */
export interface ExpireMessage {
  readonly oplog_before_ms: number;
  readonly receipts_before_ms: number;
  readonly tombstones_before_ms: number | null;
  readonly conflicts_before_ms: number;
}

/** Work of the writer thread by name: what it takes and what it gives back. */
export interface WriterTasks {
  /** Opens a transaction and leaves it open for `write` or `abort`. */
  load: { takes: LoadMessage; gives: LoadedMessage };
  write: { takes: PlanMessage; gives: null };
  abort: { takes: null; gives: null };
  setup: { takes: WantedLayout & { readonly now_ms: number }; gives: readonly SetupStep[] };
  prune: { takes: { readonly scope_id: string; readonly seq: number }; gives: number };
  /** `more` = scopes are left that this slice did not look at. */
  expire: { takes: ExpireMessage; gives: { readonly rows: number; readonly more: boolean } };
  client: { takes: Row; gives: null };
  epoch: {
    takes: { readonly epoch: string; readonly collections: readonly string[] };
    gives: null;
  };
  resets: { takes: string; gives: null };
  close: { takes: null; gives: null };
}

/**
 * Rows of a range: their lines, and their other columns separated by tabs, each row ended by a line
 * feed. Neither character occurs in a line or in a column.
 */
export interface RowsMessage {
  readonly lines: string;
  readonly fields: string;
}

/** Which part of a full resync is read. */
export interface PageMessage {
  readonly part: 'documents' | 'tombstones';
  readonly scope_id: string;
  readonly collection: string;
  readonly after: string | null;
  readonly limit: number;
}

/** Work of the reader thread by name. */
export interface ReaderTasks {
  rows: {
    takes: {
      readonly scope_id: string;
      readonly after_seq: number;
      readonly max_rows: number;
      readonly enough_rows: number;
      readonly max_bytes: number;
    };
    gives: RowsMessage;
  };
  page: {
    takes: PageMessage;
    gives: {
      readonly text: string;
      readonly count: number;
      readonly last_id: string | null;
      readonly more: boolean;
    };
  };
  documents: {
    takes: { readonly scope_id: string; readonly keys: readonly (readonly [string, string])[] };
    gives: readonly Row[];
  };
  close: { takes: null; gives: null };
}

/** Set of tasks that a worker serves. */
export type TaskMap = Record<string, { takes: unknown; gives: unknown }>;

/** A request to a worker. */
export interface TaskRequest {
  readonly id: number;
  readonly task: string;
  readonly input: unknown;
}

/**
 * Why a task failed. `retry` = nothing was written and a repeat may succeed; `fatal` = the thread
 * stopped for good; `other` = no failure of the store but a bug.
 */
export interface TaskFailure {
  readonly kind: StoreErrorKind | 'retry' | 'fatal' | 'other';
  readonly message: string;
  readonly cause: string;
}

/** Answer of a worker. */
export type TaskReply =
  | { readonly id: number; readonly output: unknown; readonly failure?: undefined }
  | { readonly id: number; readonly failure: TaskFailure };
