/** What the entry script does differently from the real server; it crosses to the process as JSON. */

/** Faults that a test plants in the MongoDB store to see its own oracle notice. */
export type Mutant =
  /** The head is locked first and never written last. */
  | 'head_not_written'
  /** The head is read from the newest row, neither locked nor written. */
  | 'head_not_locked';

/** Hooks of a test server. */
export interface ServerHooks {
  /** The database's time is wrong by up to this much, both ways, differently in each transaction, ms. */
  readonly skew_ms?: number;
  readonly mutant?: Mutant;
  /** Other times of the stream, ms, and how many sockets of one actor it takes. */
  readonly stream?: {
    readonly ping: number;
    readonly sweep: number;
    readonly max_connections_per_actor: number;
  };
}
