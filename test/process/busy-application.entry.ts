/**
 * An application that knows nothing of the engine: it inserts, updates, replaces, moves and deletes its
 * documents by the plain driver until it is told to stop, and then says what it wrote last.
 * Arguments: URI, database, seed. A message ends it.
 */

import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { BSON, type Collection, type Document, MongoClient } from 'mongodb';
import { seeded } from '../support/process/seeded.ts';
import {
  type ApplicationReport,
  ownDocument,
  OWN_COLLECTIONS,
  OWN_PER_COLLECTION,
  SHARED,
  teamOf,
  TEAMS,
} from '../support/process/application-data.ts';

interface Stored extends Document {
  _id: string;
}

const BETWEEN_MS = 12;
const WRITE_CONFLICT = 112;
const [uri, database, seed] = process.argv.slice(2) as [string, string, string];

const random = seeded(Number(seed));
const client = new MongoClient(uri);
const db = client.db(database);
/** What this program wrote last, by collection and id. */
const own = new Map<string, Document>();
const operations = { insert: 0, update: 0, replace: 0, move: 0, delete: 0, shared: 0 };
let n = 0;
let stopping = false;

for (const name of OWN_COLLECTIONS) {
  for (let i = 0; i < OWN_PER_COLLECTION; i += 1) {
    const document = ownDocument(i);
    own.set(`${name}/${document['_id']}`, document);
  }
}

process.on('message', () => {
  stopping = true;
});
while (!stopping) {
  await again(work);
  await pause(BETWEEN_MS);
}
const documents = [...own].map(([place, document]): [string, string] => [
  place,
  Buffer.from(BSON.serialize(document)).toString('hex'),
]);
await client.close();
const report: ApplicationReport = { operations, documents };
process.send?.(report, undefined, {}, () => process.disconnect());

/** A plain write that meets a transaction waits for it on a mongod; here it is told to come again. */
async function again(write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if ((error as { code?: unknown }).code !== WRITE_CONFLICT) throw error;
      await pause(random.int(1, 10));
    }
  }
}

async function work(): Promise<void> {
  n += 1;
  const name = random.chance(0.7) ? 'tasks' : 'notes';
  const collection = db.collection<Stored>(name);
  const draw = random.next();
  if (draw < 0.2) return insert(collection);
  if (draw < 0.5) return update(collection);
  if (draw < 0.65) return replace(collection);
  if (draw < 0.75) return move(collection);
  if (draw < 0.88) return remove(collection);
  return touchShared(collection);
}

async function insert(collection: Collection<Stored>): Promise<void> {
  const gone = [...Array(OWN_PER_COLLECTION).keys()].filter(
    (i) => !own.has(placeOf(collection, i)),
  );
  // Now and then one that was deleted comes back.
  const i = gone.length > 0 && random.chance(0.5) ? random.pick(gone) : OWN_PER_COLLECTION + n;
  const document = { ...ownDocument(i), n: n };
  await collection.insertOne(document as unknown as Stored);
  keep(collection, document);
  operations.insert += 1;
}

async function update(collection: Collection<Stored>): Promise<void> {
  const known = pick(collection);
  const document = { ...known, n, nested: { ...known['nested'], deep: `v${n}` } };
  await collection.updateOne({ _id: known['_id'] }, { $set: { n, 'nested.deep': `v${n}` } });
  keep(collection, document);
  operations.update += 1;
}

/** As a program writes that loads and saves whole documents of its own shape: the stamp is gone. */
async function replace(collection: Collection<Stored>): Promise<void> {
  const known = pick(collection);
  // Only where traces are kept can anybody know which scope such a document was in.
  const moves = collection.collectionName === 'tasks' && random.chance(0.3);
  const team = moves ? random.pick(TEAMS) : known['team'];
  const document = { ...known, team, n, replaced: true };
  const { _id, ...replacement } = document as unknown as Stored;
  await collection.replaceOne({ _id }, replacement);
  keep(collection, document);
  operations.replace += 1;
}

async function move(collection: Collection<Stored>): Promise<void> {
  const known = pick(collection);
  const team = random.pick(TEAMS);
  await collection.updateOne({ _id: known['_id'] }, { $set: { team } });
  keep(collection, { ...known, team });
  operations.move += 1;
}

/** Only where traces are kept is a deletion found at any time. */
async function remove(collection: Collection<Stored>): Promise<void> {
  if (collection.collectionName !== 'tasks') return;
  const { _id } = pick(collection);
  await collection.deleteOne({ _id });
  own.delete(`${collection.collectionName}/${_id}`);
  operations.delete += 1;
}

/** Documents that devices edit as well: nobody knows who writes last. */
async function touchShared(collection: Collection<Stored>): Promise<void> {
  const i = random.int(0, SHARED - 1);
  const _id = `shared-${i}`;
  operations.shared += 1;
  if (random.chance(0.2)) {
    const replacement = { team: teamOf(i), n, by: 'application' };
    await collection.replaceOne({ _id }, replacement);
  } else await collection.updateOne({ _id }, { $set: { n, by: 'application' } });
}

function pick(collection: Collection<Stored>): Document {
  const prefix = `${collection.collectionName}/`;
  const places = [...own.keys()].filter((place) => place.startsWith(prefix));
  return own.get(random.pick(places)) as Document;
}

function keep({ collectionName }: Collection<Stored>, document: Document): void {
  own.set(`${collectionName}/${document['_id']}`, document);
}

function placeOf({ collectionName }: Collection<Stored>, i: number): string {
  return `${collectionName}/${ownDocument(i)['_id']}`;
}
