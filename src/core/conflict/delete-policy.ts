/** What happens when an update meets a deleted document without a stamp to compare. */

import type { DeletePolicy } from '../collections.ts';

/**
 * True when a late update without a usable stamp brings the document back. With stamps on both
 * sides the resolver decides instead: an update older than the delete stays deleted [CR-7].
 */
export function resurrects(policy: DeletePolicy): boolean {
  return policy === 'resurrect_on_update';
}
