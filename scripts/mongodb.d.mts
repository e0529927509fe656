/** Types of `mongodb.mjs`, for the tests that start a server of their own. */

/** Each option asks for a server of our own. */
export interface MongoOptions {
  /** Every acknowledged write is on disk; needed where a kill is tested. */
  syncOnCommit?: boolean | undefined;
  /** Fail points. */
  testCommands?: boolean | undefined;
  /** Folder that outlives the server; a temporary one otherwise. */
  storagePath?: string | undefined;
  /** A user and a password in the URI. */
  auth?: boolean | undefined;
  standalone?: boolean | undefined;
  oplogMaxEntries?: number | undefined;
  /** Where a server that stands still writes what its threads do; no demand on the server. */
  stallFile?: string | undefined;
  /** A free one otherwise. */
  port?: number | undefined;
}

/** A running server. `pid` is undefined when it is not ours. */
export interface StartedMongo {
  readonly uri: string;
  readonly kind: string;
  readonly pid?: number;
  stop(): Promise<void>;
}

export function startMongo(options?: MongoOptions): Promise<StartedMongo>;
