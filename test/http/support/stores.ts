/** The stores that HTTP tests run on, each with a raw look at everything it keeps. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import type { SyncStore, WantedCollection } from '../../../src/core/ports/store.ts';
import { nodeSystem } from '../../../src/node-system.ts';
import { databaseFile } from '../../../src/storage/embedded/data-folder.ts';
import { openEmbeddedStore } from '../../../src/storage/embedded/embedded-store.ts';
import { sqliteDriver } from '../../../src/storage/embedded/sqlite-driver.ts';
import { openMongoStore } from '../../../src/storage/mongo/mongo-store.ts';
import { freshDatabase } from '../../support/mongodb.ts';

/** A store of its own, before its setup. */
export interface TestStore {
  readonly store: SyncStore;
  /**
   * Everything stored, by table and row. Node documents, client records and heads without a row are
   * left out: they may come and go without a change.
   */
  dump(): Promise<unknown>;
  /** Writes beside the engine; undefined where nobody else can. */
  readonly outside:
    | ((work: (client: MongoClient, database: string) => Promise<void>) => Promise<void>)
    | undefined;
  close(): Promise<void>;
}

/** How one kind of store is opened. */
export interface StoreKind {
  readonly name: 'embedded' | 'mongo';
  open(collections: readonly WantedCollection[]): Promise<TestStore>;
}

/** The embedded store, and MongoDB when the lane has one. */
export const STORE_KINDS: readonly StoreKind[] = [
  { name: 'embedded', open: openEmbedded },
  ...(process.env['SYNC_TEST_MONGODB_URI'] ? [{ name: 'mongo', open: openMongo } as const] : []),
];

const LEFT_OUT = ['sync_clients'];

async function openEmbedded(): Promise<TestStore> {
  const data_dir = mkdtempSync(path.join(tmpdir(), 'offline-sync-http-'));
  const store = await openEmbeddedStore({ data_dir, mode: 'write', clock: nodeSystem.clock });
  return {
    store,
    outside: undefined,
    async dump() {
      const driver = await sqliteDriver();
      const database = driver.open(databaseFile(data_dir), { readOnly: true, timeout: 5_000 });
      try {
        const tables = database
          .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'sync%'")
          .all() as { name: string }[];
        const kept = tables.map(({ name }) => name).filter((name) => !LEFT_OUT.includes(name));
        return Object.fromEntries(
          kept.map((name) => [
            name,
            withoutEmptyHeads(database.prepare(`SELECT * FROM ${name}`).all()),
          ]),
        );
      } finally {
        database.close();
      }
    },
    async close() {
      await store.close();
      rmSync(data_dir, { recursive: true, force: true });
    },
  };
}

async function openMongo(collections: readonly WantedCollection[]): Promise<TestStore> {
  const database = await freshDatabase();
  const store = await openMongoStore({
    uri: database.uri,
    database: database.name,
    node_id: nodeSystem.crypto.randomBase36(8),
    clock: nodeSystem.clock,
    collections,
    mode: 'tool',
  });
  const client = new MongoClient(database.uri);
  return {
    store,
    outside: (work) => work(client, database.name),
    async dump() {
      const db = client.db(database.name);
      const names = (await db.listCollections().toArray()).map(({ name }) => name).sort();
      const kept = names.filter((name) => !LEFT_OUT.includes(name));
      const rows = await Promise.all(
        kept.map(async (name) => {
          const all = await db.collection(name).find().sort({ _id: 1 }).toArray();
          const lasting = all.filter(({ _id }) => !String(_id).startsWith('node:'));
          return [name, withoutEmptyHeads(lasting)] as const;
        }),
      );
      return JSON.parse(JSON.stringify(Object.fromEntries(rows)));
    },
    async close() {
      await store.close();
      await client.close();
      await database.drop();
    },
  };
}

function withoutEmptyHeads(rows: readonly unknown[]): unknown[] {
  return rows.filter((row) => (row as { head_seq?: unknown }).head_seq !== 0);
}
