/** What stands in the way of `migrate`, and that the application's documents stay as they are. */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { type Collection, type Db, type Document, MongoClient } from 'mongodb';
import { startLossyProxy } from '../mongo/lossy-proxy.ts';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import { type Ended, freshFolder, jsonLines, run, SECRET, start } from './support/command.ts';

const FILE = `collections: {tasks: {scope_field: team}}\nauth: {secret: ${SECRET}}\n`;

interface Stored extends Document {
  _id: string;
}

interface World {
  readonly db: Db;
  readonly uri: string;
  readonly tasks: Collection<Stored>;
  command(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  started(args: readonly string[]): ChildProcess;
}

async function world(t: TestContext, documents: number): Promise<World> {
  const database = await freshDatabase();
  const client = new MongoClient(database.uri);
  t.after(async () => {
    await client.close();
    await database.drop();
  });
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
  const env = { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name };
  const db = client.db(database.name);
  const tasks = db.collection<Stored>('tasks');
  const all = Array.from({ length: documents }, (_, i) => task(i));
  if (documents > 0) await tasks.insertMany(all);
  return {
    ...{ db, tasks, uri: database.uri },
    command: (args, more = {}) => run(t, args, { cwd, env: { ...env, ...more } }),
    started: (args) => start(t, args, { cwd, env }),
  };
}

function task(i: number): Stored {
  return { _id: `t${String(i).padStart(3, '0')}`, team: `team-${i % 2}`, title: `task ${i}` };
}

/** Resolves at the n-th event with this label. */
async function reached(child: ChildProcess, label: string): Promise<void> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if ((JSON.parse(line) as { label?: string }).label === label) break;
  }
  child.stdout?.resume();
}

const ok = (ended: Ended): void => assert.equal(ended.code, 0, `${ended.stdout}${ended.stderr}`);
const resets = (db: Db) => db.collection('sync_oplog').countDocuments({ operation: 'reset' });

