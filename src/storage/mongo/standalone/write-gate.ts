/** Who may look at the database while a group without a transaction is being written. */

/**
 * Many readers or one writer, in the order of their arrival. A group's writes are not atomic here, so
 * nobody else in this process looks at documents between the first and the last of them [SA-4].
 */
export class WriteGate {
  #readers = 0;
  #writing = false;
  readonly #waiting: { readonly write: boolean; enter(): void }[] = [];

  /** Runs `work` while nothing is being written. */
  read<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(false, work);
  }

  /** Runs `work` alone. */
  write<T>(work: () => Promise<T>): Promise<T> {
    return this.#run(true, work);
  }

  async #run<T>(write: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((enter) => {
      this.#waiting.push({ write, enter });
      this.#admit();
    });
    try {
      return await work();
    } finally {
      if (write) this.#writing = false;
      else this.#readers -= 1;
      this.#admit();
    }
  }

  #admit(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#writing || (next.write && this.#readers > 0)) return;
      this.#waiting.shift();
      if (next.write) this.#writing = true;
      else this.#readers += 1;
      next.enter();
    }
  }
}

/** One group of a scope after the other [ST-4]. */
export class ScopeTurns {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when the scope's earlier work is over. */
  async take<T>(scope_id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(scope_id);
    let leave: () => void = () => {};
    const own = new Promise<void>((resolve) => {
      leave = resolve;
    });
    this.#last.set(scope_id, own);
    await before;
    try {
      return await work();
    } finally {
      if (this.#last.get(scope_id) === own) this.#last.delete(scope_id);
      leave();
    }
  }
}
