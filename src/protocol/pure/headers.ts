/** Every header name and protocol constant, so that no other file spells one. */

/** The only protocol version this server speaks; another value in `Sync-Protocol` is answered 426. */
export const PROTOCOL_VERSION = '1';

/** Protocol version: optional on requests, on every answer. */
export const HEADER_PROTOCOL = 'Sync-Protocol';
/** The history that cursors belong to; a client may send the one it knows. */
export const HEADER_EPOCH = 'Sync-Epoch';
/** Newest version of the scope. */
export const HEADER_HEAD = 'Sync-Head';
/** A bundle number, not a row number. */
export const HEADER_HEAD_SEQ = 'Sync-Head-Seq';
/** Server time, ISO 8601. */
export const HEADER_TIME = 'Sync-Time';
/** Chooses one of the token's scopes. */
export const HEADER_SCOPE = 'Sync-Scope';
/** Cursor of the next page of a full resync; absent on the last. */
export const HEADER_CURSOR = 'X-Sync-Cursor';
/** The `since` to pull from after a full resync. */
export const HEADER_LAST_SEQ = 'X-Sync-LastSeq';
/** Names a request in answers and logs. */
export const HEADER_REQUEST_ID = 'X-Request-Id';

/** Response headers a browser may read across origins. */
export const EXPOSED_HEADERS: readonly string[] = [
  HEADER_PROTOCOL,
  HEADER_EPOCH,
  HEADER_HEAD,
  HEADER_HEAD_SEQ,
  HEADER_TIME,
  HEADER_CURSOR,
  HEADER_LAST_SEQ,
  HEADER_REQUEST_ID,
  'Retry-After',
  'ETag',
];
