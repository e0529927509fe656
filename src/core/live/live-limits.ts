/** Bounds of live delivery, as one value, so that tests can make them small. */

/** Rows, bytes of wire text, and ms. */
export interface LiveLimits {
  /** What the memory of one scope holds at most, and of all scopes together. */
  readonly memory_rows: number;
  readonly memory_bytes: number;
  readonly memory_total_bytes: number;
  /** Newest rows that a memory begins with: most clients that come back need no more. */
  readonly seed_rows: number;
  readonly seed_bytes: number;
  /** One read that closes a gap. */
  readonly gap_rows: number;
  readonly gap_bytes: number;
  /** A page of replay. */
  readonly replay_rows: number;
  readonly replay_bytes: number;
  /** Pages that are read at the same time. */
  readonly replay_reads: number;
  /** How long a page is kept for others who are at the same place, and how many bytes are kept. */
  readonly replay_kept_ms: number;
  readonly replay_kept_bytes: number;
  /** A scope without subscribers is forgotten after this time. */
  readonly linger_ms: number;
  /** A reader that has taken nothing for so long, with something to take, is cut off. */
  readonly slow_reader_ms: number;
  /** Bytes that all readers together may leave untaken before the longest stalled is cut off. */
  readonly untaken_total_bytes: number;
  /** Readers that are woken before others have their turn. */
  readonly woken_at_once: number;
}

/** The bounds of a server. */
export const LIVE_LIMITS: LiveLimits = {
  memory_rows: 1_000,
  memory_bytes: 1_048_576,
  memory_total_bytes: 67_108_864,
  seed_rows: 200,
  seed_bytes: 262_144,
  gap_rows: 1_000,
  gap_bytes: 1_048_576,
  replay_rows: 500,
  replay_bytes: 1_048_576,
  replay_reads: 16,
  replay_kept_ms: 2_000,
  replay_kept_bytes: 16_777_216,
  linger_ms: 30_000,
  slow_reader_ms: 10_000,
  untaken_total_bytes: 268_435_456,
  woken_at_once: 128,
};

/** How often readers are looked at, ms. */
export const SWEEP_EVERY_MS = 1_000;
/** How often heads are compared: while a feed is followed, and while there is none, ms. */
export const WATCHDOG_EVERY_MS = 5_000;
export const POLL_EVERY_MS = 500;
/** Pause before a feed is opened again, ms: doubled with each failure up to the second. */
export const REOPEN_FIRST_MS = 500;
export const REOPEN_MAX_MS = 10_000;
/** Pause before a feed is asked for again that the database refused: a right may be granted, ms. */
export const REFUSED_PAUSE_MS = 30_000;
/** Heads that are read at once. */
export const HEADS_PER_READ = 1_000;
