/** POST /sync/server/changes: the envelope of a back end's own writes. The answer is that of a push. */

import { z } from 'zod';
import { Change } from './change.ts';
import { SyncError } from './errors.ts';
import { fieldIssues } from './near-miss.ts';
import type { Issue } from './pure/error-codes.ts';
import { isClientId, isIdentityText } from './pure/ids.ts';
import { batchIssues } from './push.ts';

/** Name that a back end writes under when it sends none. */
export const SERVER_NAME = 'server';

/** The envelope, as a caller should send it. */
export const ServerChangesRequest = z
  .object({
    scope_id: z.string().describe('The scope that is written to, 1–128 characters'),
    actor_id: z
      .string()
      .nullish()
      .describe(`Who the rows say acted, 1–128 characters; "${SERVER_NAME}" without it`),
    client_id: z
      .string()
      .nullish()
      .describe(`Which back end writes, 1–128 characters; "${SERVER_NAME}" without it`),
    changes: z.array(Change).describe('Changes in the order they were made'),
    atomic: z
      .enum(['partial', 'bundle'])
      .optional()
      .describe('bundle: one rejection stores nothing of the request'),
  })
  .meta({
    id: 'ServerChangesRequest',
    description: "A back end's own writes",
    examples: [
      {
        scope_id: 'user-1',
        changes: [
          { collection: 'tasks', doc_id: 't1', operation: 'upsert', data: { title: 'Buy milk' } },
        ],
      },
    ],
  });

/** The envelope with its defaults. What stands inside `changes[i]` is judged per change, as in a push. */
export interface ServerChangesRequest {
  readonly scope_id: string;
  readonly actor_id: string;
  readonly client_id: string;
  readonly changes: unknown[];
  readonly atomic?: 'partial' | 'bundle';
}

const ENVELOPE_FIELDS: readonly string[] = Object.keys(ServerChangesRequest.shape);

/** Checks the envelope. Throws 422 `validation_failed` with every finding. */
export function parseServerChanges(body: unknown): ServerChangesRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ path: '', code: 'invalid_envelope', message: 'send a JSON object' }]);
  }
  const sent = body as Record<string, unknown>;
  const { scope_id, changes, atomic } = sent;
  const actor_id = sent['actor_id'] ?? SERVER_NAME;
  const client_id = sent['client_id'] ?? SERVER_NAME;
  const issues = fieldIssues(sent, ENVELOPE_FIELDS, 'envelope');
  if (!isIdentityText(scope_id)) issues.push(nameIssue('scope_id', 'invalid_scope_id'));
  if (!isIdentityText(actor_id)) issues.push(nameIssue('actor_id', 'invalid_actor_id'));
  if (!isClientId(client_id)) issues.push(nameIssue('client_id', 'invalid_client_id'));
  issues.push(...batchIssues(changes, atomic));
  if (issues.length > 0) throw invalid(issues);
  return {
    scope_id: scope_id as string,
    actor_id: actor_id as string,
    client_id: client_id as string,
    changes: changes as unknown[],
    ...(atomic === undefined ? {} : { atomic: atomic as 'partial' | 'bundle' }),
  };
}

function nameIssue(
  name: string,
  code: 'invalid_scope_id' | 'invalid_actor_id' | 'invalid_client_id',
): Issue {
  return {
    path: `/${name}`,
    code,
    message: `${name} must be a string of 1 to 128 characters without control characters`,
  };
}

function invalid(issues: readonly Issue[]): SyncError {
  return new SyncError('validation_failed', { details: { issues } });
}
