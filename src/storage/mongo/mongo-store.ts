/** `SyncStore` on MongoDB: where the parts of the adapter meet. */

import { randomInt } from 'node:crypto';
import type { ForeignStore } from '../../core/ports/foreign.ts';
import type { Clock } from '../../core/ports/system.ts';
import type { OpenStore } from '../../core/ports/scope-writes.ts';
import type { StoreCapabilities, WantedCollection } from '../../core/ports/store.ts';
import { guarded } from './driver-errors.ts';
import { createForeignStore } from './foreign-store.ts';
import { type CommitContext, commitGroup } from './mongo-commit-group.ts';
import type { IdTypes } from './mongo-load.ts';
import {
  confirmHead,
  findReceipts,
  firstRow,
  listScopes,
  readHeads,
  readDocuments,
  readRows,
  readScope,
} from './mongo-reads.ts';
import { countOplog, countUnmigrated, prune, recordClient } from './mongo-upkeep.ts';
import { openWalk } from './mongo-walk.ts';
import { createScopeWrites } from './scope-write.ts';
import { OplogFeed } from './oplog-feed.ts';
import { PrimaryWatch } from './primary-watch.ts';
import { TransactionSessions } from './sessions.ts';
import { readMeta, renewEpoch, resetsWritten } from './meta.ts';
import { applySetup, checkLayout, planSetup } from './setup.ts';
import { RedoLog } from './standalone/redo-log.ts';
import { standaloneMembers } from './standalone/standalone-store.ts';
import { type Connection, connect, connectShared, type Transactions } from './topology.ts';

/** What the store is opened with. */
export interface MongoStoreOptions {
  /** Never logged: it may hold a password. Not used with a `client`. */
  readonly uri: string;
  /** A client of the application around: used as it is, and left open at the end. */
  readonly client?: unknown;
  readonly database: string;
  /** Unique per process start; names this process to the others. */
  readonly node_id: string;
  readonly clock: Clock;
  readonly collections: readonly WantedCollection[];
  /** `off`: a standalone server; default `required`. */
  readonly transactions?: Transactions;
  /** `tool` writes nothing to the database before its first group; `read` never does. */
  readonly mode?: 'serve' | 'tool' | 'read';
  /** Expression for the database's time; tests freeze or skew it. */
  readonly now_expression?: unknown;
  /** A number in [0, 1), for back-off. */
  readonly random?: () => number;
}

const CAPABILITIES: StoreCapabilities = {
  name: 'mongo',
  transactions: 'replica_set',
  retention: 'ttl',
};

/** Connects. Throws `StoreError` in under 10 s when the database cannot be reached or used. */
export async function openMongoStore(options: MongoStoreOptions): Promise<OpenStore> {
  const { client, uri, database, transactions } = options;
  const connection =
    client === undefined
      ? await connect(uri, database, transactions)
      : await connectShared(client, database, transactions);
  return createMongoStore(connection, options);
}

/** The store over an open connection, which it closes at its end. */
export async function createMongoStore(
  connection: Connection,
  options: Omit<MongoStoreOptions, 'uri' | 'client' | 'database' | 'transactions'>,
): Promise<OpenStore> {
  const {
    clock,
    node_id,
    collections,
    now_expression = '$$NOW',
    random = randomFraction,
    mode = 'serve',
  } = options;
  const sessions = new TransactionSessions(connection, { node_id, clock });
  const id_types: IdTypes = new Map(collections.map(({ name, id_type }) => [name, id_type]));
  const in_place = new Set(
    collections.flatMap(({ name, tombstones }) => (tombstones === 'in_place' ? name : [])),
  );
  const context = { connection, sessions, clock, random, id_types, in_place, now_expression };
  const foreign = createForeignStore({ connection, node_id, clock, id_types });
  const watch = new PrimaryWatch(connection.client, clock);
  const store = storeOver({ ...context, watch }, foreign);
  if (connection.transactions === 'off') {
    return withoutTransactions(store, { ...context, watch, node_id, mode });
  }
  if (mode === 'serve') {
    try {
      await guarded(() => sessions.start());
    } catch (error) {
      await store.close();
      throw error;
    }
  }
  return store;
}

type StoreContext = CommitContext & { readonly watch: PrimaryWatch };

function storeOver(context: StoreContext, foreign: ForeignStore): OpenStore {
  const { connection, sessions, id_types, watch } = context;
  const { db, client, shared = false } = connection;
  const feed = new OplogFeed(context);
  return {
    capabilities: CAPABILITIES,
    foreign,
    feed,
    scope_writes: createScopeWrites(context),
    commitGroup: (scope_id, group) => commitGroup(context, scope_id, group),
    readScope: (scope_id, since) => guarded(() => readScope(db, scope_id, since)),
    confirmHead: (scope_id) => guarded(() => confirmHead(db, scope_id)),
    readHeads: (scope_ids) => guarded(() => readHeads(db, scope_ids)),
    listScopes: (after, limit) => guarded(() => listScopes(db, after, limit)),
    readRows: (range) => guarded(() => readRows(db, range)),
    firstRow: (scope_id) => guarded(() => firstRow(db, scope_id)),
    findReceipts: (keys) => guarded(() => findReceipts(db, keys)),
    readDocuments: (scope_id, keys) =>
      guarded(() => readDocuments({ db, id_types }, scope_id, keys)),
    openWalk: (scope_id) => openWalk(connection, scope_id, id_types),
    planSetup: (wanted) => guarded(() => planSetup(db, wanted)),
    applySetup: (wanted) => guarded(() => applySetup(db, wanted)),
    readMeta: () => guarded(() => readMeta(db)),
    checkLayout: (wanted) => guarded(() => checkLayout(db, wanted)),
    ping: () =>
      guarded(async () => {
        await db.command({ ping: 1 });
      }),
    prune: (scope_id, seq) => guarded(() => prune(db, scope_id, seq)),
    // Expiry is the database's own: TTL indexes.
    pruneExpired: async () => 0,
    countOplog: () => guarded(() => countOplog(db)),
    countUnmigrated: (collection) => guarded(() => countUnmigrated(db, collection)),
    recordClient: (client_record) => guarded(() => recordClient(db, client_record)),
    announce: () =>
      guarded(async () => {
        await sessions.start();
        // The database may have been a standalone one before.
        await new RedoLog(connection).recover();
      }),
    liveProcesses: () => guarded(() => sessions.countLive()),
    renewEpoch: (epoch, names) => guarded(() => renewEpoch(db, epoch, names)),
    resetsWritten: (run) => guarded(() => resetsWritten(db, run)),
    unlessLost: (work) => watch.unlessLost(work),
    close: async () => {
      feed.close();
      await watch.unlessLost(sessions.close().catch(() => undefined));
      // The driver ends the sessions of open transactions once more.
      if (!shared) await watch.unlessLost(client.close().catch(() => undefined));
      watch.end();
    },
  };
}

function withoutTransactions(
  store: OpenStore,
  context: StoreContext & Required<Pick<MongoStoreOptions, 'node_id' | 'mode'>>,
): OpenStore {
  const { release, ...members } = standaloneMembers(context);
  // The application's own writes share a transaction with their rows: there is none here.
  const { scope_writes, ...rest } = store;
  return {
    ...rest,
    ...members,
    close: async () => {
      await context.watch.unlessLost(release().catch(() => undefined));
      await store.close();
    },
  };
}

const FRACTION_STEPS = 2 ** 32;

function randomFraction(): number {
  return randomInt(FRACTION_STEPS) / FRACTION_STEPS;
}
