/** POST /sync/push. */

import { SyncError } from '../../protocol/errors.ts';
import { HEADER_HEAD, HEADER_HEAD_SEQ } from '../../protocol/pure/headers.ts';
import { parsePushRequest } from '../../protocol/push.ts';
import { replyText } from '../compressed.ts';
import { readJson } from '../middleware/read-json.ts';
import type { Exchange } from '../exchange.ts';
import type { AppOptions, SyncRoute } from '../route.ts';
import type { DescribedAnswer } from '../route-description.ts';

/** What stored changes are answered, whoever sent them. */
export const PUSH_ANSWER: DescribedAnswer = {
  status: 200,
  text: 'One result per change, in their order',
  type: 'application/json',
  shapes: ['PushResponse'],
  headers: [HEADER_HEAD, HEADER_HEAD_SEQ],
};

/** Answers a push with one result per change; a push that cannot be read at all is a 4xx. */
export const pushRoute: SyncRoute = {
  method: 'POST',
  path: '/sync/push',
  auth: true,
  offers: ['application/json'],
  about: {
    id: 'push',
    tag: 'Sync',
    summary: 'Send local changes',
    text: 'Stores the changes as one bundle and answers each in its place. What is wrong inside a change rejects that change inside a 200 (its `code` says why); only an envelope that cannot be used fails the request. The same `mutation_id` sent again gets the stored result.',
    body: 'PushRequest',
    answers: [PUSH_ANSWER],
    errors: ['validation_failed', 'too_many_changes', 'bundle_too_large'],
  },
  async handle(exchange, options, context) {
    const { limits, engine } = options;
    const request = parsePushRequest(await readJson(exchange, limits.max_body_bytes));
    if (request.changes.length > limits.push_max_changes) {
      throw new SyncError('too_many_changes', { details: { limit: limits.push_max_changes } });
    }
    return replyToPush(exchange, await engine.push(context, request));
  },
};

/** The answer with the scope's head in its headers. */
export function replyToPush(
  exchange: Exchange,
  answer: Awaited<ReturnType<AppOptions['engine']['push']>>,
): Response | Promise<Response> {
  return replyText(exchange, JSON.stringify(answer.body), {
    'Content-Type': 'application/json',
    [HEADER_HEAD]: answer.body.head,
    [HEADER_HEAD_SEQ]: String(answer.head_bundle_seq),
  });
}
