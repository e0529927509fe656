/** Where the demo's data lives, looked at and pruned without the server: plain SQL, or the driver. */

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { COLLECTIONS } from './data.mjs';

/**
 * Opens the store of a demo, in MongoDB or in a folder: `{name, settings, prune, read, conflicts, close}`. `settings` are the
 * server's environment variables. `prune` keeps the newest `keep` rows of the log; the embedded
 * store is pruned while no server runs.
 */
export async function openDemoStore(mongo, folder) {
  return mongo === undefined ? embeddedStore(path.join(folder, 'data')) : mongoStore(mongo);
}

function embeddedStore(data_dir) {
  const withDatabase = async (readOnly, work) => {
    const { DatabaseSync } = await sqlite();
    const database = new DatabaseSync(path.join(data_dir, 'data.db'), { readOnly });
    try {
      return work(database);
    } finally {
      database.close();
    }
  };
  const first = (database, sql) => Object.values(database.prepare(sql).get())[0];
  return {
    name: `embedded store in ${data_dir}`,
    settings: { SYNC_STORE: 'embedded', SYNC_DATA_DIR: data_dir },
    prune: (keep) =>
      withDatabase(false, (database) => {
        const newest = first(database, 'SELECT max(seq) FROM sync_oplog');
        const { changes } = database
          .prepare('DELETE FROM sync_oplog WHERE seq <= ?')
          .run(newest - keep);
        return Number(changes);
      }),
    read: () =>
      withDatabase(true, (database) =>
        database
          .prepare('SELECT line FROM sync_documents')
          .all()
          .map(({ line }) => JSON.parse(line)),
      ),
    conflicts: () =>
      withDatabase(true, (database) => first(database, 'SELECT count(*) FROM sync_conflicts')),
    close: async () => {},
  };
}

/** The module built into newer versions of Node, else the package with the same interface. */
async function sqlite() {
  const builtin = process.getBuiltinModule?.('node:sqlite');
  return builtin ?? (await import('@photostructure/sqlite'));
}

async function mongoStore(server) {
  const { MongoClient } = await import('mongodb');
  const name = `offline_sync_demo_${randomBytes(4).toString('hex')}`;
  const client = new MongoClient(server.uri);
  const db = client.db(name, { readConcern: { level: 'majority' } });
  const oplog = db.collection('sync_oplog');
  return {
    name: `database ${name} on ${server.kind}`,
    settings: {
      SYNC_STORE: 'mongo',
      SYNC_MONGODB_URI: server.uri,
      SYNC_DATABASE_NAME: name,
    },
    prune: async (keep) => {
      const [newest] = await oplog.find().sort({ seq: -1 }).limit(1).toArray();
      const { deletedCount } = await oplog.deleteMany({ seq: { $lte: newest.seq - keep } });
      return deletedCount;
    },
    read: async () => {
      const found = COLLECTIONS.map(async (collection) =>
        (await db.collection(collection).find().toArray()).map(({ _id, ...stored }) => ({
          collection,
          doc_id: String(_id),
          data: withoutEngineFields(stored),
        })),
      );
      return (await Promise.all(found)).flat();
    },
    conflicts: () => db.collection('sync_conflicts').countDocuments(),
    close: async () => {
      await db.dropDatabase();
      await client.close();
    },
  };
}

function withoutEngineFields(stored) {
  return Object.fromEntries(Object.entries(stored).filter(([key]) => !key.startsWith('_sync_')));
}
