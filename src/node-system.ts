/** The machine behind the ports of the engine: Node's clocks, timers, randomness and digests. */

import { createHmac, hash, randomBytes, randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock, Crypto, System } from './core/ports/system.ts';

const BASE36 = '0123456789abcdefghijklmnopqrstuvwxyz';

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      if (ms === 0) {
        setImmediate(resolve);
        return;
      }
      const wake = (): void => {
        clearTimeout(timer);
        // A signal that lives on would keep a listener of every wait.
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal?.addEventListener('abort', wake, { once: true });
    }),
};

const crypto: Crypto = {
  randomBase36: (length) =>
    Array.from({ length }, () => BASE36[randomInt(BASE36.length)] as string).join(''),
  randomHex: (bytes) => randomBytes(bytes).toString('hex'),
  // One call without a stream object: half the cost of createHash for texts of this size.
  sha256: (text) => hash('sha256', text, 'hex'),
  hmac: (keyHex, text) =>
    createHmac('sha256', Buffer.from(keyHex, 'hex')).update(text).digest('base64url'),
};

/** Clock and cryptography of this process. */
export const nodeSystem: System = { clock, crypto };

/** Calls `work` again and again, `ms` after it ended, until `stop`; `stop` waits for a running call. */
export function repeat(
  ms: number,
  work: (signal: AbortSignal) => Promise<void>,
): () => Promise<void> {
  const control = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout;
  const schedule = (): void => {
    timer = setTimeout(() => {
      running = work(control.signal).finally(() => {
        if (!control.signal.aborted) schedule();
      });
    }, ms);
    timer.unref();
  };
  schedule();
  return async () => {
    control.abort();
    clearTimeout(timer);
    await running;
  };
}
