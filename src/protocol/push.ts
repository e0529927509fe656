/** POST /sync/push: the envelope and its answer (E04). */

import { z } from 'zod';
import { Change, ChangeResult } from './change.ts';
import { SyncError } from './errors.ts';
import { fieldIssues } from './near-miss.ts';
import type { Issue } from './pure/error-codes.ts';
import { isClientId } from './pure/ids.ts';

/** The envelope, as a caller should send it. */
export const PushRequest = z
  .object({
    client_id: z.string().describe('Installation that syncs, 1–128 characters; authorises nothing'),
    changes: z.array(Change).describe('Changes in the order they were made'),
    atomic: z
      .enum(['partial', 'bundle'])
      .optional()
      .describe('bundle: one rejection stores nothing of the push'),
  })
  .meta({
    id: 'PushRequest',
    description: 'Local changes of one client',
    examples: [
      {
        client_id: 'laptop',
        changes: [
          { collection: 'tasks', doc_id: 't1', operation: 'upsert', data: { title: 'Buy milk' } },
        ],
      },
    ],
  });
/** A checked envelope. What stands inside `changes[i]` is judged per change, so it is unknown here. */
export type PushRequest = Omit<z.infer<typeof PushRequest>, 'changes'> & { changes: unknown[] };

/** The answer of a push. Neither `head` nor `bundle_seq` is a `since`. */
export const PushResponse = z
  .object({
    results: z.array(ChangeResult).describe('One per change, in their order'),
    head: z.string().describe("The scope's head after this push"),
    bundle_seq: z
      .int()
      .nullable()
      .describe('Number of the committed bundle; null when no row was written'),
    rolled_back: z.boolean().optional().describe('True when bundle mode stored nothing'),
  })
  .meta({ id: 'PushResponse', description: 'What became of the changes' });
export type PushResponse = z.infer<typeof PushResponse>;

const ENVELOPE_FIELDS: readonly string[] = Object.keys(PushRequest.shape);

/** Checks the envelope of a push. Throws 422 `validation_failed` with every finding. */
export function parsePushRequest(body: unknown): PushRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ path: '', code: 'invalid_envelope', message: 'send a JSON object' }]);
  }
  const { client_id, changes, atomic } = body as Record<string, unknown>;
  const issues = fieldIssues(body, ENVELOPE_FIELDS, 'envelope');
  if (!isClientId(client_id)) {
    issues.push({
      path: '/client_id',
      code: 'invalid_client_id',
      message: 'client_id must be a string of 1 to 128 characters without control characters',
    });
  }
  issues.push(...batchIssues(changes, atomic));
  if (issues.length > 0) throw invalid(issues);
  return {
    client_id: client_id as string,
    changes: changes as unknown[],
    ...(atomic === undefined ? {} : { atomic: atomic as 'partial' | 'bundle' }),
  };
}

/** Findings in the parts that every envelope with changes has. */
export function batchIssues(changes: unknown, atomic: unknown): Issue[] {
  const issues: Issue[] = [];
  if (!Array.isArray(changes)) {
    issues.push({ path: '/changes', code: 'invalid_changes', message: 'changes must be an array' });
  }
  if (atomic !== undefined && atomic !== 'partial' && atomic !== 'bundle') {
    issues.push({
      path: '/atomic',
      code: 'invalid_atomic',
      message: 'atomic must be "partial" or "bundle"',
    });
  }
  return issues;
}

function invalid(issues: readonly Issue[]): SyncError {
  return new SyncError('validation_failed', { details: { issues } });
}
