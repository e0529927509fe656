/** The whole history of a store whose log is pruned and whose data is put back from a backup. */

import { isDeepStrictEqual } from 'node:util';
import type { DeliveredPage } from './recorded-client.ts';
import type { StoredRow, StoredState } from './stored-state.ts';

/** Keeps what pruning takes away, and forgets what a restore takes back. */
export class HistoryKeeper {
  #pruned: readonly StoredRow[] = [];
  #atBackup: StoredState | undefined;

  /** The state with every row since the beginning. */
  whole(state: StoredState): StoredState {
    const kept = new Set(state.rows.map(({ version }) => version));
    const gone = this.#pruned.filter(({ version }) => !kept.has(version));
    const rows = [...gone, ...state.rows].sort(
      (a, b) => a.scope_id.localeCompare(b.scope_id) || a.seq - b.seq,
    );
    return { ...state, rows };
  }

  /** Call before rows are pruned. */
  beforePrune(state: StoredState): void {
    this.#pruned = this.whole(state).rows;
  }

  backedUp(state: StoredState): void {
    this.#atBackup = this.whole(state);
  }

  /** The history is again what it was at the backup. */
  restored(): void {
    this.#pruned = this.#atBackup?.rows ?? [];
  }

  /** Whether the backup holds the kept copy of an edit that lost its conflict. */
  conflictInBackup(mutation_id: string): boolean {
    return this.#atBackup?.conflicts.includes(mutation_id) ?? false;
  }

  /** Newest version of a scope at the backup: later answers are at risk. */
  headAtBackup(scope_id: string): string {
    return this.#atBackup?.heads.find((head) => head.scope_id === scope_id)?.head_version ?? '';
  }
}

/** Pages that are not exactly the rows between their cursors. */
export function pageFaults(
  rows: readonly StoredRow[],
  pages: readonly DeliveredPage[],
): DeliveredPage[] {
  const versions = rows.map(({ version }) => version);
  return pages.filter(({ since, last_seq, versions: delivered }) => {
    const expected = versions.filter((version) => version > since && version <= last_seq);
    return last_seq < since || !isDeepStrictEqual(expected, delivered);
  });
}
