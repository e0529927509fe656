/**
 * The port to documents that other programs write too: a scan of whole collections, a look at single
 * documents, a feed of hints, and the record of an adoption. Nothing here decides anything; what is
 * found is taken over through `commitGroup`. All reads are majority reads and not filtered by scope.
 */

import type { DocumentKey, DocumentTrace, StoredDocument } from './records.ts';

/** One document of a scan. */
export interface ScannedDocument {
  /** BSON type of its `_id`; the four that can be synced by their names in the configuration. */
  readonly id_kind: string;
  /** Stored size, bytes. */
  readonly bytes: number;
  /** Null when its `_id` is not of the configured type: no client can name it. */
  readonly document: StoredDocument | null;
}

/** One document of a look, with its stored size, bytes. */
export interface FoundDocument {
  readonly document: StoredDocument;
  readonly bytes: number;
}

/** Part of a scan, in `_id` order. `position` is where a later scan may go on. */
export interface ScanBatch {
  readonly documents: readonly ScannedDocument[];
  readonly position: string;
}

/** Hints of what was written, at least once each. */
export interface FeedBatch {
  readonly keys: readonly DocumentKey[];
  /** Collections that were dropped, renamed or replaced: they have to be compared as a whole. */
  readonly whole: readonly string[];
  /** True when nothing more had arrived. */
  readonly drained: boolean;
  /** To go on behind this batch. */
  readonly token: string;
}

/** An open feed. */
export interface ForeignFeed {
  /** The next hints; an empty batch after about a second without any. */
  next(): Promise<FeedBatch>;
  close(): Promise<void>;
}

/** Where capture of these collections goes on. */
export interface FeedPlace {
  /** Null = compare first. */
  readonly token: string | null;
  /** Collections that were compared once: from then on, what the engine wrote has a trace. */
  readonly compared: readonly string[];
}

/** What happened to the documents of a collection in an adoption. */
export interface MigrationCounts {
  readonly scanned: number;
  readonly stamped: number;
  readonly rows: number;
  readonly skipped: number;
}

/** How far the adoption of a collection is. */
export interface MigrationRecord {
  readonly collection: string;
  /** Names this adoption: what it left is told apart by it. */
  readonly run: string;
  /** `stamping`: versions; `barriers`: reset rows; `done`: later documents leave rows. */
  readonly state: 'stamping' | 'barriers' | 'done';
  readonly position: string | null;
  readonly counts: MigrationCounts;
  /** By the clock of the process that began. */
  readonly started_ms: number;
}

/** The right to adopt, held by one process. */
export interface MigrationLease {
  /** False once another process took it over. */
  readonly held: boolean;
  release(): Promise<void>;
}

/** Everything about documents that other programs write. */
export interface ForeignStore {
  scan(
    collection: string,
    options: { readonly position: string | null; readonly batch_size: number },
  ): AsyncIterable<ScanBatch>;
  scanTraces(collection: string, batch_size: number): AsyncIterable<readonly DocumentTrace[]>;
  /** Estimated number of documents of a collection. */
  count(collection: string): Promise<number>;
  /** One after the other: together they may be larger than the memory. */
  findDocuments(keys: readonly DocumentKey[]): AsyncIterable<FoundDocument>;
  findTraces(keys: readonly DocumentKey[]): Promise<readonly DocumentTrace[]>;
  /**
   * Opens the feed behind `token`, or at this moment. Throws `StoreError` `history_lost` when the
   * database has forgotten that place, `unsupported` when it gives no such feed.
   */
  openFeed(collections: readonly string[], token: string | null): Promise<ForeignFeed>;
  /** The saved place of a feed; its token only when it is of exactly these collections. */
  readFeedPlace(collections: readonly string[]): Promise<FeedPlace>;
  /** Saves where to go on, after the collections were compared; null = compare again. */
  saveFeedToken(collections: readonly string[], token: string | null): Promise<void>;
  readMigration(collection: string): Promise<MigrationRecord | null>;
  writeMigration(record: MigrationRecord): Promise<void>;
  /** Null when another process adopts now; waits until a dead one is known to be dead. */
  acquireLease(): Promise<MigrationLease | null>;
}
