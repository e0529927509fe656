/**
 * What a store without transactions does otherwise than one with them: how groups are committed, and
 * that reads show committed work only. Everything else is the same.
 */

import { LocalFeed } from '../../../core/ports/local-feed.ts';
import type { FullWalk, StoreCapabilities, SyncStore } from '../../../core/ports/store.ts';
import { guarded } from '../driver-errors.ts';
import type { CommitContext } from '../mongo-commit-group.ts';
import { firstRow, readDocuments, readRows, readScope } from '../mongo-reads.ts';
import { openWalk } from '../mongo-walk.ts';
import { Lease } from './lease.ts';
import { RedoLog } from './redo-log.ts';
import { readSettled, StandaloneCommit, type StandaloneContext } from './standalone-commit.ts';
import { ScopeTurns, WriteGate } from './write-gate.ts';

const CAPABILITIES: StoreCapabilities = {
  name: 'mongo',
  transactions: 'none',
  retention: 'ttl',
};

/** The members that differ. A process that only looks on hears of nothing: it has no feed. */
export type StandaloneMembers = Pick<
  SyncStore,
  | 'capabilities'
  | 'feed'
  | 'announce'
  | 'liveProcesses'
  | 'commitGroup'
  | 'readScope'
  | 'confirmHead'
  | 'readRows'
  | 'firstRow'
  | 'readDocuments'
  | 'openWalk'
> & {
  /** Ends the feed and gives the lease back. */
  release(): Promise<void>;
};

/** The members over a connection to a standalone server. */
export function standaloneMembers(
  base: Omit<CommitContext, 'sessions'> & {
    readonly node_id: string;
    readonly mode: 'serve' | 'tool' | 'read';
  },
): StandaloneMembers {
  const { connection, clock, id_types } = base;
  const { db } = connection;
  const lease = new Lease(connection, base);
  const log = new RedoLog(connection);
  const gate = new WriteGate();
  const state = { unfinished: true };
  const feed = new LocalFeed();
  const context: StandaloneContext = { ...base, lease, log, gate, state, feed };
  const turns = new ScopeTurns();
  /** A process that only looks on has nothing to recover, and takes no part in the order of writes. */
  const settled = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!lease.taken) return work();
    await lease.confirm();
    return readSettled(context, work);
  };
  const lastSeq = async (scope_id: string): Promise<number> =>
    (await readScope(db, scope_id, null)).head?.head_seq ?? 0;

  const claim = async (): Promise<void> => {
    await lease.take();
    await readSettled(context, async () => undefined);
  };

  return {
    capabilities: CAPABILITIES,
    feed: base.mode === 'read' ? null : feed,
    announce: () => guarded(claim),
    liveProcesses: () => guarded(() => lease.countOthers()),
    release: async () => {
      feed.end('The store is closed.');
      await lease.close();
    },
    commitGroup: async (scope_id, group) => {
      const deadline = clock.monotonic() + group.budget_ms;
      await guarded(claim);
      const work = { scope_id, group, deadline };
      return turns.take(scope_id, () => new StandaloneCommit(context, work).run());
    },
    readScope: (scope_id, since) =>
      guarded(async () => {
        const { head, at } = await readScope(db, scope_id, since);
        return { head, at: at !== null && at.seq > (head?.head_seq ?? 0) ? null : at };
      }),
    // One server has one view of a head, and refuses a linearizable read.
    confirmHead: (scope_id) => guarded(async () => (await readScope(db, scope_id, null)).head),
    readRows: (range) => guarded(async () => readRows(db, range, await lastSeq(range.scope_id))),
    firstRow: (scope_id) => guarded(async () => firstRow(db, scope_id, await lastSeq(scope_id))),
    readDocuments: (scope_id, keys) =>
      guarded(() => settled(() => readDocuments({ db, id_types }, scope_id, keys))),
    openWalk: (scope_id) => settledWalk(openWalk(connection, scope_id, id_types), settled),
  };
}

/** Pages of a walk are read while no group is half-written. */
function settledWalk(walk: FullWalk, settled: <T>(work: () => Promise<T>) => Promise<T>): FullWalk {
  return {
    head: () => walk.head(),
    documents: (range) => guarded(() => settled(() => walk.documents(range))),
    tombstones: (range) => guarded(() => settled(() => walk.tombstones(range))),
    close: () => walk.close(),
  };
}
