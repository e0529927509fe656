/** Bounds of live delivery. */

/** Rows and bytes of wire text that the memory of one scope holds at most, and of all scopes together. */
export const MEMORY_ROWS_MAX = 1_000;
export const MEMORY_BYTES_MAX = 1_048_576;
export const MEMORY_TOTAL_BYTES_MAX = 67_108_864;
/** Newest rows that the memory of a scope begins with: most clients that come back need no more. */
export const SEED_ROWS = 200;
export const SEED_BYTES = 262_144;
/** Rows and bytes of one read that closes a gap. */
export const GAP_ROWS = 1_000;
export const GAP_BYTES = 1_048_576;
/** Rows and bytes of a page of replay. */
export const REPLAY_ROWS = 500;
export const REPLAY_BYTES = 1_048_576;
/** Pages that are read at the same time. */
export const REPLAY_READS_MAX = 16;
/** How long a page that was read is kept for others who are at the same place, ms, and how many bytes. */
export const REPLAY_KEPT_MS = 2_000;
export const REPLAY_KEPT_BYTES = 16_777_216;
/** A scope without subscribers is forgotten after this time, ms. */
export const CHANNEL_LINGER_MS = 30_000;
/** A reader that has taken nothing for so long, with something to take, is cut off, ms. */
export const SLOW_READER_MS = 10_000;
/** Bytes that all readers together may leave untaken before the longest stalled is cut off. */
export const UNTAKEN_TOTAL_BYTES_MAX = 268_435_456;
/** How often readers are looked at, ms. */
export const SWEEP_EVERY_MS = 1_000;
/** How often heads are compared: while a feed is followed, and while there is none, ms. */
export const WATCHDOG_EVERY_MS = 5_000;
export const POLL_EVERY_MS = 500;
/** Pause before a feed is opened again, ms: doubled with each failure up to the second. */
export const REOPEN_FIRST_MS = 500;
export const REOPEN_MAX_MS = 10_000;
/** Heads that are read at once. */
export const HEADS_PER_READ = 1_000;
