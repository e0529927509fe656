/** Every number the protocol bounds: default, hard maximum and unit. Configuration may only lower a maximum. */

/** A bound with its default and the most that configuration may allow. */
export interface Limit {
  readonly default: number;
  readonly max: number;
  readonly unit: string;
}

/** The limits a deployment may change, by their configuration key. */
export const LIMITS = {
  push_max_changes: { default: 500, max: 1_000, unit: 'changes' },
  max_body_bytes: { default: 8_388_608, max: 8_388_608, unit: 'bytes' },
  max_document_bytes: { default: 1_048_576, max: 1_048_576, unit: 'bytes' },
  pull_default_limit: { default: 500, max: 1_000, unit: 'rows' },
  pull_max_limit: { default: 1_000, max: 1_000, unit: 'rows' },
  pull_max_bytes: { default: 8_388_608, max: 8_388_608, unit: 'bytes' },
  full_default_limit: { default: 1_000, max: 5_000, unit: 'documents' },
  full_max_limit: { default: 5_000, max: 5_000, unit: 'documents' },
  max_clock_drift_ms: { default: 60_000, max: 86_400_000, unit: 'ms' },
} as const satisfies Record<string, Limit>;

/** The limits of live delivery that a deployment may change, by their key below `stream`. */
export const STREAM_LIMITS = {
  max_connections: { default: 10_000, max: 10_000, unit: 'connections' },
  max_connections_per_actor: { default: 10, max: 10_000, unit: 'connections' },
  max_unauthenticated: { default: 200, max: 10_000, unit: 'connections' },
  max_events_per_actor: { default: 4, max: 10_000, unit: 'streams' },
  buffer_bytes: { default: 1_048_576, max: 1_048_576, unit: 'bytes' },
} as const satisfies Record<string, Limit>;

/** Bytes of one message of a client of the stream; messages it may send at once and per second. */
export const STREAM_MESSAGE_BYTES_MAX = 65_536;
export const STREAM_MESSAGES_BURST = 40;
export const STREAM_MESSAGES_PER_SECOND = 20;
/** Parts that a client may cut one message into. */
export const STREAM_FRAGMENTS_MAX = 64;
/** How long a connection may be without a subscription, ms. */
export const STREAM_SUBSCRIBE_MS = 10_000;
/** How often the stream pings, and how many answers may be missing before a connection is cut. */
export const STREAM_PING_MS = 30_000;
export const STREAM_MISSED_PONGS_MAX = 2;
/** How long a lost permission can go on on an open connection, ms. */
export const STREAM_RECHECK_MS = 60_000;

/** Stored bytes of one bundle; a larger push is refused with 413 `bundle_too_large`. */
export const BUNDLE_BYTES_MAX = 8_388_608;
/** Stored bytes of a document that a row of a foreign write can hold; a larger one becomes a barrier. */
export const ROW_DOCUMENT_BYTES_MAX = 15_990_000;
/** Rows a pull reads beyond `limit`, so that a page can run to the end of its bundle. */
export const PULL_SCAN_EXTRA_ROWS = 1_000;
/** Rows a pull with a collection filter reads at most. */
export const PULL_SCAN_FILTERED_ROWS = 5_000;

/** Pushes, changes and bytes of one group commit, unless one push alone is larger. */
export const GROUP_PUSHES_MAX = 64;
export const GROUP_CHANGES_MAX = 500;
export const GROUP_BYTES_MAX = 4_194_304;
/** Pushes and bytes that may wait for one scope before 503. */
export const QUEUE_PUSHES_MAX = 1_000;
export const QUEUE_BYTES_MAX = 33_554_432;
/** Bytes that may wait for all scopes of a process before 503. */
export const QUEUE_TOTAL_BYTES_MAX = 268_435_456;
/** How long a push may take from its arrival to its commit, ms. */
export const PUSH_DEADLINE_MS = 10_000;
/** How often a group runs again because a drawn version existed already. */
export const VERSION_TAKEN_RETRIES_MAX = 3;
/** Groups that commit at the same time in one process (one session each on MongoDB). */
export const COMMIT_SLOTS_MAX = 16;
/** Entries of the per-process map of drawn counters. */
export const DRAWN_ENTRIES_MAX = 10_000;

/** Nesting of arrays and objects in a request body and in a document. */
export const DEPTH_MAX = 32;
/** Structural tokens (brackets, commas, colons) of one request body. */
export const TOKENS_MAX = 200_000;
/** Keys of one document, items of one array, characters of one key. */
export const DOCUMENT_KEYS_MAX = 2_000;
export const ARRAY_ITEMS_MAX = 100_000;
export const KEY_LENGTH_MAX = 256;

/** Characters of the ids. */
export const DOC_ID_LENGTH_MAX = 256;
export const CLIENT_ID_LENGTH_MAX = 128;
export const MUTATION_ID_LENGTH_MAX = 64;
export const IDENTITY_LENGTH_MAX = 128;

/** Rows that a status counts exactly. */
export const STATUS_PENDING_MAX = 1_000;

/** Names in one `collections` parameter; characters of a cursor (an id may be 256 wide ones); its life, ms. */
export const COLLECTIONS_PER_REQUEST_MAX = 50;
export const CURSOR_LENGTH_MAX = 1_536;
export const CURSOR_LIFETIME_MS = 86_400_000;
/** Bytes of a request URI and of a token. */
export const URI_BYTES_MAX = 8_192;
export const TOKEN_BYTES_MAX = 8_192;

/** How often, and how long in all (ms), a full page waits for a head that is behind its walk. */
export const FULL_HEAD_WAITS_MAX = 20;
export const FULL_HEAD_WAIT_MS = 50;

/** Rows deleted in one slice of the embedded store's own pruner. */
export const PRUNE_SLICE_ROWS = 500;
/** At most one upsert of a client's record per this time, ms; records remembered for that. */
export const CLIENT_SEEN_EVERY_MS = 60_000;
export const CLIENT_SEEN_ENTRIES_MAX = 10_000;
