/**
 * An application of its own: writes to synced collections with the plain driver and knows nothing of
 * the engine. Argument: `WriterOrder` as JSON. Says on stdout how many writes took effect.
 */

import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { mayDelete, type WriterOrder } from '../support/process/foreign-writes.ts';
import { type Seeded, seeded } from '../support/process/seeded.ts';

const MOVE_CHANCE = 0.1;

const order = JSON.parse(process.argv[2] ?? '{}') as WriterOrder;
const random = seeded(order.seed);
const client = new MongoClient(order.uri);
const db = client.db(order.name);
let effective = 0;
// A lane owns its documents, so that their contents are written in the order of their numbers.
const lanes = Array.from({ length: order.lanes }, (_, lane) =>
  write(lane, seeded(random.int(0, 2 ** 31))),
);
await Promise.all(lanes);
await client.close();
process.stdout.write(`${JSON.stringify({ effective })}\n`);

async function write(lane: number, own: Seeded): Promise<void> {
  for (let n = lane; n < order.writes; n += order.lanes) {
    const at = own.int(0, Math.floor(order.documents / order.lanes) - 1) * order.lanes + lane;
    const collection = db.collection<Document>(own.pick(order.collections));
    if (await writeOne(collection, { at, content: `f${order.run}-${n}`, own })) effective += 1;
    await pause(order.pause_ms);
  }
}

async function writeOne(
  collection: Collection<Document>,
  { at, content, own }: { readonly at: number; readonly content: string; readonly own: Seeded },
): Promise<boolean> {
  const _id = `doc-${at}` as never;
  const team = order.teams[at % order.teams.length] as string;
  const fields = { team: own.chance(MOVE_CHANCE) ? own.pick(order.teams) : team, content };
  const kind = own.pick(['insert', 'update', 'update', 'replace', 'delete'] as const);
  if (kind === 'insert') {
    // The number makes it new, unless the document is there.
    return collection.insertOne({ _id, ...fields }).then(
      () => true,
      () => false,
    );
  }
  if (kind === 'delete' && mayDelete('application', at)) {
    return (await collection.deleteOne({ _id })).deletedCount === 1;
  }
  const change = { $set: kind === 'update' ? { content } : fields };
  const done =
    kind === 'replace'
      ? await collection.replaceOne({ _id }, fields)
      : await collection.updateOne({ _id }, change);
  return done.matchedCount === 1;
}
