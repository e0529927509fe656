/** What a handshake must be before anything of it is remembered. */

import type { IncomingMessage } from 'node:http';
import { SyncError } from '../../protocol/errors.ts';
import { HEADER_PROTOCOL, PROTOCOL_VERSION } from '../../protocol/pure/headers.ts';
import { URI_BYTES_MAX } from '../../protocol/pure/limits.ts';
import { QueryReader } from '../../protocol/query.ts';
import { isUsable } from '../usable-request.ts';

/** The one path of the stream. */
export const STREAM_PATH = '/sync/stream';

/** True when the request asks for a WebSocket, and nothing else. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Path and query of a usable request. */
export function splitTarget(url: string): { readonly path: string; readonly query: string } {
  const target = url.startsWith('/') ? url : url.slice(url.indexOf('/', url.indexOf('://') + 3));
  const at = target.indexOf('?');
  return at === -1
    ? { path: target, query: '' }
    : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** What the gate knows about the server. */
export interface HandshakeRules {
  /** Origins of `cors.origins`. */
  readonly origins: readonly string[];
  readonly token_in_query: boolean;
}

/**
 * Checks everything but who calls [WS-1]; gives the token of the address, if it may stand there.
 * Throws the error to answer with.
 */
export function checkHandshake(
  request: IncomingMessage,
  rules: HandshakeRules,
): string | undefined {
  const { url = '', headers, method } = request;
  if (!isUsable(request)) throw bad('malformed_http');
  if (url.length > URI_BYTES_MAX) throw new SyncError('uri_too_long');
  const version = headers[HEADER_PROTOCOL.toLowerCase()];
  if (version !== undefined && version !== PROTOCOL_VERSION) {
    throw new SyncError('upgrade_required', { details: { supported: [PROTOCOL_VERSION] } });
  }
  const { path, query } = splitTarget(url);
  if (path !== STREAM_PATH) throw new SyncError('not_found');
  if (method !== 'GET') {
    throw new SyncError('method_not_allowed', { details: { allow: ['GET', 'HEAD'] } });
  }
  if (headers['sec-websocket-version'] !== '13') throw bad('websocket_version');
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) throw bad('websocket_key');
  // None is known here, and answering without one that was asked for breaks browsers.
  if (headers['sec-websocket-protocol'] !== undefined) throw bad('websocket_protocol');
  checkOrigin(request, rules.origins);
  return readQueryToken(query, rules);
}

/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/**
 * Browsers send their origin with every handshake and ask nobody first, so a foreign page could
 * open a connection in its visitor's name [WS-2].
 */
function checkOrigin({ headers }: IncomingMessage, origins: readonly string[]): void {
  const { origin, host } = headers;
  if (origin === undefined || origins.includes(origin) || isSameHost(origin, host)) return;
  throw new SyncError('origin_forbidden');
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const match = /^https?:\/\/([^/]+)$/.exec(origin);
  return match?.[1] !== undefined && match[1].toLowerCase() === host?.toLowerCase();
}

const TOKEN_NAMES = ['token', 'access_token'];

/** A token in the address lands in logs of proxies: refused unless the operator wants it [WS-3]. */
function readQueryToken(query: string, { token_in_query }: HandshakeRules): string | undefined {
  const parameters = new URLSearchParams(query);
  const named = TOKEN_NAMES.filter((name) => parameters.has(name));
  if (named.length > 0 && !token_in_query) throw bad('token_in_query');
  const reader = new QueryReader(parameters, TOKEN_NAMES);
  reader.finish();
  if (named.length > 1) throw bad('two_tokens');
  return named[0] === undefined ? undefined : reader.text(named[0]);
}

function bad(reason: string): SyncError {
  return new SyncError('invalid_request', { details: { reason } });
}
