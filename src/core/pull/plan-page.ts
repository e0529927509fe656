/** How many rows a pull reads: enough for a page that runs to the end of its bundle. Pure. */

import { PULL_SCAN_EXTRA_ROWS, PULL_SCAN_FILTERED_ROWS } from '../../protocol/pure/limits.ts';

/** Rows to read for a page of `limit` rows; a collection filter may skip many, so it reads further. */
export function scanRows(limit: number, filtered: boolean): number {
  return filtered ? PULL_SCAN_FILTERED_ROWS : limit + PULL_SCAN_EXTRA_ROWS;
}
