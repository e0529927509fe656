/** A store whose commands are counted, on a fresh database, and the raw database beside it. */

import type { Db } from 'mongodb';
import type { StartedMongo } from '../../scripts/mongodb.mjs';
import type { OpenStore } from '../../src/core/ports/scope-writes.ts';
import type { CommitGroup, GroupPlan } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { createMongoStore, type MongoStoreOptions } from '../../src/storage/mongo/mongo-store.ts';
import { connectionOf, createClient, type Transactions } from '../../src/storage/mongo/topology.ts';
import { BUDGET_MS, CONTRACT_LAYOUT } from '../contract/contract-world.ts';
import {
  type BundleOptions,
  emptyPlan,
  loadOf,
  type PlannedChange,
  planBundle,
} from '../contract/plan-builder.ts';
import { freshDatabase } from '../support/mongodb.ts';

/** A command as it was sent, or as it failed. The heartbeat of the process is left out. */
export interface SeenCommand {
  readonly name: string;
  readonly code?: number;
}

/** What a test opens. */
export interface WatchedStore {
  readonly store: OpenStore;
  readonly db: Db;
  readonly uri: string;
  readonly database: string;
  /** Commands sent since the last call, in order. */
  takeStarted(): string[];
  takeFailed(): SeenCommand[];
  /** Another store on the same database, closed with this one. */
  another(options?: WatchedOptions): Promise<WatchedStore>;
  close(): Promise<void>;
}

/** How the store is opened. */
export interface WatchedOptions
  extends Partial<Pick<MongoStoreOptions, 'now_expression' | 'node_id' | 'clock' | 'mode'>> {
  readonly server?: Pick<StartedMongo, 'uri'>;
  /** `off`: the server is a standalone one. */
  readonly transactions?: Transactions;
  /** False: as on a server before 8.0. */
  readonly clientBulkWrite?: boolean;
  /** False: without collections and indexes. */
  readonly setup?: boolean;
}

/** Opens a store on a fresh database. */
export async function openWatched(options: WatchedOptions = {}): Promise<WatchedStore> {
  const database = await freshDatabase(options.server);
  const opened = await openOn(database.uri, database.name, options);
  if (options.setup !== false) await opened.store.applySetup(CONTRACT_LAYOUT);
  opened.takeStarted();
  return {
    ...opened,
    close: async () => {
      await opened.close();
      await database.drop();
    },
  };
}

async function openOn(
  uri: string,
  database: string,
  options: WatchedOptions,
): Promise<WatchedStore> {
  const client = createClient(uri, { monitorCommands: true });
  let started: string[] = [];
  let failed: SeenCommand[] = [];
  client.on('commandStarted', ({ commandName, command }) => {
    if (command[commandName] !== 'sync_meta') started.push(commandName);
  });
  client.on('commandFailed', ({ commandName, failure }) => {
    failed.push({ name: commandName, code: Number((failure as { code?: unknown }).code) });
  });
  const connection = await connectionOf(client, database, options.transactions);
  const { clientBulkWrite = connection.clientBulkWrite } = options;
  const { clock = nodeSystem.clock, mode = 'tool', now_expression } = options;
  const store = await createMongoStore(
    { ...connection, clientBulkWrite },
    {
      node_id: options.node_id ?? nodeSystem.crypto.randomBase36(8),
      clock,
      collections: CONTRACT_LAYOUT.collections,
      mode,
      ...(now_expression === undefined ? {} : { now_expression }),
    },
  );
  const others: WatchedStore[] = [];
  started = [];
  return {
    store,
    db: connection.db,
    uri,
    database,
    takeStarted: () => {
      const taken = started;
      started = [];
      return taken;
    },
    takeFailed: () => {
      const taken = failed;
      failed = [];
      return taken;
    },
    another: async (more = {}) => {
      const other = await openOn(uri, database, { ...options, ...more });
      others.push(other);
      return other;
    },
    close: async () => {
      for (const other of others) await other.close();
      await store.close();
    },
  };
}

/** A group that writes the changes that were not refused. Its outcome is the plan. */
export function groupOf(
  scope_id: string,
  changes: readonly PlannedChange[],
  options: BundleOptions = {},
): CommitGroup<{ readonly plan: GroupPlan; readonly refused: readonly string[] }> {
  return {
    load: loadOf(scope_id, changes),
    budget_ms: BUDGET_MS,
    decide: (snapshot, refused) => {
      const kept = changes.filter((_, i) => !refused.has(`0:${i}`));
      const codes = [...refused.values()];
      const known = new Set(snapshot.receipts.map((receipt) => receipt.mutation_id));
      const fresh = kept.filter((change) => !known.has(change.mutation_id ?? ''));
      const plan = fresh.length === 0 ? emptyPlan(snapshot) : planBundle(snapshot, fresh, options);
      return { plan, outcome: { plan, refused: codes } };
    },
  };
}
