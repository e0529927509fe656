/**
 * Where the servers of a test keep their data: a folder of the embedded store, a database on the
 * lane's MongoDB, or a MongoDB of the test's own that can be killed, stopped and put back.
 */

import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { StartedMongo } from '../../../scripts/mongodb.mjs';
import { nodeSystem } from '../../../src/node-system.ts';
import { openMongoStore } from '../../../src/storage/mongo/mongo-store.ts';
import { freshDatabase, startOwnMongo } from '../mongodb.ts';
import { scratchFolder } from './scratch.ts';
import { COLLECTIONS, type ServerProcess, type StoreSettings } from './server-process.ts';
import { checkIntegrity, readEmbedded, readMongo, type StoredState } from './stored-state.ts';

/** True when the lane has a MongoDB. */
export const HAS_MONGODB = Boolean(process.env['SYNC_TEST_MONGODB_URI']);

/** Where data is, and how a test looks at it. */
export interface StorePlace {
  readonly name: 'embedded' | 'mongo';
  readonly settings: StoreSettings;
  read(): Promise<StoredState>;
  /** What the database's own check says; "ok" where there is none. */
  integrity(): Promise<string>;
  /** Deletes rows of the log up to `seq`; on the embedded store its only writer, the server, does. */
  prune(server: ServerProcess, range: { scope_id: string; seq: number }): Promise<number>;
}

/** A place whose data can be copied away and put back while no server runs. */
export interface RestorablePlace extends StorePlace {
  backup(): Promise<void>;
  restore(): Promise<void>;
}

/** A folder of the embedded store. */
export function embeddedPlace(t: TestContext): RestorablePlace {
  const folder = scratchFolder(t);
  const data_dir = path.join(folder, 'data');
  const copy = path.join(folder, 'backup');
  return {
    name: 'embedded',
    settings: { SYNC_STORE: 'embedded', SYNC_DATA_DIR: data_dir },
    read: () => readEmbedded(data_dir),
    integrity: () => checkIntegrity(data_dir),
    prune: (server, { scope_id, seq }) => server.prune(scope_id, seq),
    backup: async () => replaceFolder(data_dir, copy),
    restore: async () => replaceFolder(copy, data_dir),
  };
}

/** A database of its own on the lane's server, or on the given one. */
export async function mongoPlace(
  t: TestContext,
  server?: Pick<StartedMongo, 'uri'>,
): Promise<StorePlace> {
  const { uri, name, drop } = await freshDatabase(server);
  // A server of the test's own may be gone by then, and its data with it.
  if (server === undefined) t.after(drop);
  return {
    name: 'mongo',
    settings: { SYNC_STORE: 'mongo', SYNC_MONGODB_URI: uri, SYNC_DATABASE_NAME: name },
    read: () => readMongo(uri, name, COLLECTIONS),
    integrity: async () => 'ok',
    prune: (_server, range) => pruneThroughOwnHandle({ uri, name }, range),
  };
}

/** A MongoDB server of one test. */
export class PrivateMongo {
  readonly #storagePath: string;
  #server: StartedMongo;

  private constructor(storagePath: string, server: StartedMongo) {
    this.#storagePath = storagePath;
    this.#server = server;
  }

  /** Every acknowledged write is on disk, as on a replica set with journal. */
  static async start(t: TestContext): Promise<PrivateMongo> {
    const storagePath = path.join(scratchFolder(t), 'db');
    const server = await startOwnMongo({ syncOnCommit: true, storagePath });
    const mongo = new PrivateMongo(storagePath, server);
    t.after(() => mongo.stop());
    return mongo;
  }

  get uri(): string {
    return this.#server.uri;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    process.kill(this.#server.pid as number, 'SIGKILL');
    await this.#server.stop();
  }

  /** Starts it again on its data and its port. */
  async startAgain(): Promise<void> {
    const { port } = new URL(this.#server.uri);
    const storagePath = this.#storagePath;
    this.#server = await startOwnMongo({ syncOnCommit: true, storagePath, port: Number(port) });
  }

  /** A database on it that can be put back: the server's whole folder is copied while it is down. */
  async place(t: TestContext): Promise<RestorablePlace> {
    const copy = path.join(scratchFolder(t), 'backup');
    const whileDown = async (from: string, to: string): Promise<void> => {
      await this.stop();
      replaceFolder(from, to);
      await this.startAgain();
    };
    return {
      ...(await mongoPlace(t, this)),
      backup: () => whileDown(this.#storagePath, copy),
      restore: () => whileDown(copy, this.#storagePath),
    };
  }
}

function replaceFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
}

async function pruneThroughOwnHandle(
  { uri, name }: { uri: string; name: string },
  { scope_id, seq }: { scope_id: string; seq: number },
): Promise<number> {
  const store = await openMongoStore({
    ...{ uri, database: name, mode: 'tool', collections: [] },
    node_id: nodeSystem.crypto.randomBase36(8),
    clock: nodeSystem.clock,
  });
  try {
    return await store.prune(scope_id, seq);
  } finally {
    await store.close();
  }
}
