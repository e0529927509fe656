/** Requests to a server on this machine, sent as they are: no normalising, no retry, no shared socket. */

import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { assertDescribed } from './described.ts';

/** A request. The path goes out byte for byte. */
export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Send the body in chunks, without its length. */
  readonly chunked?: boolean;
}

/** What came back; `json` is undefined when the body is none. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Record<string, unknown> | undefined;
  /** Close code of a connection that was open. */
  readonly close?: number;
}

/** Sends a request, reads the whole answer and holds it against the OpenAPI document [OA-4]. */
export async function call(port: number, request: Call): Promise<Reply> {
  const reply = await exchange(port, request);
  const { method = 'GET', path: target } = request;
  assertDescribed({ method, target, ...reply, headers: singleHeaders(reply.headers) });
  return reply;
}

function singleHeaders(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  const single = Object.entries(headers).map(([name, value]) => [name, value?.toString()]);
  return Object.fromEntries(single);
}

function exchange(
  port: number,
  { method = 'GET', path, headers = {}, body, chunked }: Call,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sized =
      body === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      headers: { ...sized, ...headers },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const packed = response.headers['content-encoding'] === 'gzip';
        const bytes = Buffer.concat(parts);
        const text = (packed ? gunzipSync(bytes) : bytes).toString();
        const { statusCode: status = 0, headers: seen } = response;
        resolve({ status, headers: seen, text, json: asJson(text) });
      });
    });
    if (body !== undefined) request.write(body);
    request.end();
  });
}

/** The JSON object in a text, or undefined. */
export function asJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
