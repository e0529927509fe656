/**
 * The ground every contract case stands on: a fresh store, set up, and names of its own. Each body
 * runs twice on the same store under other names, and each `decide` runs twice per attempt, so that
 * state left behind by a run or a call shows.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  CommitGroup,
  Committed,
  GroupPlan,
  GroupSnapshot,
  LineBatch,
  OplogRead,
  StoreErrorKind,
  SyncStore,
  WantedLayout,
} from '../../src/core/ports/store.ts';
import { StoreError } from '../../src/core/ports/store.ts';
import { type BundleOptions, loadOf, type PlannedChange, planBundle } from './plan-builder.ts';

/**
 * A store under test, freshly made and never set up. `second` opens another store object on the
 * same data, as a second process would; a store that serves one process has none.
 */
export interface OpenedStore {
  readonly store: SyncStore;
  readonly second?: () => Promise<SyncStore>;
  close(): Promise<void>;
}

/** Opens a store for one case. */
export type OpenStore = () => Promise<OpenedStore>;

/** Long enough that a database which expires rows itself keeps the suite's old ones, s. */
const LONG_SECONDS = 2_000_000_000;

/** The layout of the suite: one collection of each id type, and a second one with string ids. */
export const CONTRACT_LAYOUT: WantedLayout = {
  collections: [
    { name: 'tasks', id_type: 'string' },
    { name: 'notes', id_type: 'string' },
    { name: 'numbers', id_type: 'int' },
    { name: 'objects', id_type: 'objectid' },
    { name: 'keys', id_type: 'uuid' },
  ],
  oplog_ttl_seconds: LONG_SECONDS,
  receipt_ttl_seconds: LONG_SECONDS,
  tombstone_ttl_seconds: LONG_SECONDS,
  conflict_ttl_seconds: LONG_SECONDS,
  catalogue_hash: 'catalogue-1',
  new_epoch: 'epoch-1',
  new_cursor_key: 'ab'.repeat(32),
};

/** Time for all attempts of a group that must succeed, ms. */
export const BUDGET_MS = 10_000;

/** What a committed bundle gives back. */
export interface Bundle {
  readonly snapshot: GroupSnapshot;
  readonly plan: GroupPlan;
}

/** Names and shortcuts of one run of a body. */
export class World {
  readonly store: SyncStore;
  readonly second: (() => Promise<SyncStore>) | undefined;
  readonly round: number;

  constructor(opened: OpenedStore, round: number) {
    this.store = opened.store;
    this.second = opened.second;
    this.round = round;
  }

  /** A scope or document id of this round. */
  name(text: string): string {
    return `r${this.round}-${text}`;
  }

  /** Commits one bundle. The decision is made twice and must come out equal. */
  async commit(
    scope_id: string,
    changes: readonly PlannedChange[],
    options: BundleOptions & { readonly store?: SyncStore } = {},
  ): Promise<Committed<Bundle>> {
    const store = options.store ?? this.store;
    return store.commitGroup(scope_id, this.group(scope_id, changes, options));
  }

  /** The group of one bundle. */
  group(
    scope_id: string,
    changes: readonly PlannedChange[],
    options: BundleOptions = {},
  ): CommitGroup<Bundle> {
    return {
      load: loadOf(scope_id, changes),
      budget_ms: BUDGET_MS,
      decide: (snapshot) => {
        const plan = planBundle(snapshot, changes, options);
        assert.deepEqual(planBundle(snapshot, changes, options), plan, 'decide must be pure');
        return { plan, outcome: { snapshot, plan } };
      },
    };
  }

  /** All rows of a scope. */
  rows(scope_id: string, store: SyncStore = this.store): Promise<readonly OplogRead[]> {
    return store.readRows({ scope_id, after_seq: 0, max_rows: 5_000, max_bytes: 16_777_216 });
  }

  /** Every line of a collection of a scope, in pages of `limit`. */
  async lines(
    scope_id: string,
    part: 'documents' | 'tombstones',
    page: { readonly collection?: string; readonly limit: number },
  ): Promise<string[]> {
    const collection = page.collection ?? 'tasks';
    const walk = this.store.openWalk(scope_id);
    const lines: string[] = [];
    try {
      let after: string | null = null;
      for (;;) {
        const batch: LineBatch = await walk[part]({ collection, after, limit: page.limit });
        const found = batch.text.split('\n').slice(0, -1);
        assert.equal(found.length, batch.count);
        assert.ok(batch.count <= page.limit);
        assert.equal(batch.last_id === null, batch.count === 0);
        lines.push(...found);
        if (!batch.more) return lines;
        after = batch.last_id;
      }
    } finally {
      await walk.close();
    }
  }
}

/** Registers one case. Its body runs twice. */
export function contractCase(
  title: string,
  open: OpenStore,
  body: (world: World) => Promise<void>,
): void {
  test(title, async () => {
    const opened = await open();
    try {
      await opened.store.applySetup(CONTRACT_LAYOUT);
      for (const round of [1, 2]) await body(new World(opened, round));
    } finally {
      await opened.close();
    }
  });
}

/** Expects a `StoreError` of one of these kinds. */
export async function rejectsWith(
  work: Promise<unknown>,
  ...kinds: readonly StoreErrorKind[]
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof StoreError, `expected a StoreError, got ${String(error)}`);
    assert.ok(kinds.includes(error.kind), `${error.kind} is none of ${kinds.join(', ')}`);
    return true;
  });
}

/** A promise with its handles outside. */
export function deferred<T>(): {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
