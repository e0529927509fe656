/** The text of a signed token: its three parts, and the JSON objects inside two of them. */

import { SyncError } from '../protocol/errors.ts';
import type { AuthReason } from '../protocol/pure/error-codes.ts';
import { TOKEN_BYTES_MAX } from '../protocol/pure/limits.ts';

/** A refusal with its reason; never with a text of the token or of a library. */
export function authFailure(reason: AuthReason): SyncError {
  return new SyncError('authentication_failed', { details: { reason } });
}

/**
 * The token of an `Authorization` header [AU-1]. Two headers arrive joined by a comma, which no
 * token contains, so they are refused like any other junk.
 */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined) throw authFailure('token_missing');
  if (authorization.length > TOKEN_BYTES_MAX + BEARER_LENGTH) throw authFailure('token_malformed');
  const match = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization);
  if (match?.[1] === undefined) throw authFailure('token_malformed');
  return match[1];
}

const BEARER_LENGTH = 'Bearer '.length;

/** The parts of a token. Throws `token_malformed` unless header and payload are canonical base64url. */
export function splitToken(token: string): { header: string; payload: string; signature: string } {
  const [header = '', payload = '', signature = ''] = token.split('.');
  if (!isCanonical(header) || !isCanonical(payload)) throw authFailure('token_malformed');
  return { header, payload, signature };
}

/** True when decoding and encoding again gives the same text: no second spelling of one token. */
export function isCanonical(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

/** The object that a part holds. Throws `token_malformed` for anything else, or a repeated name. */
export function parsePart(part: string): Record<string, unknown> {
  const bytes = Buffer.from(part, 'base64url');
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notAnObject;
    if (topLevelKeys(text) !== Object.keys(value).length) throw notAnObject;
    return value as Record<string, unknown>;
  } catch {
    throw authFailure('token_malformed');
  }
}

const notAnObject = new TypeError('not an object with distinct names');

/** Counts the names of a valid JSON object, repeated ones included. */
function topLevelKeys(text: string): number {
  let depth = 0;
  let colons = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (token === ':' && depth === 1) colons += 1;
  }
  return colons;
}
