/**
 * A look at the bytes of a JSON text before it is parsed: how deep, how many tokens, and whether the
 * outermost object repeats a key. `JSON.parse` itself bounds none of that: six megabytes of `[` make
 * it hold the thread for seconds, and a repeated key silently loses the first value.
 */

import { TOKENS_MAX } from '../../protocol/pure/limits.ts';
import { BODY_DEPTH_MAX, BYTES_PER_TOKEN_MIN } from '../http-limits.ts';

/** Why a body is refused without being parsed; names of `details.reason`. */
export type ScanFault = 'nesting_too_deep' | 'too_many_tokens' | 'duplicate_key';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Scans UTF-8 bytes. It finds no syntax errors: what is no JSON passes or not, and the parser that
 * runs next refuses it.
 */
export function scanJson(bytes: Buffer): ScanFault | null {
  const keys = new Set<string>();
  let depth = 0;
  let tokens = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case QUOTE: {
        const end = endOfString(bytes, at + 1);
        if (depth === 1 && isKey(bytes, end)) {
          const key = keyText(bytes.toString('utf8', at, end + 1));
          if (keys.has(key)) return 'duplicate_key';
          keys.add(key);
        }
        at = end;
        break;
      }
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        depth += 1;
        tokens += 1;
        if (depth > BODY_DEPTH_MAX) return 'nesting_too_deep';
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth -= 1;
        tokens += 1;
        break;
      case COMMA:
      case COLON:
        tokens += 1;
        break;
    }
  }
  const tokensMax = TOKENS_MAX + bytes.length / BYTES_PER_TOKEN_MIN;
  return tokens > tokensMax ? 'too_many_tokens' : null;
}

/** Index of the closing quote, or the length of the bytes when there is none. */
function endOfString(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return bytes.length;
}

/** Whether the string that ends at `end` is followed by a colon. */
function isKey(bytes: Buffer, end: number): boolean {
  let next = end + 1;
  while (isBlank(bytes[next])) next += 1;
  return bytes[next] === COLON;
}

/** The key that a JSON string spells; the raw text when it is no valid string. */
function keyText(text: string): string {
  if (!text.includes('\\')) return text.slice(1, -1);
  try {
    return JSON.parse(text) as string;
  } catch {
    return text;
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
