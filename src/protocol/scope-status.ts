/** GET and POST /sync/status (E11): what a client that polls asks, and the answer. */

import { z } from 'zod';
import { SyncError } from './errors.ts';
import { fieldIssues } from './near-miss.ts';
import { type Issue, STALE_REASONS } from './pure/error-codes.ts';
import type { Hlc } from './pure/hlc.ts';
import { isClientId } from './pure/ids.ts';
import { STATUS_PENDING_MAX } from './pure/limits.ts';
import { checkedSince, QueryReader } from './query.ts';

/** Where the scope stands, and what a client at `since` has to expect. */
export const ScopeStatus = z
  .object({
    needs_sync: z
      .boolean()
      .nullable()
      .describe('Whether a pull or a full resync would bring anything; null without `since`'),
    head_version: z.string().describe('Newest version of the scope'),
    head_bundle_seq: z.int().describe('Number of its newest bundle; 0 when there is none'),
    floor_version: z.string().nullable().describe('First row that is retained; null when none is'),
    pending_pull_count: z
      .int()
      .nullable()
      .describe(
        `Rows after \`since\`, of all collections, up to ${STATUS_PENDING_MAX}; null without \`since\` and when a full resync is required`,
      ),
    capped: z.boolean().describe('True when there are more rows than pending_pull_count says'),
    pending_bundles: z
      .int()
      .nullable()
      .describe('Bundles after `since`, where that is known without reading rows; else null'),
    full_resync_required: z
      .boolean()
      .describe('True when a pull from `since`, or of the history in Sync-Epoch, is not possible'),
    reason: z.enum(STALE_REASONS).nullable().describe('Why a full resync is required; else null'),
    server_timestamp: z.string().describe('Time of the server, ISO 8601; the ETag leaves it out'),
  })
  .meta({ id: 'ScopeStatus', description: 'Where the scope stands' });
export type ScopeStatus = z.infer<typeof ScopeStatus>;

const CLIENT_ID = 'Installation that asks, 1–128 characters; nothing depends on it';
const SINCE = 'The version that the client would pull from';

/** The query parameters of GET. */
export const StatusParameters = z.object({
  since: z
    .string()
    .optional()
    .describe(SINCE)
    .meta({ examples: ['19700101T000000.000Z-0000'] }),
  client_id: z.string().optional().describe(CLIENT_ID),
});

/** The same as the body of POST. */
export const StatusRequest = z
  .object({
    since: z.string().nullish().describe(SINCE),
    client_id: z.string().nullish().describe(CLIENT_ID),
  })
  .meta({
    id: 'StatusRequest',
    description: 'What a client asks about its scope',
    examples: [{ client_id: 'laptop', since: '19700101T000000.000Z-0000' }],
  });

/** A checked question. */
export interface StatusQuery {
  /** Null = the caller asks about the scope alone. */
  readonly since: Hlc | null;
}

const NAMES: readonly string[] = Object.keys(StatusParameters.shape);

/** Reads the query of GET. Throws 422 `validation_failed` or `hlc_invalid`. */
export function parseStatusQuery(query: URLSearchParams): StatusQuery {
  const reader = new QueryReader(query, NAMES);
  const client_id = reader.text('client_id');
  if (client_id !== undefined && !isClientId(client_id)) {
    reader.fault('client_id', 'invalid_client_id', CLIENT_ID_RULE);
  }
  reader.finish();
  const since = reader.text('since');
  return { since: since === undefined ? null : checkedSince(since, '?since') };
}

/** Reads the body of POST; null is absent. Throws 422 `validation_failed` or `hlc_invalid`. */
export function parseStatusRequest(body: unknown): StatusQuery {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ path: '', code: 'invalid_envelope', message: 'send a JSON object' }]);
  }
  const { since, client_id } = body as Record<string, unknown>;
  const issues = fieldIssues(body, NAMES, 'envelope');
  if (client_id !== undefined && client_id !== null && !isClientId(client_id)) {
    issues.push({ path: '/client_id', code: 'invalid_client_id', message: CLIENT_ID_RULE });
  }
  if (issues.length > 0) throw invalid(issues);
  return { since: since === undefined || since === null ? null : checkedSince(since, '/since') };
}

const CLIENT_ID_RULE =
  'client_id must be a string of 1 to 128 characters without control characters';

function invalid(issues: readonly Issue[]): SyncError {
  return new SyncError('validation_failed', { details: { issues } });
}
