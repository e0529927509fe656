/** GET /sync/pull. */

import type { PullAnswer } from '../../core/pull/answers.ts';
import { HEADER_HEAD, HEADER_HEAD_SEQ } from '../../protocol/pure/headers.ts';
import { parsePullQuery } from '../../protocol/pull.ts';
import { replyText } from '../compressed.ts';
import { readQuery, reply } from '../exchange.ts';
import type { SyncRoute } from '../route.ts';

/** Answers a page of changes, or 200 with the reason why the caller must resync. */
export const pullRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/pull',
  auth: true,
  offers: ['application/json'],
  about: {
    id: 'pull',
    tag: 'Sync',
    summary: 'Fetch changes after a version',
    text: 'Rows in the order they were committed, proven to join `since` without a gap. When the history does not reach back, the answer says why and which collections need a full resync. HEAD is checked like GET, reads nothing and has no Sync-Head.',
    query: 'PullParameters',
    answers: [
      {
        status: 200,
        text: 'A page, or the reason for a full resync',
        type: 'application/json',
        shapes: ['PullPage', 'PullStale'],
        headers: [HEADER_HEAD, HEADER_HEAD_SEQ],
      },
    ],
    errors: ['validation_failed', 'hlc_invalid', 'collection_forbidden'],
  },
  async handle(exchange, options, context) {
    const { limits, engine } = options;
    const query = parsePullQuery(readQuery(exchange), {
      defaultLimit: limits.pull_default_limit,
      maxLimit: limits.pull_max_limit,
    });
    const headers = { 'Content-Type': 'application/json' };
    if (exchange.method === 'HEAD') return reply(exchange, { status: 200, body: null, headers });
    const answer = await engine.pull(context, query);
    return replyText(exchange, bodyText(answer), {
      ...headers,
      [HEADER_HEAD]: answer.kind === 'page' ? answer.head : answer.body.head,
      [HEADER_HEAD_SEQ]: String(answer.head_bundle_seq),
    });
  },
};

/** The rows are JSON texts already; they are joined, never parsed again. */
function bodyText(answer: PullAnswer): string {
  if (answer.kind === 'stale') return JSON.stringify(answer.body);
  const { changes, last_seq, has_more, head } = answer;
  return `{"changes":[${changes.join(',')}],"last_seq":"${last_seq}","has_more":${has_more},"head":"${head}"}`;
}
