/** Exit codes of the command line; scripts rely on them. */

/** Code by meaning. */
export const EXIT = {
  ok: 0,
  runtime: 1,
  /** Wrong usage or configuration. */
  usage: 2,
  /** The database is unreachable or was not initialised. */
  database: 3,
  /** Something was verified and is not as it must be. */
  verification: 4,
  /** A lock is held, or the database has a newer schema. */
  conflict: 5,
  /** Ended by SIGINT. */
  interrupted: 130,
} as const;

/** One of the codes above. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
