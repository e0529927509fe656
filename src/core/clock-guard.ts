/**
 * Guards a store that lives on the process clock. A wall clock that jumps forward would put the
 * heads of all scopes into the future, where they stay; so a jump of more than a minute against the
 * monotonic clock is held back, with a warning, until it has lasted long enough to be believed
 * (a machine that slept) [HL-7].
 */

import type { Clock } from './ports/system.ts';

/** Largest forward step that is taken at once, ms. */
export const CLOCK_JUMP_MAX_MS = 60_000;
/** How long a larger step is held back before it is believed, ms of monotonic time. */
export const CLOCK_HOLD_MS = 600_000;

/** The clock stands before the earliest possible time: starting would write versions of the past. */
export class ClockError extends Error {
  constructor() {
    super(
      'The system clock is before the build date of this server. Set the clock and start again.',
    );
    this.name = 'ClockError';
  }
}

/** A clock whose forward jumps are held back. Throws `ClockError` when it starts in the past. */
export class GuardedClock implements Clock {
  readonly #clock: Clock;
  readonly #onHeldBack: (jumpMs: number) => void;
  #wall: number;
  #mono: number;
  #heldSince: number | undefined;

  constructor(clock: Clock, options: { earliest_ms: number; onHeldBack(jump_ms: number): void }) {
    this.#clock = clock;
    this.#onHeldBack = (jumpMs) => options.onHeldBack(jumpMs);
    this.#wall = clock.now();
    this.#mono = clock.monotonic();
    if (this.#wall < options.earliest_ms) throw new ClockError();
  }

  now(): number {
    const wall = this.#clock.now();
    const mono = this.#clock.monotonic();
    const expected = this.#wall + (mono - this.#mono);
    const jump = wall - expected;
    if (jump <= CLOCK_JUMP_MAX_MS) {
      this.#heldSince = undefined;
      return this.#accept(wall, mono);
    }
    if (this.#heldSince === undefined) {
      this.#heldSince = mono;
      this.#onHeldBack(Math.round(jump));
    }
    if (mono - this.#heldSince < CLOCK_HOLD_MS) return Math.floor(expected);
    this.#heldSince = undefined;
    return this.#accept(wall, mono);
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }

  #accept(wall: number, mono: number): number {
    this.#wall = wall;
    this.#mono = mono;
    return wall;
  }
}
