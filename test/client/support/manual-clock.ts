/** Timers that fire when a test says so, and the settling of everything that is under way. */

interface Timer {
  readonly at: number;
  readonly work: () => void;
}

/** Time of one live client. */
export class ManualClock {
  now = 0;
  readonly #timers = new Set<Timer>();
  readonly setTimeout = (work: () => void, ms: number): Timer => {
    const timer = { at: this.now + ms, work };
    this.#timers.add(timer);
    return timer;
  };
  readonly clearTimeout = (timer: Timer): void => void this.#timers.delete(timer);

  /** How long each timer has still to go, ms, the next one first. */
  get waits(): readonly number[] {
    return [...this.#timers].map(({ at }) => at - this.now).sort((a, b) => a - b);
  }

  /** Lets the time pass, each timer in its turn. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settled();
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.now = next.at;
      this.#timers.delete(next);
      next.work();
      await settled();
    }
    this.now = end;
    await settled();
  }

  #due(end: number): Timer | undefined {
    return [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

/** Everything that waits for no timer has run: a few rounds through the event loop. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 12; round += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
