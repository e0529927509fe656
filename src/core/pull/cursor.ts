/** Opaque signed cursors of a full resync: a position that only this server can have written. */

import { SyncError } from '../../protocol/errors.ts';
import { type Hlc, isHlc } from '../../protocol/pure/hlc.ts';
import { CURSOR_LENGTH_MAX } from '../../protocol/pure/limits.ts';
import type { Crypto } from '../ports/system.ts';

/** Where a walk stands. */
export interface WalkPosition {
  /** Head before the first page: the `since` to pull from afterwards. Zero for an absent head. */
  readonly low: Hlc;
  /** Index into the requested collections. */
  readonly collection: number;
  readonly part: 'documents' | 'tombstones';
  /** Last delivered id of the part, null before its first. */
  readonly after: string | null;
  /** When the cursor expires, ms since 1970. */
  readonly expires_ms: number;
}

/** What a cursor is bound to: another scope, list of collections or epoch cannot use it. */
export interface CursorBinding {
  readonly scope_id: string;
  readonly collections: readonly string[];
  readonly epoch: string;
}

/** Keys and clock of cursor handling. */
export interface CursorTools {
  readonly crypto: Crypto;
  /** Hex key, never logged. */
  readonly key: string;
  readonly now_ms: number;
}

/** Writes a cursor: compact JSON and its signature, base64url. */
export function writeCursor(
  position: WalkPosition,
  binding: CursorBinding,
  tools: CursorTools,
): string {
  const { low, collection, part, after, expires_ms } = position;
  const payload = encode(
    JSON.stringify([low, collection, part === 'documents' ? 0 : 1, after, expires_ms]),
  );
  return `${payload}.${sign(payload, binding, tools)}`;
}

/** Reads a cursor. Throws 400 `cursor_invalid` with `details.reason` malformed, tampered or expired. */
export function readCursor(
  cursor: string,
  binding: CursorBinding,
  tools: CursorTools,
): WalkPosition {
  const [payload, signature, ...rest] = cursor.split('.');
  if (cursor.length > CURSOR_LENGTH_MAX || !payload || !signature || rest.length > 0) {
    throw invalid('malformed');
  }
  // HMAC output is compared as a whole string of fixed length; both sides were signed here.
  if (!sameText(signature, sign(payload, binding, tools))) throw invalid('tampered');
  const [low, collection, part, after, expires_ms] = decode(payload) as unknown[];
  if (typeof expires_ms !== 'number' || expires_ms <= tools.now_ms) throw invalid('expired');
  if (!isHlc(low) || typeof collection !== 'number') throw invalid('malformed');
  return {
    low,
    collection,
    part: part === 0 ? 'documents' : 'tombstones',
    after: typeof after === 'string' ? after : null,
    expires_ms,
  };
}

function sign(payload: string, binding: CursorBinding, { crypto, key }: CursorTools): string {
  const { scope_id, collections, epoch } = binding;
  return crypto.hmac(key, JSON.stringify(['full', epoch, scope_id, collections, payload]));
}

/** Compares without an early exit, so that timing tells nothing about the expected signature. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i += 1) difference |= a.charCodeAt(i % a.length) ^ b.charCodeAt(i);
  return difference === 0;
}

function encode(text: string): string {
  const binary = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function decode(payload: string): unknown {
  const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function invalid(reason: string): SyncError {
  return new SyncError('cursor_invalid', { details: { reason } });
}
