/**
 * An application that writes in a scope through the library. Arguments: connection string, database,
 * scope, and how many writes; 0 holds the scope and never lets go. Prints one JSON line at its end, or
 * `inside` as soon as it holds the scope.
 */

import process from 'node:process';
import { MongoClient } from 'mongodb';
import { createSyncServer, type ScopeWrite, SyncError } from '../../src/index.ts';

const [uri, database_name, scope, wanted] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const client = new MongoClient(uri);
const sync = await createSyncServer({
  client,
  database_name,
  collections: ['tasks', 'notes'],
  logger: 'warn',
  auth: { authenticate: () => null },
});
const tasks = client.db(database_name).collection<{ _id: string; n?: number }>('tasks');
// A test that was killed leaves no writer behind.
process.stdin.resume().once('end', () => process.exit(1));

const versions: string[] = [];
let runs = 0;
let busy = 0;
for (let i = 0; i < Number(wanted); i += 1) {
  versions.push(...(await writeUntilDone(`${process.pid}-${i}`)));
}
if (wanted === '0') await sync.withScopeWrite(scope, hold);
process.stdout.write(`${JSON.stringify({ versions, runs, busy })}\n`);
await sync.close();
await client.close();
process.exit(0);

async function writeUntilDone(id: string): Promise<string[]> {
  for (;;) {
    try {
      const { rows } = await sync.withScopeWrite(scope, (write) => writeOnce(write, id));
      return rows.map(({ version }) => version);
    } catch (error) {
      if (!(error instanceof SyncError) || error.details?.reason !== 'deadline') throw error;
      busy += 1;
    }
  }
}

/** A counter that every writer shares, and a document of its own. */
async function writeOnce({ session, record, upsert }: ScopeWrite, id: string): Promise<void> {
  runs += 1;
  const counter = await tasks.findOne({ _id: 'counter' }, { session });
  const n = (counter?.n ?? 0) + 1;
  await tasks.updateOne({ _id: 'counter' }, { $set: { n } }, { session, upsert: true });
  record('tasks', 'counter');
  await upsert('notes', id, { n });
}

async function hold({ session }: ScopeWrite): Promise<void> {
  await tasks.updateOne({ _id: 'held' }, { $set: { n: 1 } }, { session, upsert: true });
  process.stdout.write('inside\n');
  // Slow on purpose, and alive: the time of the function must not end before the kill.
  for (;;) await tasks.findOne({ _id: 'held' }, { session });
}
