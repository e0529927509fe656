/** GET /sync/full: query, lines, trailer (E07), and the ready-made wire text of a line. */

import { z } from 'zod';
import { DocumentData } from './change.ts';
import { SyncError } from './errors.ts';
import type { JsonObject } from './pure/canonical-json.ts';
import type { Hlc } from './pure/hlc.ts';
import type { PageLimits } from './pull.ts';
import { QueryReader } from './query.ts';

/** One current document. */
export const FullLine = z
  .object({
    collection: z.string().describe('Collection of the document'),
    doc_id: z.string().describe('Canonical string of the id'),
    data: DocumentData.describe('The whole document'),
    deleted: z.literal(false).describe('Tells a document from a tombstone'),
    version: z.string().describe('Usable as parent_version of the next edit'),
  })
  .meta({ id: 'FullLine', description: 'A current document' });
export type FullLine = z.infer<typeof FullLine>;

/** One deleted document. */
export const FullTombstone = z
  .object({
    collection: z.string().describe('Collection of the document'),
    doc_id: z.string().describe('Canonical string of the id'),
    data: z.null().describe('There is none'),
    deleted: z.literal(true).describe('Tells a tombstone from a document'),
    operation: z.literal('delete').describe('As in a pull'),
    version: z.string().describe('Version of the deletion'),
  })
  .meta({ id: 'FullTombstone', description: 'A deleted document' });
export type FullTombstone = z.infer<typeof FullTombstone>;

/** The last line of a page when the request asked for it: without it the page was cut. */
export const FullTrailer = z
  .object({
    type: z.literal('end').describe('Tells the trailer from a document'),
    count: z.int().describe('Lines before this one'),
    cursor: z.string().nullable().describe('Null on the last page'),
    last_seq: z.string().describe('The `since` to pull from once every page is staged'),
  })
  .meta({ id: 'FullTrailer', description: 'The last line of a page, on request' });
export type FullTrailer = z.infer<typeof FullTrailer>;

/** The query parameters. They arrive as text and are read by `parseFullQuery`. */
export const FullParameters = z.object({
  collections: z
    .string()
    .describe('Names separated by commas')
    .meta({ examples: ['tasks,notes'] }),
  cursor: z.string().optional().describe('X-Sync-Cursor of the page before; absent on the first'),
  limit: z.int().min(1).optional().describe('Documents of a page, capped by the server'),
  trailer: z
    .enum(['0', '1'])
    .optional()
    .describe('1: end the page with a trailer line; the default when Sync-Protocol is sent'),
});

const PARAMETER_NAMES: readonly string[] = Object.keys(FullParameters.shape);

/** A checked query. */
export interface FullQuery {
  readonly collections: readonly string[];
  readonly cursor: string | undefined;
  readonly limit: number;
  /** Whether the page ends with a trailer line. */
  readonly trailer: boolean;
}

/** Reads the query of a full resync. Throws 422 `validation_failed`. */
export function parseFullQuery(
  query: URLSearchParams,
  limits: PageLimits,
  trailerByHeader: boolean,
): FullQuery {
  const reader = new QueryReader(query, PARAMETER_NAMES);
  const collections = reader.collections();
  const limit = reader.limit(limits.defaultLimit, limits.maxLimit);
  const trailer = reader.text('trailer');
  if (collections === undefined) {
    reader.fault('collections', 'invalid_collections', 'name the collections to resync');
  }
  if (trailer !== undefined && trailer !== '0' && trailer !== '1') {
    reader.fault('trailer', 'invalid_trailer', 'trailer must be 0 or 1');
  }
  reader.finish();
  const cursor = reader.text('cursor');
  if (cursor === '') throw new SyncError('cursor_invalid', { details: { reason: 'empty' } });
  return {
    collections: collections as readonly string[],
    cursor,
    limit,
    trailer: trailer === undefined ? trailerByHeader : trailer === '1',
  };
}

/** What a document's line is made of. */
export interface FullLineParts {
  readonly collection: string;
  readonly doc_id: string;
  readonly version: Hlc;
  readonly data: JsonObject;
}

/** Wire text of a document's line, without the line feed. `dataText` as in `openPullLine`. */
export function fullLine(parts: FullLineParts, dataText = JSON.stringify(parts.data)): string {
  const { collection, doc_id, version } = parts;
  const name = JSON.stringify({ collection, doc_id });
  return `${name.slice(0, -1)},"data":${dataText},"deleted":false,"version":"${version}"}`;
}

/** Wire text of a tombstone's line, without the line feed. */
export function tombstoneLine(collection: string, doc_id: string, version: Hlc): string {
  return JSON.stringify({
    collection,
    doc_id,
    data: null,
    deleted: true,
    operation: 'delete',
    version,
  });
}
