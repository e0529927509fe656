/** GET /sync/pull: query, page, stale answer (E06), and the ready-made wire text of a row. */

import { z } from 'zod';
import { DocumentData } from './change.ts';
import type { JsonObject } from './pure/canonical-json.ts';
import { STALE_REASONS } from './pure/error-codes.ts';
import type { Hlc } from './pure/hlc.ts';
import { checkedSince, QueryReader } from './query.ts';

/** One row as a client sees it. */
export const PullChange = z
  .object({
    version: z.string().describe('Version of this row'),
    parent_version: z.string().nullable().describe('Version this one replaced; null on create'),
    collection: z.string().describe('Collection of the document'),
    doc_id: z.string().describe('Canonical string of the id'),
    operation: z
      .enum(['upsert', 'delete', 'remove'])
      .describe('remove: the document left the scope; forget it without deleting it elsewhere'),
    data: DocumentData.nullable().describe('The whole document; null unless it is an upsert'),
    actor_id: z.string().nullable().describe('Who made the edit; null when unknown'),
    client_id: z.string().nullable().describe('Where it was made; null when unknown'),
    mutation_id: z.string().nullable().describe('The id that its author gave it'),
    change_version: z.string().nullable().describe('Stamp of the edit for last-writer-wins'),
    bundle_seq: z.int().describe('Number of the bundle in its scope, from 1'),
    bundle_end: z.boolean().describe('True on the last delivered row of its bundle'),
  })
  .meta({ id: 'PullChange', description: 'One row of the log' });
export type PullChange = z.infer<typeof PullChange>;

/** A page of rows in commit order. */
export const PullPage = z
  .object({
    changes: z.array(PullChange).describe('Rows in the order they were committed'),
    last_seq: z.string().describe('The next `since`: version of the last scanned row'),
    has_more: z.boolean().describe('True when another pull from last_seq has more to read'),
    head: z.string().describe('Newest version of the scope'),
  })
  .meta({ id: 'PullPage', description: 'Changes after `since`, without a gap' });
export type PullPage = z.infer<typeof PullPage>;

/** The history the client asks for is not there: it needs a full resync of `collections`. */
export const PullStale = z
  .object({
    full_resync_required: z.literal(true).describe('Tells this answer from a page'),
    reason: z.enum(STALE_REASONS).describe('Why the history does not reach back'),
    collections: z.array(z.string()).describe('All that the request covers: resync these'),
    head: z.string().describe('Newest version of the scope'),
    epoch: z.string().describe('The history that counts now'),
    details: z
      .object({ reset: z.array(z.string()).describe('Collections that were reset') })
      .optional()
      .describe('Facts of this reason'),
  })
  .meta({ id: 'PullStale', description: 'A full resync is needed, and why' });
export type PullStale = z.infer<typeof PullStale>;

/** The query parameters. They arrive as text and are read by `parsePullQuery`. */
export const PullParameters = z.object({
  since: z
    .string()
    .describe('Serve what came after this version; 19700101T000000.000Z-0000 = from the beginning')
    .meta({ examples: ['19700101T000000.000Z-0000'] }),
  collections: z
    .string()
    .optional()
    .describe('Names separated by commas; without it all that the caller may read'),
  limit: z
    .int()
    .min(1)
    .optional()
    .describe('Rows of a page, capped by the server; a page still runs to the end of its bundle'),
});

const PARAMETER_NAMES: readonly string[] = Object.keys(PullParameters.shape);

/** A checked query. `collections` undefined = all that the caller may read. */
export interface PullQuery {
  readonly since: Hlc;
  readonly collections: readonly string[] | undefined;
  readonly limit: number;
}

/** Bounds of `limit` from the configuration. */
export interface PageLimits {
  readonly defaultLimit: number;
  readonly maxLimit: number;
}

/** Reads the query of a pull. Throws 422 `hlc_invalid` or `validation_failed`. */
export function parsePullQuery(query: URLSearchParams, limits: PageLimits): PullQuery {
  const reader = new QueryReader(query, PARAMETER_NAMES);
  const collections = reader.collections();
  const limit = reader.limit(limits.defaultLimit, limits.maxLimit);
  reader.finish();
  const since = checkedSince(reader.text('since'), '?since');
  return { since, collections, limit };
}

/** What a row's wire text is made of. */
export interface WireRow {
  readonly version: Hlc;
  readonly parent_version: Hlc | null;
  readonly collection: string;
  readonly doc_id: string | null;
  readonly operation: string;
  readonly data: JsonObject | null;
  readonly actor_id: string | null;
  readonly client_id: string | null;
  readonly mutation_id: string | null;
  readonly change_version: Hlc | null;
  readonly bundle_seq: number;
}

/**
 * Wire text of a row, left open at its end: the embedded store writes it once at commit, and a
 * page closes it with `closePullLine`, because which row ends a bundle depends on the page's filter.
 * `dataText` is the JSON text of `row.data`, for callers that have it already.
 */
export function openPullLine(row: WireRow, dataText = JSON.stringify(row.data)): string {
  const { version, parent_version, collection, doc_id, operation } = row;
  const { actor_id, client_id, mutation_id, change_version, bundle_seq } = row;
  const what = JSON.stringify({ version, parent_version, collection, doc_id, operation });
  const who = JSON.stringify({ actor_id, client_id, mutation_id, change_version, bundle_seq });
  return `${what.slice(0, -1)},"data":${dataText},${who.slice(1, -1)}`;
}

/** Completes the text of `openPullLine`. */
export function closePullLine(line: string, bundleEnd: boolean): string {
  return `${line},"bundle_end":${bundleEnd}}`;
}
