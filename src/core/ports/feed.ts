/**
 * The change feed: tells that rows were committed, by whichever process. It may repeat itself, leave
 * rows out and break at any time; whoever listens joins rows by their chain and reads what is missing
 * from the store. So no place of a feed is ever stored.
 */

import type { OplogRead } from './records.ts';

/** What a feed tells. Neither may throw. */
export interface FeedListener {
  /** Rows of one scope, in the order of their `seq`. They may repeat earlier ones or leave some out. */
  rows(scope_id: string, rows: readonly OplogRead[]): void;
  /** Rows may have been missed: called at most once, and nothing comes after it. */
  ended(cause: unknown): void;
}

/** A feed that is being followed. */
export interface OpenFeed {
  /** Nothing is told any more once this was called. */
  close(): Promise<void>;
}

/** Where a process hears of commits. */
export interface ChangeFeed {
  /** Resolves once every row that is committed from now on will be told. Throws `StoreError`. */
  open(listener: FeedListener): Promise<OpenFeed>;
}
