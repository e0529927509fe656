/** The part of a store's upkeep that concerns its history and the processes that work with it. */

/** Barriers that clients are owed. `run` names the occasion. */
export interface PendingResets {
  readonly run: string;
  readonly collections: readonly string[];
}

/** Identity of a store's history. */
export interface StoreMeta {
  readonly schema_level: number;
  readonly epoch: string;
  /** 64 hex digits; never logged. */
  readonly cursor_key: string;
  readonly catalogue_hash: string;
  /** Barriers that clients are owed; absent = none. */
  readonly pending_resets?: readonly PendingResets[];
  /** True while everything is being removed: nobody may serve or set up. */
  readonly removing?: boolean;
}

/** History and processes. */
export interface HistoryUpkeep {
  /**
   * Tells other processes that this one works with the store; from then on `liveProcesses` counts it.
   * Completes what a killed process began. Throws `locked` where only one may write and another does.
   */
  announce(): Promise<void>;
  /** Other processes that work with the store now. Always 0 where a store admits only one. */
  liveProcesses(): Promise<number>;
  /** Begins another history, and owes clients a barrier in each of the collections, in one step. */
  renewEpoch(epoch: string, collections: readonly string[]): Promise<void>;
  /** The barriers of a run stand. */
  resetsWritten(run: string): Promise<void>;
}
