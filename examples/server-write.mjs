/**
 * A job of the application writes documents that devices sync, in one transaction with its own data.
 * Run: `node examples/server-write.mjs`, or with MONGODB_URI for a database that runs already.
 */

import process from 'node:process';
import { MongoClient } from 'mongodb';
import { createSyncServer } from 'offline-sync';

const { MONGODB_URI, MONGODB_DATABASE = 'app', DATA_DIR = './.offline-sync' } = process.env;
const client = MONGODB_URI && new MongoClient(MONGODB_URI);
const db = client?.db(MONGODB_DATABASE);

const sync = await createSyncServer({
  ...(client ? { client, database_name: MONGODB_DATABASE } : { data_dir: DATA_DIR }),
  collections: ['tasks', 'notes'],
  auto_init: true,
  logger: 'warn',
  auth: { authenticate: () => null },
});

// The function runs again when somebody else wrote at the same time: nothing but statements in it.
const written = await sync.withScopeWrite(
  'red',
  async (write) => {
    await write.upsert('notes', 'welcome', { text: 'Hello', at: new Date() });
    if (db === undefined) return;
    const { session } = write;
    await db.collection('invoices').insertOne({ paid: true }, { session });
    await db
      .collection('tasks')
      .updateOne({ _id: 'pay' }, { $inc: { paid: 1 } }, { session, upsert: true });
    write.record('tasks', 'pay');
  },
  { actor_id: 'billing' },
);
console.log(JSON.stringify(written.rows));

// The same in a transaction that the application opens itself: the lock first, then the writes.
if (db !== undefined) {
  await client.withSession((session) =>
    session.withTransaction(async () => {
      const metadata = await sync.buildSyncMetadata({
        scope_id: 'red',
        actor_id: 'billing',
        session,
      });
      await db.collection('tasks').insertOne({ _id: 'ship', ...metadata }, { session });
      const change = { collection: 'tasks', doc_id: 'ship', operation: 'upsert' };
      const { rows } = await sync.recordServerChange({ session, metadata, ...change });
      console.log(JSON.stringify(rows));
    }),
  );
}

await sync.close();
await client?.close();
