/** A request body as a JSON value: media type, size, UTF-8, bounds, syntax, in this order [HT-8]. */

import { isUtf8 } from 'node:buffer';
import { SyncError } from '../../protocol/errors.ts';
import type { Exchange } from '../exchange.ts';
import { readBody } from './read-body.ts';
import { scanJson } from './scan-json.ts';

/**
 * Reads the body as JSON in UTF-8 of at most `limit` bytes. Throws 415, 413, or 400
 * `invalid_request` with `details.reason`. The value can be anything that JSON can say.
 */
export async function readJson(exchange: Exchange, limit: number): Promise<unknown> {
  checkMediaType(exchange.request.headers.get('content-type'));
  checkEncoding(exchange.request.headers.get('content-encoding'));
  const bytes = await readBody(exchange, limit);
  if (!isUtf8(bytes)) throw unreadable('invalid_utf8');
  const fault = scanJson(bytes);
  if (fault !== null) throw unreadable(fault);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw unreadable('invalid_json');
  }
}

function checkMediaType(header: string | null): void {
  if (header === 'application/json') return;
  const [type, ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase());
  if (type !== 'application/json') throw unsupported('content_type');
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) throw unsupported('charset');
}

function checkEncoding(header: string | null): void {
  if (header !== null && header.trim().toLowerCase() !== 'identity') {
    throw unsupported('unsupported_encoding');
  }
}

function unsupported(reason: string): SyncError {
  return new SyncError('unsupported_media_type', { details: { reason } });
}

function unreadable(reason: string): SyncError {
  return new SyncError('invalid_request', { details: { reason } });
}