if (process.env['SYNC_TEST_MONGODB_URI']) {
  test('[MI-11] mongo: documents whose stamp a validator refuses are named and stay as they were', async (t) => {
    const { db, tasks, command } = await world(t, 6);
    ok(await command(['init']));
    const closed = { $or: [{ _sync_version: { $exists: false } }, { title: { $ne: 'task 3' } }] };
    await db.command({ collMod: 'tasks', validator: closed });
    const { code, stdout, stderr } = await command(['migrate']);
    assert.equal(code, 4, stderr);
    assert.match(stdout, /tasks: 5 got a version, 0 left a row, 1 skipped/);
    assert.match(stdout, /! the database refused tasks\/t003/);
    assert.match(stderr, /a validator or a unique index refused .* run migrate again/);
    assert.deepEqual(await tasks.findOne({ _id: 't003' }), task(3));
    assert.equal((await command(['migrate', '--verify'])).code, 4);
    const allowed = await command(['migrate', '--allow-skipped', '--json']);
    ok(allowed);
    assert.deepEqual(jsonLines(allowed.stdout).at(-1)?.['refused'], ['t003']);
    await db.command({ collMod: 'tasks', validator: {} });
    const { stdout: later } = await command(['migrate']);
    assert.match(later, /0 got a version, 1 left a row, 0 skipped/);
    ok(await command(['migrate', '--verify']));
  });

  test('[MI-11] mongo: a validator that allows no further fields refuses every stamp and harms nothing', async (t) => {
    const { db, tasks, command } = await world(t, 8);
    ok(await command(['init']));
    const properties = { _id: {}, team: {}, title: {} };
    const validator = {
      $jsonSchema: { bsonType: 'object', properties, additionalProperties: false },
    };
    await db.command({ collMod: 'tasks', validator });
    const { code, stdout } = await command(['migrate']);
    assert.equal(code, 4);
    assert.match(stdout, /tasks: 0 got a version, 0 left a row, 8 skipped/);
    assert.deepEqual(await tasks.find().sort({ _id: 1 }).toArray(), [...Array(8).keys()].map(task));
  });

  test('[MI-11] mongo: a unique index that a stamp violates refuses that document alone', async (t) => {
    const { tasks, command } = await world(t, 6);
    ok(await command(['init']));
    await tasks.createIndex({ _sync_scope_id: 1 }, { unique: true, sparse: true });
    const { code, stdout } = await command(['migrate']);
    assert.equal(code, 4);
    assert.match(stdout, /tasks: 2 got a version, 0 left a row, 4 skipped/);
    assert.equal(await tasks.countDocuments({ _sync_version: { $exists: false } }), 4);
  });

  test('[MI-3] mongo: an interrupted run ends with 130 and says how to go on', async (t) => {
    const { db, tasks, command, started } = await world(t, 60);
    ok(await command(['init']));
    const child = started(['migrate', '--batch', '5', '--json']);
    const ended = once(child, 'close');
    let stderr = '';
    child.stderr?.on('data', (text) => {
      stderr += text;
    });
    await reached(child, 'migrate tasks');
    child.kill('SIGINT');
    assert.deepEqual(await ended, [130, null]);
    assert.match(stderr, /stopped; go on with: offline-sync migrate/);
    const stamped = await tasks.countDocuments({ _sync_version: { $exists: true } });
    assert.ok(stamped >= 5 && stamped < 60, `${stamped}`);
    assert.equal(await resets(db), 0);
    ok(await command(['migrate']));
    ok(await command(['migrate', '--verify']));
    assert.equal(await resets(db), 2);
  });

  test('[MI-9] mongo: where the marks of a run that rested may have expired, every scope gets its barrier', async (t) => {
    const { db, tasks, command, started } = await world(t, 20);
    ok(await command(['init']));
    const child = started(['migrate', '--batch', '5', '--json']);
    const ended = once(child, 'close');
    await reached(child, 'migrate tasks');
    child.kill('SIGINT');
    await ended;
    // As it stands two months later: the receipts are gone, and nothing is left to stamp.
    await db.collection('sync_receipts').deleteMany({});
    const rest = { _sync_version: { $exists: false } };
    await tasks.deleteMany(rest);
    const began = { $set: { started_ms: Date.now() - 100 * 86_400_000 } };
    await db.collection<Stored>('sync_migrations').updateOne({ _id: 'collection:tasks' }, began);
    ok(await command(['migrate']));
    assert.equal(await resets(db), 2);
  });

  test('[MI-10] mongo: a paused run that lost its right stamps nothing behind the barrier', async (t) => {
    const { db, tasks, command, started } = await world(t, 40);
    ok(await command(['init']));
    const paused = started(['migrate', '--batch', '5', '--json']);
    const ended = once(paused, 'close');
    let stderr = '';
    paused.stderr?.on('data', (text) => {
      stderr += text;
    });
    await reached(paused, 'migrate tasks');
    paused.kill('SIGSTOP');
    ok(await command(['migrate']));
    const late = Array.from({ length: 3 }, (_, i) => ({ ...task(i), _id: `z${i}` }));
    await tasks.insertMany(late);
    paused.kill('SIGCONT');
    assert.deepEqual(await ended, [5, null], stderr);
    assert.match(stderr, /another migrate took over while this process was paused/);
    ok(await command(['migrate']));
    ok(await command(['migrate', '--verify']));
    assert.equal(await resets(db), 2);
    for (const { _id } of late) {
      const version = (await tasks.findOne({ _id }))?.['_sync_version'];
      const row = await db.collection<Stored>('sync_oplog').findOne({ _id: version });
      assert.equal(row?.['doc_id'], _id, 'a client that is there hears of it');
    }
  });

  test('[MI-3] mongo: connections that drop in mid-batch are opened again, and each document is stamped once', async (t) => {
    const { db, tasks, uri, command } = await world(t, 30);
    const proxy = await startLossyProxy(uri);
    t.after(() => proxy.close());
    const through = { MONGODB_URI: proxy.uri };
    ok(await command(['init']));
    for (const lost of ['_sync_change_version', 'commitTransaction', 'stamped:', 'reset:']) {
      proxy.loseAnswerOf(lost);
      ok(await command(['migrate', '--batch', '10', '--collection', 'tasks'], through));
      await tasks.insertMany(
        Array.from({ length: 3 }, (_, i) => ({ ...task(i), _id: `${lost}${i}` })),
      );
    }
    assert.ok(proxy.lost >= 2, `${proxy.lost}`);
    ok(await command(['migrate'], through));
    ok(await command(['migrate', '--verify']));
    assert.equal(await resets(db), 2);
    const versions = await tasks.distinct('_sync_version');
    assert.equal(versions.length, await tasks.countDocuments());
  });

  test('[MI-11] mongo: where there is no setup, no database or no server, the next step is said', async (t) => {
    const { command, tasks } = await world(t, 1);
    const unset = await command(['migrate']);
    assert.equal(unset.code, 3, unset.stderr);
    assert.match(unset.stderr, /offline-sync init/);
    const nowhere = await command(['migrate'], { MONGODB_DATABASE: 'sync_test_nowhere' });
    assert.equal(nowhere.code, 3, nowhere.stderr);
    assert.match(nowhere.stderr, /offline-sync init/);
    const dead = await command(['migrate'], {
      MONGODB_URI: 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300',
    });
    assert.equal(dead.code, 3, dead.stderr);
    ok(await command(['init']));
    await tasks.drop();
    const missing = await command(['migrate']);
    assert.equal(missing.code, 3, missing.stderr);
    assert.match(missing.stderr, /collection tasks: create[\s\S]*offline-sync init/);
  });

  test('[MI-11] mongo: a user who may only read is told so, and nothing changes', async (t) => {
    const server = await startOwnMongo({ auth: true });
    t.after(() => server.stop());
    const client = new MongoClient(server.uri);
    t.after(() => client.close());
    const db = client.db('sync_test_rights');
    const place = { MONGODB_URI: server.uri, MONGODB_DATABASE: db.databaseName };
    const { command } = await world(t, 0);
    await db.collection<Stored>('tasks').insertMany([task(0), task(1)]);
    ok(await command(['init'], place));
    const roles = [{ role: 'read', db: db.databaseName }];
    await client.db('admin').command({ createUser: 'reader', pwd: 'reads-only', roles });
    const reader = new URL(server.uri);
    [reader.username, reader.password] = ['reader', 'reads-only'];
    const { code, stderr } = await command(['migrate'], { ...place, MONGODB_URI: String(reader) });
    assert.equal(code, 3);
    assert.match(stderr, /the database user lacks a right .*database_forbidden/);
    assert.match(stderr, /grant it the role readWrite/);
    const found = await db.collection<Stored>('tasks').find().sort({ _id: 1 }).toArray();
    assert.deepEqual(found, [task(0), task(1)]);
  });
}
