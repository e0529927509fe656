/**
 * A store in memory for tests of the engine: whole groups, chains, walks. Tests reach into its maps,
 * queue failures, hold commits open, and change the world between two of its calls.
 */

import type {
  ConflictEntry,
  DocumentTrace,
  OplogRow,
  Receipt,
  ScopeHead,
  StoredDocument,
  Tombstone,
} from '../../../src/core/ports/records.ts';
import { isEmptyPlan, needsFloor } from '../../../src/core/ports/group-rules.ts';
import type {
  CommitGroup,
  Committed,
  DocumentKey,
  FullWalk,
  GroupPlan,
  LineBatch,
  LineRange,
  OplogRead,
  ReceiptKey,
  RefusedChanges,
  RowPosition,
  RowRange,
  SyncStore,
} from '../../../src/core/ports/store.ts';
import { fullLine, tombstoneLine } from '../../../src/protocol/full.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';
import type { ChangeFeed } from '../../../src/core/ports/feed.ts';
import type { FakeClock } from './fake-system.ts';
import { head as headOf, readOf } from './records.ts';

function keyOf(key: DocumentKey): string {
  return `${key.collection}\u0000${key.doc_id}`;
}

/** What a test may do to the store. */
export class FakeStore {
  readonly heads = new Map<string, ScopeHead>();
  readonly documents = new Map<string, StoredDocument>();
  readonly tombstones = new Map<string, Tombstone>();
  readonly traces = new Map<string, DocumentTrace>();
  readonly receipts: Receipt[] = [];
  readonly conflicts = new Map<string, ConflictEntry>();
  rows: OplogRow[] = [];
  /** Names of the calls, in order. */
  readonly calls: string[] = [];
  /** Scope, number of pushes by their documents, and budget of every group. */
  readonly groups: { readonly scope_id: string; readonly budget_ms: number }[] = [];
  readonly clients: string[] = [];
  readonly ranges: RowRange[] = [];
  /** Thrown by the next calls of `commitGroup`, before anything is decided. */
  readonly failures: unknown[] = [];
  /** Changes that the database refuses, once each group. */
  refused: RefusedChanges = new Map();
  /** Runs before each call; may wait, change the store, or throw. */
  before: (call: string) => unknown = () => undefined;
  /** Most lines of one batch of a walk. */
  batch_lines = Number.POSITIVE_INFINITY;
  readonly clock: FakeClock;
  feed: ChangeFeed | null = null;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** Drops the rows of a scope up to `seq`. */
  drop(scope_id: string, seq: number): void {
    this.rows = this.rows.filter((row) => row.scope_id !== scope_id || row.seq > seq);
  }

  async commitGroup<T>(scope_id: string, group: CommitGroup<T>): Promise<Committed<T>> {
    this.groups.push({ scope_id, budget_ms: group.budget_ms });
    await this.#enter('commitGroup');
    if (this.failures.length > 0) throw this.failures.shift();
    const { receipts, documents, traces = [] } = group.load;
    const traced = new Set(traces.map(keyOf));
    const keys = new Set(documents.map(keyOf));
    const loaded = {
      receipts: this.#receipts(receipts),
      tombstones: [...this.tombstones.values()].filter(
        (one) => one.scope_id === scope_id && keys.has(keyOf(one)),
      ),
      documents: [...this.documents.values()].filter((one) => keys.has(keyOf(one))),
      traces: [...this.traces.values()].filter(
        (one) => one.scope_id === scope_id && traced.has(keyOf(one)),
      ),
      parents: this.rows.filter(
        (row) =>
          row.scope_id === scope_id &&
          documents.some(({ parent_version }) => parent_version === row.version),
      ),
    };
    const floor = needsFloor(documents, loaded)
      ? (this.#rows(scope_id)[0]?.version ?? null)
      : undefined;
    const head = this.heads.get(scope_id) ?? { ...headOf(), scope_id };
    const decided = await group.decide(
      { head, now_ms: this.clock.now(), ...loaded, floor },
      this.refused,
    );
    await this.#enter('write');
    const written = !isEmptyPlan(decided.plan);
    if (written) this.apply(decided.plan);
    return { outcome: decided.outcome, written, attempts: 1 };
  }

  /** Writes a plan. */
  apply(plan: GroupPlan): void {
    for (const write of plan.documents) {
      if (write.kind === 'drop') this.documents.delete(keyOf(write));
      else if (write.kind === 'release') this.#release(keyOf(write));
      else this.documents.set(keyOf(write.document), { ...write.document, read_only: false });
    }
    for (const one of plan.traces?.drop ?? []) this.traces.delete(keyOf(one));
    for (const one of plan.traces?.put ?? []) this.traces.set(keyOf(one), one);
    for (const one of plan.tombstones.drop) this.tombstones.delete(keyOf(one));
    for (const one of plan.tombstones.put) this.tombstones.set(keyOf(one), one);
    this.rows.push(...plan.rows);
    this.receipts.push(...plan.receipts);
    for (const one of plan.conflicts) this.conflicts.set(one.conflict_id, one);
    this.heads.set(plan.head.scope_id, plan.head);
  }

  #release(key: string): void {
    const document = this.documents.get(key);
    if (document === undefined) return;
    const none = { scope_id: null, version: null, change_version: null, hash: null };
    this.documents.set(key, { ...document, ...none, actor_id: null, client_id: null });
  }

