/** The feed of a process that alone writes to its store: whoever commits tells it. Pure. */

import type { ChangeFeed, FeedListener, OpenFeed } from './feed.ts';
import type { OplogRead } from './records.ts';
import { StoreError } from './store.ts';

/** Tells the listeners of this process what it commits, and nothing that another process does. */
export class LocalFeed implements ChangeFeed {
  readonly #listeners = new Set<{ readonly listener: FeedListener }>();
  #over: StoreError | undefined;

  async open(listener: FeedListener): Promise<OpenFeed> {
    if (this.#over !== undefined) throw this.#over;
    const entry = { listener };
    this.#listeners.add(entry);
    return {
      close: async () => {
        this.#listeners.delete(entry);
      },
    };
  }

  /** Tells of rows that were committed. They are made only when somebody listens. Never throws. */
  tell(scope_id: string, rowsOf: () => readonly OplogRead[]): void {
    if (this.#listeners.size === 0) return;
    let rows: readonly OplogRead[];
    try {
      rows = rowsOf();
    } catch (error) {
      this.#drop([...this.#listeners], error);
      return;
    }
    if (rows.length === 0) return;
    for (const entry of [...this.#listeners]) {
      if (!this.#listeners.has(entry)) continue;
      try {
        entry.listener.rows(scope_id, rows);
      } catch (error) {
        this.#drop([entry], error);
      }
    }
  }

  /** Nothing is told any more, and nobody can listen: the store stopped. */
  end(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = new StoreError('unavailable', reason);
    this.#drop([...this.#listeners], this.#over);
  }

  #drop(entries: readonly { readonly listener: FeedListener }[], cause: unknown): void {
    for (const entry of entries) {
      if (!this.#listeners.delete(entry)) continue;
      try {
        entry.listener.ended(cause);
      } catch {
        // A listener that fails twice has nobody left to tell.
      }
    }
  }
}
