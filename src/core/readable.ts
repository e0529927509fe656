/** Which collections a read covers. */

import { SyncError } from '../protocol/errors.ts';
import type { RequestContext } from './context.ts';
import type { EngineOptions } from './parts.ts';
import type { Action } from './ports/access.ts';

/**
 * The requested collections, or all that the caller may read when none were named. Unknown and
 * forbidden names are answered alike, so that names cannot be guessed [PL-6].
 */
export function readableCollections(
  options: Pick<EngineOptions, 'access' | 'catalogue'>,
  context: RequestContext,
  wanted: { readonly collections: readonly string[] | undefined; readonly action: Action },
): readonly string[] {
  const { access, catalogue } = options;
  const may = (name: string) => {
    const policy = catalogue.get(name);
    return policy !== undefined && access.authorize(context.identity, name, wanted.action);
  };
  if (wanted.collections === undefined) return [...catalogue.keys()].filter(may);
  if (!wanted.collections.every(may)) throw new SyncError('collection_forbidden');
  return wanted.collections;
}
