/** A machine that tests hold in their hands: the clock moves only when told, randomness counts up. */

import { createHash, createHmac } from 'node:crypto';
import type { Clock, System } from '../../../src/core/ports/system.ts';

/** Where the clock of the tests starts: 2026-05-02T12:00:00.000Z. */
export const NOON = Date.UTC(2026, 4, 2, 12);

/** A clock that stands still until it is set; sleeping moves both times on. */
export class FakeClock implements Clock {
  wall: number;
  mono = 1_000;
  readonly slept: number[] = [];
  /** Called after each sleep, so that a test can change the world meanwhile. */
  onSleep: () => void = () => undefined;

  constructor(wall = NOON) {
    this.wall = wall;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.mono;
  }

  sleep(ms: number, _signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    this.pass(ms);
    this.onSleep();
    return Promise.resolve();
  }

  /** Lets time pass on both clocks. */
  pass(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}

/** SHA-256 as hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A system around `clock`; random text is a counter, so that runs are equal. */
export function fakeSystem(clock: Clock): System {
  let drawn = 0;
  return {
    clock,
    crypto: {
      randomBase36: (length) => {
        drawn += 1;
        return drawn.toString(36).padStart(length, '0').slice(-length);
      },
      randomHex: (bytes) => 'ab'.repeat(bytes),
      sha256,
      hmac: (keyHex, text) =>
        createHmac('sha256', Buffer.from(keyHex, 'hex')).update(text).digest('base64url'),
    },
  };
}
