/**
 * What the test server answers otherwise than a mongod. Each case shows the difference, so that a
 * newer version of the server which mends one is noticed, and a mongod is held to its own answer.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Db, MongoClient } from 'mongodb';
import { type FreshDatabase, freshDatabase } from '../support/mongodb.ts';

let database: FreshDatabase;
let client: MongoClient;
let db: Db;
let mongod: boolean;

before(async () => {
  database = await freshDatabase();
  client = new MongoClient(database.uri);
  db = client.db(database.name);
  mongod = (await db.admin().command({ hello: 1 }))['setName'] !== 'secantus';
});

after(async () => {
  await client?.close();
  await database?.drop();
});

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

test('[MG-1] the time of the database cannot be compared with a stored date', async () => {
  const dates = db.collection('dates');
  await dates.insertOne({ at: new Date(0) });
  const age = { $subtract: ['$$NOW', '$at'] };
  assert.equal(await succeeds(dates.aggregate([{ $project: { age } }]).toArray()), mongod);
  const old = { $match: { $expr: { $lt: ['$at', { $subtract: ['$$NOW', 1_000] }] } } };
  assert.equal((await dates.aggregate([old]).toArray()).length, mongod ? 1 : 0);
});

test('[MG-1] a bulk write over collections cannot be the first statement of a transaction', async () => {
  const session = client.startSession();
  try {
    session.startTransaction({ readConcern: { level: 'majority' } });
    const namespace = `${database.name}.first`;
    const write = client.bulkWrite(
      [{ name: 'insertOne', namespace, document: { _id: 1 as never } }],
      {
        session,
      },
    );
    assert.equal(await succeeds(write), mongod);
  } finally {
    await session.endSession();
  }
});

test('[MG-1] a linearizable read is accepted in a causally consistent session', async () => {
  const session = client.startSession({ causalConsistency: true });
  const things = db.collection('things');
  try {
    await things.insertOne({ n: 1 }, { session });
    const read = things.findOne({ n: 1 }, { session, readConcern: 'linearizable' });
    assert.equal(await succeeds(read), !mongod);
  } finally {
    await session.endSession();
  }
});
