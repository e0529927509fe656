/** GET /sync/status for clients that poll, and the same question as POST. */

import { HEADER_HEAD, HEADER_HEAD_SEQ } from '../../protocol/pure/headers.ts';
import {
  parseStatusQuery,
  parseStatusRequest,
  type ScopeStatus,
} from '../../protocol/scope-status.ts';
import { type HeaderMap, readQuery, reply } from '../exchange.ts';
import { isKnown } from '../middleware/if-none-match.ts';
import { readJson } from '../middleware/read-json.ts';
import type { AppOptions, SyncRoute } from '../route.ts';

const TYPE = 'application/json';

/** Answers where the scope stands, or 304 to a caller that has that answer [SU-6]. */
export const statusRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/status',
  auth: true,
  offers: [TYPE],
  about: {
    id: 'status',
    tag: 'Sync',
    summary: 'Whether there is anything to sync',
    text: "For clients that poll: the scope's newest version, and with `since` how many rows are ahead or why a full resync is required. Reads a handful of rows however much the scope holds. With `If-None-Match` an unchanged answer is 304 without a body. HEAD has the headers of GET.",
    query: 'StatusParameters',
    answers: [
      {
        status: 200,
        text: 'Where the scope stands',
        type: TYPE,
        shapes: ['ScopeStatus'],
        headers: [HEADER_HEAD, HEADER_HEAD_SEQ, 'ETag'],
      },
      {
        status: 304,
        text: 'The caller has the answer',
        headers: [HEADER_HEAD, HEADER_HEAD_SEQ, 'ETag'],
      },
    ],
    errors: ['validation_failed', 'hlc_invalid'],
  },
  async handle(exchange, options, context) {
    const query = parseStatusQuery(readQuery(exchange));
    const status = await options.engine.status(context, query);
    const kept = {
      ...headHeaders(status),
      'Cache-Control': 'private, no-cache',
      ETag: tagOf(status, options, [context.scope_id, query.since]),
    };
    if (isKnown(exchange, kept.ETag)) {
      return reply(exchange, { status: 304, body: null, headers: kept });
    }
    return reply(exchange, {
      status: 200,
      body: JSON.stringify(status),
      headers: { ...kept, 'Content-Type': TYPE },
    });
  },
};

/** The same for callers that send everything as POST. It is never conditional. */
export const statusPostRoute: SyncRoute = {
  method: 'POST',
  path: '/sync/status',
  auth: true,
  offers: [TYPE],
  about: {
    id: 'postStatus',
    tag: 'Sync',
    summary: 'The same with a JSON body',
    text: 'For clients that send everything as POST. The answer is that of GET, without an ETag.',
    body: 'StatusRequest',
    answers: [
      {
        status: 200,
        text: 'Where the scope stands',
        type: TYPE,
        shapes: ['ScopeStatus'],
        headers: [HEADER_HEAD, HEADER_HEAD_SEQ],
      },
    ],
    errors: ['validation_failed', 'hlc_invalid'],
  },
  async handle(exchange, options, context) {
    const { engine, limits } = options;
    const query = parseStatusRequest(await readJson(exchange, limits.max_body_bytes));
    const status = await engine.status(context, query);
    return reply(exchange, {
      status: 200,
      body: JSON.stringify(status),
      headers: { ...headHeaders(status), 'Content-Type': TYPE },
    });
  },
};

function headHeaders(status: ScopeStatus): HeaderMap {
  return {
    [HEADER_HEAD]: status.head_version,
    [HEADER_HEAD_SEQ]: String(status.head_bundle_seq),
  };
}

/**
 * Names the answer by everything in it but the time, and by whose it is. Weak, because two answers
 * of one tag differ in their time; equal on every process of a deployment.
 */
function tagOf(
  status: ScopeStatus,
  { crypto, engine }: AppOptions,
  asked: readonly (string | null)[],
): string {
  const { server_timestamp: _, ...lasting } = status;
  const text = JSON.stringify([engine.epoch, ...asked, lasting]);
  return `W/"${crypto.sha256(text).slice(0, 32)}"`;
}
