/** One write of the application per scope and process at a time: two would only collide in the database. */

/** Turns by scope. */
export class ScopeTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs the work when the scope's earlier works have ended, however they ended. */
  take<T>(scope_id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(scope_id) ?? Promise.resolve();
    const run = before.then(work, work);
    this.#last.set(scope_id, run);
    const forget = (): void => {
      if (this.#last.get(scope_id) === run) this.#last.delete(scope_id);
    };
    run.then(forget, forget);
    return run;
  }
}
