/** Every command of an adoption on a MongoDB without transactions: one server of the test's own. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MongoClient, type ObjectId } from 'mongodb';
import { startOwnMongo } from '../support/mongodb.ts';
import { freshFolder, jsonLines, run, SECRET, serve } from './support/command.ts';

const FILE = `transactions: off
capture_rescan_seconds: 1
collections: {tasks: {scope_field: team, capture: adopt}}
auth: {secret: ${SECRET}}
`;

async function world(t: TestContext) {
  const server = await startOwnMongo({ standalone: true });
  const client = new MongoClient(server.uri);
  t.after(async () => {
    await client.close();
    await server.stop();
  });
  const lines = ['{"_id":"i1","team":"b"}', '{"_id":"i2","team":"b"}', ''];
  const cwd = freshFolder(t, {
    'sync.config.yaml': FILE,
    'more.ndjson': lines.join('\n'),
  });
  const place = { cwd, env: { MONGODB_URI: server.uri, MONGODB_DATABASE: 'app' } };
  const db = client.db('app');
  return { place, db, tasks: db.collection('tasks') };
}

const id = (text: string) => ({ _id: text as unknown as ObjectId });

if (process.env.SYNC_TEST_MONGODB_URI) {
  test('[SA-7] mongo: an adoption goes through without transactions, from init to its removal', async (t) => {
    const { place, db, tasks } = await world(t);
    const documents = Array.from({ length: 20 }, (_, i) => ({ ...id(`t${i}`), team: 'a', i }));
    await tasks.insertMany(documents);
    const command = async (...args: string[]) => {
      const ended = await run(t, args, place);
      assert.equal(ended.code, 0, `${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
      return ended;
    };
    await command('init');
    assert.match((await command('migrate')).stdout, /20 got a version/);
    await command('import', 'tasks', 'more.ndjson', '--scope', 'b');
    await command('migrate', '--verify');

    const server = await serve(t, place);
    await server.logged('capture.state');
    await tasks.updateOne(id('t1'), { $set: { i: 77 } });
    await tasks.deleteOne(id('t2'));
    await server.logged('foreign.adopted');
    const found = { origin: 'external' };
    while ((await db.collection('sync_oplog').countDocuments(found)) < 2);
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0);

    const rows = jsonLines((await command('inspect', '--since', '0', '--json')).stdout);
    const external = rows.filter(({ origin }) => origin === 'external');
    assert.deepEqual(
      external.map(({ doc_id, operation }) => `${operation} ${doc_id}`),
      ['upsert t1', 'delete t2'],
    );
    await command('migrate', '--verify');
    await command('init', '--new-epoch');
    await command('init', '--remove', '--yes');
    const left = await db.listCollections().toArray();
    assert.deepEqual(
      left.map(({ name }) => name),
      ['tasks'],
    );
    assert.deepEqual(await tasks.findOne(id('t1')), { ...id('t1'), team: 'a', i: 77 });
    assert.equal(await tasks.countDocuments(), 21);
  });
}
