/** `init` where something is in the way: rights, names, faults of the server, and the way back by hand. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Db, type Document, MongoClient } from 'mongodb';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import { dumpDatabase } from '../support/mongo-dump.ts';
import { freshFolder, type Place, pull, run, SECRET, serve, tokenOf } from './support/command.ts';

const FILE = `collections: {tasks: {scope: team-1}}\nauth: {secret: ${SECRET}}\n`;

function placeOf(t: TestContext, uri: string, name: string): Place {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
  return { cwd, env: { MONGODB_URI: uri, MONGODB_DATABASE: name } };
}

async function clientOf(t: TestContext, uri: string): Promise<MongoClient> {
  const client = new MongoClient(uri);
  t.after(() => client.close());
  return client;
}

async function freshPlace(t: TestContext): Promise<{ place: Place; db: Db; name: string }> {
  const { uri, name, drop } = await freshDatabase();
  t.after(drop);
  const client = await clientOf(t, uri);
  return { place: placeOf(t, uri, name), db: client.db(name), name };
}

interface Stored extends Document {
  _id: string;
}

if (process.env['SYNC_TEST_MONGODB_URI']) {
  test('[CL-15] a user without the rights is exit 3, with the rights, and nothing is changed', async (t) => {
    const server = await startOwnMongo({ auth: true });
    t.after(() => server.stop());
    const client = await clientOf(t, server.uri);
    const db = client.db('app');
    await db.collection<Stored>('tasks').insertOne({ _id: 'a', title: 'x' });
    for (const role of ['read', 'readWrite']) {
      const roles = [{ role, db: 'app' }];
      await client.db('admin').command({ createUser: role, pwd: 'hunter2', roles });
    }
    const as = (user: string) => {
      const uri = new URL(server.uri);
      uri.username = user;
      uri.password = 'hunter2';
      return placeOf(t, uri.href, 'app');
    };
    const before = await dumpDatabase(db);
    const { code, stdout, stderr } = await run(t, ['init'], as('read'));
    assert.equal(code, 3, stderr);
    assert.match(stderr, /rights that init needs .*createIndex/);
    assert.match(stderr, /lacks a right .*\(database_forbidden\)\nfix: grant .*readWrite/);
    assert.ok(!`${stdout}${stderr}`.includes('hunter2'));
    assert.deepEqual(await dumpDatabase(db), before);
    const dry = await run(t, ['init', '--dry-run'], as('read'));
    assert.equal(dry.code, 0, dry.stderr);
    for (const args of [['init'], ['init', '--remove', '--yes']]) {
      const granted = await run(t, args, as('readWrite'));
      assert.equal(granted.code, 0, granted.stderr);
    }
    assert.deepEqual(await dumpDatabase(db), before);
  });

  test('[CL-15] a database name that is new beside others is questioned', async (t) => {
    const { place, db } = await freshPlace(t);
    await db.collection<Stored>('shop').insertOne({ _id: 'a' });
    const typo = { ...place, env: { ...place.env, MONGODB_DATABASE: `${db.databaseName}_typo` } };
    const { code, stderr } = await run(t, ['init', '--dry-run'], typo);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /warning: the database \w+_typo is new on this server, which has: .*correct database_name/,
    );
    const right = await run(t, ['init', '--dry-run'], place);
    assert.doesNotMatch(right.stderr, /is new on this server/);
  });

  test('[CL-15] what cannot be synced is blocked with its next step, exit 4', async (t) => {
    const { place, db } = await freshPlace(t);
    await db.collection('tasks').insertOne({ title: 'by the driver' });
    const { code, stdout, stderr } = await run(t, ['init'], place);
    assert.equal(code, 4, stderr);
    assert.match(
      stdout,
      /^! blocked +collection tasks +its ids are of type objectid, not string; configure /m,
    );
    const names = (await db.listCollections().toArray()).map(({ name }) => name);
    assert.deepEqual(names, ['tasks']);
  });

  test('[CL-15] two inits at the same time both succeed, and one removal takes back both', async (t) => {
    const { place, db } = await freshPlace(t);
    await db.collection<Stored>('tasks').insertOne({ _id: 'a', title: 'x' });
    const before = await dumpDatabase(db);
    const ended = await Promise.all([1, 2].map(() => run(t, ['init'], place)));
    for (const { code, stderr } of ended) assert.equal(code, 0, stderr);
    const { code, stderr } = await run(t, ['init', '--remove', '--yes'], place);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await dumpDatabase(db), before);
  });

  test('[RM-1] init, migrate and init --remove leave the database byte for byte as it was', async (t) => {
    const { place, db } = await freshPlace(t);
    const documents = Array.from({ length: 300 }, (_, n) => ({ _id: `t${n}`, n, at: new Date(n) }));
    await db.collection<Stored>('tasks').insertMany(documents);
    await db.collection('tasks').createIndex({ n: 1 }, { unique: true });
    const before = await dumpDatabase(db);
    for (const args of [['init'], ['migrate', '--batch', '100']]) {
      const { code, stderr } = await run(t, args, place);
      assert.equal(code, 0, stderr);
    }
    const stamped = await db.collection('tasks').countDocuments({ _sync_hash: { $exists: true } });
    assert.equal(stamped, 300);
    const { code, stderr } = await run(t, ['init', '--remove', '--yes'], place);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await dumpDatabase(db), before);
  });

  test('[RM-6] a fastapi-offline-sync database is adopted, its client resyncs once, and all of it is undone', async (t) => {
    const { place: given, db } = await freshPlace(t);
    const cwd = freshFolder(t, {
      'sync.config.yaml': `collections: [tasks]\nauth: {secret: ${SECRET}}\n`,
    });
    const place = { ...given, cwd };
    const [older, newest] = ['20250102T030405.006Z-0001', '20250102T030405.007Z-0002'] as const;
    const stamp = (version: string) => ({ _sync_version: version, _sync_user_id: 'dev' });
    await db.collection<Stored>('tasks').insertMany([
      { _id: 't1', title: 'a', ...stamp(older), _sync_deleted: false },
      { _id: 't2', title: 'b', ...stamp(newest) },
      { _id: 't3', title: 'gone', ...stamp(newest), _sync_deleted: true },
    ]);
    const row = { collection: 'tasks', operation: 'upsert', user_id: 'dev', parent_version: null };
    await db.collection<Stored>('sync_oplog').insertMany([
      { _id: older, doc_id: 't1', data: { title: 'a' }, timestamp: new Date(), ...row },
      { _id: newest, doc_id: 't2', data: { title: 'b' }, timestamp: new Date(), ...row },
    ]);
    const before = await dumpDatabase(db);
    for (const args of [['init'], ['migrate']]) {
      const { code, stderr } = await run(t, args, place);
      assert.equal(code, 0, stderr);
    }
    const server = await serve(t, place);
    const token = await tokenOf(place);
    const first = await pull(server.url, token, newest);
    assert.equal(first['reason'], 'collection_reset');
    assert.equal((await pull(server.url, token, older))['reason'], 'history_pruned');
    const next = await pull(server.url, token, String(first['head']));
    assert.deepEqual(next['changes'], []);
    server.signal('SIGTERM');
    await server.ended;
    const { code, stderr } = await run(t, ['init', '--remove', '--yes'], place);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await dumpDatabase(db), before);
  });

  test('[RM-3] a full disk or a cut connection ends a removal, exit 3, and the next one finishes it', async (t) => {
    const server = await startOwnMongo({ testCommands: true });
    t.after(() => server.stop());
    const client = await clientOf(t, server.uri);
    const db = client.db('app');
    const tasks = db.collection<Stored>('tasks');
    await tasks.insertMany(Array.from({ length: 120 }, (_, n) => ({ _id: `t${n}`, n })));
    const before = await dumpDatabase(db);
    const place = placeOf(t, server.uri, 'app');
    const faults: [string, Document][] = [
      ['OutOfDiskSpace', { failCommands: ['update'], errorCode: 14_031 }],
      ['a cut connection', { failCommands: ['dropIndexes'], closeConnection: true }],
    ];
    for (const [name, data] of faults) {
      assert.equal((await run(t, ['init'], place)).code, 0);
      await tasks.updateMany({}, { $set: { _sync_version: 'v', _sync_hash: 'h' } });
      // The first update marks the removal; the one after it is a batch.
      const mode = data['errorCode'] === undefined ? { times: 1 } : { skip: 1 };
      await client.db('admin').command({ configureFailPoint: 'failCommand', mode, data });
      const failed = await run(t, ['init', '--remove', '--yes'], place);
      await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
      assert.equal(failed.code, 3, `${name}: ${failed.stderr}`);
      assert.match(failed.stderr, /the removal did not end; .*no document is lost/);
      assert.match(failed.stderr, /\(database_unreachable\)\nfix: /);
      assert.equal(await tasks.countDocuments({ n: { $exists: true } }), 120);
      const finished = await run(t, ['init', '--remove', '--yes'], place);
      assert.equal(finished.code, 0, finished.stderr);
      assert.deepEqual(await dumpDatabase(db), before);
    }
  });
}
