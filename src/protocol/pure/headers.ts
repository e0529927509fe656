/** Every header name and protocol constant, so that no other file spells one. */

/** The only protocol version this server speaks; another value in `Sync-Protocol` is answered 426. */
export const PROTOCOL_VERSION = '1';

export const HEADER_PROTOCOL = 'Sync-Protocol';
export const HEADER_EPOCH = 'Sync-Epoch';
export const HEADER_HEAD = 'Sync-Head';
/** A bundle number, not a row number. */
export const HEADER_HEAD_SEQ = 'Sync-Head-Seq';
export const HEADER_TIME = 'Sync-Time';
export const HEADER_SCOPE = 'Sync-Scope';
export const HEADER_CURSOR = 'X-Sync-Cursor';
export const HEADER_LAST_SEQ = 'X-Sync-LastSeq';
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
];
