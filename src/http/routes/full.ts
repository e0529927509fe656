/** GET /sync/full. */

import { parseFullQuery } from '../../protocol/full.ts';
import {
  HEADER_CURSOR,
  HEADER_HEAD,
  HEADER_HEAD_SEQ,
  HEADER_LAST_SEQ,
  HEADER_PROTOCOL,
} from '../../protocol/pure/headers.ts';
import { replyBlocks } from '../compressed.ts';
import { readQuery, reply } from '../exchange.ts';
import type { SyncRoute } from '../route.ts';

/** Answers one page of a walk as NDJSON; what a caller needs for the next page is in the headers. */
export const fullRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/full',
  auth: true,
  // The lines are JSON, and callers that name JSON alone have always been served them.
  offers: ['application/x-ndjson', 'application/ndjson', 'application/json'],
  about: {
    id: 'full',
    tag: 'Sync',
    summary: 'Fetch all current documents',
    text: 'For a new device and after a stale pull: documents and tombstones as JSON lines, page by page until `X-Sync-Cursor` is absent; then pull from `X-Sync-LastSeq`, which is the same on every page. HEAD is checked like GET, reads nothing and has no headers of a page.',
    query: 'FullParameters',
    answers: [
      {
        status: 200,
        text: 'One JSON object per line',
        type: 'application/x-ndjson',
        shapes: ['FullLine', 'FullTombstone', 'FullTrailer'],
        lines: true,
        headers: [HEADER_HEAD, HEADER_HEAD_SEQ, HEADER_LAST_SEQ, HEADER_CURSOR],
      },
    ],
    errors: ['validation_failed', 'cursor_invalid', 'collection_forbidden'],
  },
  async handle(exchange, options, context) {
    const { limits, engine } = options;
    const query = parseFullQuery(
      readQuery(exchange),
      { defaultLimit: limits.full_default_limit, maxLimit: limits.full_max_limit },
      exchange.request.headers.has(HEADER_PROTOCOL),
    );
    const headers = { 'Content-Type': 'application/x-ndjson' };
    if (exchange.method === 'HEAD') return reply(exchange, { status: 200, body: null, headers });
    const answer = await engine.full(context, query);
    return replyBlocks(exchange, answer.chunks, {
      ...headers,
      [HEADER_HEAD]: answer.head,
      [HEADER_HEAD_SEQ]: String(answer.head_bundle_seq),
      [HEADER_LAST_SEQ]: answer.last_seq,
      ...(answer.cursor === null ? {} : { [HEADER_CURSOR]: answer.cursor }),
    });
  },
};
