/** The answer to one change, from its verdict. */

import type { ChangeResult } from '../../protocol/change.ts';
import { REJECTION_CATALOGUE } from '../../protocol/errors.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { Issue, RejectionCode } from '../../protocol/pure/error-codes.ts';
import type { StoredResult } from '../ports/records.ts';
import type { CheckedChange } from './check-changes.ts';

/** Result of a change that was taken, or that lost a conflict. `data` only when the current side won. */
export function effectResult(
  change: CheckedChange,
  result: Omit<StoredResult, 'bundle_seq'>,
  extra: { readonly data?: JsonObject | null; readonly duplicate?: boolean } = {},
): ChangeResult {
  const { index, collection, doc_id, mutation_id } = change;
  const { status, resolution, new_version, server_version } = result;
  const answer: ChangeResult = {
    index,
    collection,
    doc_id,
    mutation_id,
    status,
    new_version,
    server_version,
    resolution,
    error: null,
    code: null,
  };
  if (extra.data !== undefined) answer.data = extra.data;
  if (extra.duplicate) answer.duplicate = true;
  return answer;
}

/** Result of a refused change. */
export function rejection(
  change: CheckedChange,
  code: RejectionCode,
  issues: readonly Issue[] = [],
): ChangeResult {
  const { index, collection, doc_id, mutation_id } = change;
  return {
    index,
    collection,
    doc_id,
    mutation_id,
    status: 'rejected',
    new_version: null,
    server_version: null,
    resolution: null,
    error: REJECTION_CATALOGUE[code].message,
    code,
    ...(issues.length === 0 ? {} : { details: { issues: [...issues] } }),
  };
}
