/** One request to a key server, within bounds of time and size, and without following it anywhere. */

import { type KeySet, readKeySet } from './key-set.ts';

/** Bytes of a key set; real ones have a few thousand. */
export const KEY_SET_BYTES_MAX = 262_144;

/** Why an answer was no key set. Static words: an address or a text of the server could hold a secret. */
export type KeyServerFault =
  | 'unreachable'
  | 'timeout'
  | 'redirect'
  | 'status'
  | 'too_large'
  | 'not_json'
  | 'no_usable_key';

/** The set with its text, or why there is none. Never throws [AU-15]. */
export async function fetchKeySet(
  url: string,
  timeout_ms: number,
): Promise<{ readonly text: string; readonly set: KeySet } | KeyServerFault> {
  try {
    const text = await download(url, AbortSignal.timeout(timeout_ms));
    const set = readKeySet(parse(text));
    if (set === undefined) throw new Fault('no_usable_key');
    return { text, set };
  } catch (error) {
    if (error instanceof Fault) return error.reason;
    return (error as Error).name === 'TimeoutError' ? 'timeout' : 'unreachable';
  }
}

class Fault extends Error {
  readonly reason: KeyServerFault;
  constructor(reason: KeyServerFault) {
    super(reason);
    this.reason = reason;
  }
}

async function download(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    signal,
    // A redirect could lead to an address that nobody configured.
    redirect: 'manual',
    headers: { accept: 'application/json, application/jwk-set+json' },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    const redirect = response.status >= 300 && response.status < 400;
    throw new Fault(redirect ? 'redirect' : 'status');
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    // Leaving the loop cancels the rest.
    if (size > KEY_SET_BYTES_MAX) throw new Fault('too_large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault('not_json');
  }
}
