/** Whether the caller has the answer already: `If-None-Match` against the tag of what it would get. */

import type { Exchange } from '../exchange.ts';

/**
 * True when the header lists the tag or is `*`. Tags are compared without their `W/`, as HTTP asks
 * for here: a proxy that compresses makes a strong tag weak.
 */
export function isKnown(exchange: Exchange, etag: string): boolean {
  const listed = exchange.request.headers.get('if-none-match');
  if (listed === null) return false;
  const opaque = withoutWeakness(etag);
  return listed
    .split(',')
    .map((tag) => tag.trim())
    .some((tag) => tag === '*' || withoutWeakness(tag) === opaque);
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
