/** One request and the headers that every answer to it carries. */

import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import {
  HEADER_EPOCH,
  HEADER_PROTOCOL,
  HEADER_REQUEST_ID,
  HEADER_TIME,
  PROTOCOL_VERSION,
} from '../protocol/pure/headers.ts';
import { chooseRequestId } from './request-ids.ts';

/** Hono's environment here. The bindings are absent when a request was made without a socket. */
export interface HttpEnv {
  Bindings: Partial<HttpBindings>;
}

/** Response headers by name, one value each. */
export type HeaderMap = Record<string, string>;

/** One request on its way through the layer. */
export interface Exchange {
  readonly request: Request;
  readonly method: string;
  readonly request_id: string;
  /** Headers of the answer, whatever it will be. */
  readonly headers: HeaderMap;
  /** The message under the request; undefined without a socket. */
  readonly incoming: IncomingMessage | undefined;
}

/** What opening an exchange needs beside the request. */
export interface ExchangeSource {
  readonly epoch: string;
  readonly now_ms: number;
  newRequestId(): string;
}

/** Opens an exchange: request id [HT-1] and the headers of every answer [HT-2]. */
export function openExchange(c: Context<HttpEnv>, source: ExchangeSource): Exchange {
  const request = c.req.raw;
  const request_id = chooseRequestId(request.headers.get(HEADER_REQUEST_ID), source.newRequestId);
  return {
    request,
    method: request.method,
    request_id,
    headers: commonHeaders(request_id, source),
    incoming: c.env?.incoming,
  };
}

/** Headers of every answer [HT-2]. */
export function commonHeaders(
  request_id: string,
  { epoch, now_ms }: Pick<ExchangeSource, 'epoch' | 'now_ms'>,
): HeaderMap {
  return {
    [HEADER_REQUEST_ID]: request_id,
    [HEADER_PROTOCOL]: PROTOCOL_VERSION,
    [HEADER_EPOCH]: epoch,
    [HEADER_TIME]: new Date(now_ms).toISOString(),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
}

/** The request's query, decoded. */
export function readQuery(exchange: Exchange): URLSearchParams {
  const url = exchange.request.url;
  const at = url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : url.slice(at + 1));
}

/** Path and query as they were sent, without scheme and host. */
export function requestTarget(exchange: Exchange): string {
  const url = exchange.request.url;
  return url.slice(url.indexOf('/', url.indexOf('://') + 3));
}

/** What may be a body: a text, bytes, or a stream of bytes. */
export type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;

/**
 * Makes the answer. Headers stay a plain object: that is the form that the Node adapter writes
 * without building a `Headers` first, which is half the cost of a small answer.
 */
export function reply(
  exchange: Exchange,
  answer: { status: number; body: Body; headers: HeaderMap },
): Response {
  return new Response(answer.body, {
    status: answer.status,
    headers: Object.assign(exchange.headers, answer.headers),
  });
}

/** Answers with JSON that is small and not worth compressing. */
export function replyJson(exchange: Exchange, status: number, value: unknown): Response {
  return reply(exchange, {
    status,
    body: JSON.stringify(value),
    headers: { 'Content-Type': 'application/json' },
  });
}