  async readScope(scope_id: string, since: Hlc | null) {
    await this.#enter('readScope');
    const at = this.#rows(scope_id).find((row) => row.version === since);
    return { head: this.heads.get(scope_id) ?? null, at: at === undefined ? null : position(at) };
  }

  async readHeads(scope_ids: readonly string[]): Promise<readonly ScopeHead[]> {
    await this.#enter('readHeads');
    return scope_ids.flatMap((scope_id) => this.heads.get(scope_id) ?? []);
  }

  async confirmHead(scope_id: string): Promise<ScopeHead | null> {
    await this.#enter('confirmHead');
    return this.heads.get(scope_id) ?? null;
  }

  async readRows(range: RowRange): Promise<readonly OplogRead[]> {
    this.ranges.push(range);
    await this.#enter('readRows');
    const { scope_id, after_seq, max_rows, max_bytes } = range;
    const found: OplogRead[] = [];
    let bytes = 0;
    for (const row of this.#rows(scope_id)) {
      if (row.seq <= after_seq || found.length === max_rows) continue;
      const read = readOf(row);
      bytes += read.line.length;
      if (found.length > 0 && bytes > max_bytes) break;
      found.push(read);
    }
    return found;
  }

  async firstRow(scope_id: string): Promise<RowPosition | null> {
    await this.#enter('firstRow');
    const [first] = this.#rows(scope_id);
    return first === undefined ? null : position(first);
  }

  async findReceipts(keys: readonly ReceiptKey[]): Promise<readonly Receipt[]> {
    await this.#enter('findReceipts');
    return this.#receipts(keys);
  }

  async readDocuments(scope_id: string, keys: readonly DocumentKey[]) {
    await this.#enter('readDocuments');
    const wanted = new Set(keys.map(keyOf));
    return [...this.documents.values()].filter(
      (one) => one.scope_id === scope_id && wanted.has(keyOf(one)),
    );
  }

  openWalk(scope_id: string): FullWalk {
    return {
      head: async () => {
        await this.#enter('walk.head');
        return this.heads.get(scope_id) ?? null;
      },
      documents: async (range) => {
        await this.#enter('walk.documents');
        const own = [...this.documents.values()].filter(
          (one) => one.scope_id === scope_id && one.version !== null,
        );
        return this.#batch(own, range, (one) => fullLine({ ...one, version: one.version as Hlc }));
      },
      tombstones: async (range) => {
        await this.#enter('walk.tombstones');
        const own = [...this.tombstones.values()].filter((one) => one.scope_id === scope_id);
        return this.#batch(own, range, (one) =>
          tombstoneLine(one.collection, one.doc_id, one.version),
        );
      },
      close: async () => {
        this.calls.push('walk.close');
      },
    };
  }

  async recordClient(client: { scope_id: string; client_id: string }): Promise<void> {
    await this.#enter('recordClient');
    this.clients.push(`${client.scope_id}/${client.client_id}`);
  }

  /** The store as the engine takes it; upkeep beyond `recordClient` is not there. */
  asStore(): SyncStore {
    return this as unknown as SyncStore;
  }

  #batch<T extends DocumentKey>(
    all: readonly T[],
    range: LineRange,
    line: (one: T) => string,
  ): LineBatch {
    const { collection, after, limit } = range;
    const left = all
      .filter((one) => one.collection === collection && (after === null || one.doc_id > after))
      .sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1));
    const taken = left.slice(0, Math.min(limit, this.batch_lines));
    return {
      text: taken.map((one) => `${line(one)}\n`).join(''),
      count: taken.length,
      last_id: taken.at(-1)?.doc_id ?? null,
      more: taken.length < left.length,
    };
  }

  #receipts(keys: readonly ReceiptKey[]): Receipt[] {
    return this.receipts.filter((one) =>
      keys.some(
        (key) =>
          key.scope_ids.includes(one.scope_id) &&
          key.actor_id === one.actor_id &&
          key.client_id === one.client_id &&
          key.mutation_id === one.mutation_id,
      ),
    );
  }

  #rows(scope_id: string): OplogRow[] {
    return this.rows.filter((row) => row.scope_id === scope_id);
  }

  async #enter(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}

function position({ version, prev, seq }: OplogRow): RowPosition {
  return { version, prev, seq };
}
