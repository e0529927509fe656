/** Names of requests: the caller's own, or one of a counter. */

import type { Crypto } from '../core/ports/system.ts';

const REQUEST_ID = /^[\w.:~-]{1,128}$/;

/** Ids of one process: a random start and a counter, so that a request costs no randomness. */
export function requestIds({ crypto }: { readonly crypto: Crypto }): () => string {
  const start = crypto.randomBase36(10);
  let count = 0;
  return () => {
    count += 1;
    return `${start}-${count.toString(36)}`;
  };
}

/** The name that the caller gave, when it is a usable one [HT-1]. */
export function chooseRequestId(wanted: string | null | undefined, next: () => string): string {
  return typeof wanted === 'string' && REQUEST_ID.test(wanted) ? wanted : next();
}
