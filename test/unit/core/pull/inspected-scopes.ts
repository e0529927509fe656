/** Rows of several scopes in memory, as an inspection reads them, with faults on demand. */

import type { ChangeFeed } from '../../../../src/core/ports/feed.ts';
import type { OplogRead, StoreError } from '../../../../src/core/ports/store.ts';
import type { InspectStore } from '../../../../src/core/pull/inspect.ts';
import { formatHlc, type Hlc } from '../../../../src/protocol/pure/hlc.ts';

/** A version at a time. */
export const at = (ms: number): Hlc => formatHlc({ p: 1_000_000 + ms, c: 0, node: 'node' });

/** Rows by scope; `pruned` are gone from the front. Counts its reads. */
export class Scopes implements InspectStore {
  feed: ChangeFeed | null = null;
  readonly rows = new Map<string, OplogRead[]>();
  readonly pruned = new Map<string, number>();
  /** Reads of rows, and walks over all scopes. */
  reads = 0;
  lists = 0;
  /** Thrown by every read. */
  fault: StoreError | undefined;
  /** Heads are never answered. */
  hang = false;

  add(scope_id: string, ...times: number[]): void {
    const rows = this.rows.get(scope_id) ?? [];
    this.rows.set(scope_id, rows);
    for (const ms of times) {
      const seq = rows.length + 1;
      const [collection, operation] = [seq % 2 ? 'odd' : 'even', seq % 3 ? 'upsert' : 'delete'];
      rows.push({
        version: at(ms),
        prev: rows.at(-1)?.version ?? '',
        seq,
        bundle_seq: seq,
        ordinal: 0,
        bundle_rows: 1,
        collection,
        doc_id: `${scope_id}${ms}`,
        operation: operation as 'upsert' | 'delete',
        origin: 'push',
        line: '',
      });
    }
  }

  #fail(): void {
    if (this.fault !== undefined) throw this.fault;
  }

  #kept(scope_id: string): OplogRead[] {
    const gone = this.pruned.get(scope_id) ?? 0;
    return (this.rows.get(scope_id) ?? []).filter(({ seq }) => seq > gone);
  }

  async readScope(scope_id: string) {
    if (this.hang) await new Promise(() => {});
    this.#fail();
    const last = this.rows.get(scope_id)?.at(-1);
    const head = last && {
      scope_id,
      head_version: last.version,
      head_seq: last.seq,
      head_bundle_seq: last.seq,
      hlc_p: 0,
      hlc_c: 0,
      chain_start: '' as const,
    };
    return { head: head ?? null, at: null };
  }

  async confirmHead(scope_id: string) {
    return (await this.readScope(scope_id)).head;
  }

  async listScopes(after: string | null, limit: number) {
    this.lists += 1;
    this.#fail();
    return [...this.rows.keys()]
      .sort()
      .filter((id) => after === null || id > after)
      .slice(0, limit);
  }

  async readRows({
    scope_id,
    after_seq,
    max_rows,
  }: {
    scope_id: string;
    after_seq: number;
    max_rows: number;
  }) {
    this.#fail();
    this.reads += 1;
    return this.#kept(scope_id)
      .filter(({ seq }) => seq > after_seq)
      .slice(0, max_rows);
  }

  async firstRow(scope_id: string) {
    return this.#kept(scope_id)[0] ?? null;
  }
}
