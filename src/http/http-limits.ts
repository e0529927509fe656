/** Bounds of the HTTP layer itself; the protocol's own are in `protocol/pure/limits.ts`. */

import { DEPTH_MAX } from '../protocol/pure/limits.ts';

/**
 * Nesting of a request body. Twice the depth of a document, so that a document that is a little too
 * deep is a rejection of its change, and only a body that could hurt the parser is refused whole.
 */
export const BODY_DEPTH_MAX = 2 * DEPTH_MAX;
/**
 * A body may have `TOKENS_MAX` structural tokens, and one more per this many bytes: a full push of
 * ordinary documents passes at any size, even lists of digits (a token per two bytes) do;
 * `[],[],[],…` (a token per byte) does not.
 */
export const BYTES_PER_TOKEN_MIN = 2;

/** Bytes of one written block of a streamed body. */
export const BLOCK_BYTES = 65_536;
/** JSON answers of at least this many bytes are compressed for callers that accept it. */
export const GZIP_BYTES_MIN = 1_024;
/** zlib level of every compressed answer: the cheapest one, which already shrinks JSON five times. */
export const GZIP_LEVEL = 1;
/** How long the rest of a refused body is thrown away before its connection closes, ms. */
export const REFUSED_BODY_LINGER_MS = 500;
/** Seconds a browser may keep a preflight's answer. */
export const PREFLIGHT_SECONDS = 600;

/** Socket bounds of the server, ms and bytes. */
export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 30_000;
export const KEEP_ALIVE_TIMEOUT_MS = 10_000;
/** A socket on which nothing moved for so long is cut: its caller has stopped reading. */
export const IDLE_SOCKET_MS = 60_000;
export const CONNECTIONS_CHECK_MS = 1_000;
export const HEADER_BYTES_MAX = 16_384;
/** How often a closing server looks for connections that became idle, ms. */
export const IDLE_SWEEP_MS = 25;

/** An event stream takes rows while fewer bytes than this wait for its reader. */
export const EVENT_BUFFER_BYTES = 65_536;
/** Time between two heartbeats: well within the idle limits of proxies and of `IDLE_SOCKET_MS`. */
export const EVENT_HEARTBEAT_MS = 25_000;
/** How often the caller of a stream is looked at again, and how often all streams are visited, ms. */
export const EVENT_RECHECK_MS = 60_000;
export const EVENT_VISIT_MS = 1_000;
/** How long a client waits before it opens a stream again: at least, and up to so much longer, ms. */
export const EVENT_RETRY_MS = 1_000;
export const EVENT_RETRY_SPREAD_MS = 4_000;
