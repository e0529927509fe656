/** The one place where a store's failure becomes an error that a caller may see. */

import { SyncError } from '../protocol/errors.ts';
import { StoreError } from './ports/store.ts';

/** A store failure as a `SyncError`; anything else is given back as it is. */
export function asSyncError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return error.kind === 'failed'
    ? new SyncError('internal', { cause: error })
    : new SyncError('database_unavailable', { cause: error, details: { reason: error.kind } });
}

/** Whether the same read may succeed later: the database may come back. */
export function isPassing(error: unknown): boolean {
  return error instanceof StoreError && error.kind !== 'failed';
}

/** The catalogue code of any thrown value, for events. */
export function errorCodeOf(error: unknown): string {
  const seen = asSyncError(error);
  return seen instanceof SyncError ? seen.code : 'internal';
}
