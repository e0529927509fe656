/** `migrate` on a MongoDB that an application filled, and what it says where it cannot go on. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import {
  BSON,
  BSONRegExp,
  Decimal128,
  type Document,
  Double,
  Long,
  MongoClient,
  ObjectId,
  Timestamp,
} from 'mongodb';
import { freshDatabase } from '../support/mongodb.ts';
import {
  type Ended,
  freshFolder,
  jsonLines,
  type Place,
  run,
  SECRET,
  serve,
  start,
  tokenOf,
} from './support/command.ts';

const FILE = `collections: {tasks: {scope_field: team}}\nauth: {secret: ${SECRET}}\n`;

test('[MI-4] on the embedded store there is nothing to adopt', async (t) => {
  const cwd = freshFolder(t);
  const { code, stderr } = await run(t, ['migrate'], { cwd });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /nothing to adopt.*import/);
});

test('[MI-4] wrong flags are exit 2 and name what is possible', async (t) => {
  const cwd = freshFolder(t);
  for (const [args, hint] of [
    [['--batch', '0'], /from 1 to 5000/],
    [['--batch', 'many'], /--batch 500/],
    [['--collection', 'nope'], /known are tasks, notes/],
    [['--collection', ','], /known are/],
  ] as const) {
    const { code, stderr } = await run(t, ['migrate', ...args], { cwd });
    assert.equal(code, 2, stderr);
    assert.match(stderr, hint);
  }
});

interface World extends Place {
  readonly client: MongoClient;
  readonly tasks: ReturnType<ReturnType<MongoClient['db']>['collection']>;
  command(...args: string[]): Promise<Ended>;
}

async function world(t: TestContext, file = FILE): Promise<World> {
  const database = await freshDatabase();
  const client = new MongoClient(database.uri);
  t.after(async () => {
    await client.close();
    await database.drop();
  });
  const cwd = freshFolder(t, { 'sync.config.yaml': file });
  const place = { cwd, env: { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name } };
  const tasks = client.db(database.name).collection('tasks');
  return { ...place, client, tasks, command: (...args) => run(t, args, place) };
}

/** Documents with every kind of value that real data has. */
function realDocuments(count: number): Document[] {
  return Array.from({ length: count }, (_, i) => ({
    _id: `t${i}` as unknown as ObjectId,
    team: `team-${i % 2}`,
    title: `task ${i}`,
    price: Decimal128.fromString('19.90'),
    due: new Date(1_700_000_000_000 + i),
    long: Long.fromNumber(5),
    whole: new Double(3),
    list: [1, { owner: new ObjectId(), deep: [new Date(0), null] }],
  }));
}

/** The bytes that the application sees: everything but the engine's fields, in order. */
async function applicationBytes(tasks: World['tasks']): Promise<string[]> {
  const found = await tasks.find({}, { promoteValues: false, sort: { _id: 1 } }).toArray();
  return found.map((document) => {
    const own = Object.entries(document).filter(([key]) => !key.startsWith('_sync_'));
    return Buffer.from(BSON.serialize(Object.fromEntries(own))).toString('hex');
  });
}

if (process.env.SYNC_TEST_MONGODB_URI) {
  test('[MI-1] mongo: documents are adopted once, byte for byte as they were', async (t) => {
    const { tasks, command, ...place } = await world(t);
    await tasks.insertMany(realDocuments(25));
    await tasks.insertOne({
      _id: 'odd' as unknown as ObjectId,
      team: 'team-0',
      pattern: new BSONRegExp('^a', 'i'),
      stamp: new Timestamp({ t: 1, i: 2 }),
    });
    const before = await applicationBytes(tasks);
    const dry = await command('migrate', '--dry-run');
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /\+ 26 get a version/);
    assert.match(dry.stdout, /i 1 hold BSON types/);
    assert.match(dry.stdout, /scope by field team, 2 scopes/);
    assert.equal(await tasks.countDocuments({ _sync_version: { $exists: true } }), 0);

    assert.equal((await command('init')).code, 0);
    const done = await command('migrate', '--batch', '4', '--json');
    assert.equal(done.code, 0, done.stderr);
    const events = jsonLines(done.stdout);
    assert.ok(events.filter(({ event }) => event === 'progress').length >= 7);
    const { stamped, skipped } = events.at(-1) as { stamped: number; skipped: number };
    assert.deepEqual([stamped, skipped], [26, 0]);
    assert.deepEqual(await applicationBytes(tasks), before);
    assert.equal((await command('migrate', '--verify')).code, 0);

    const versions = await tasks.distinct('_sync_version');
    assert.equal(versions.length, 26);
    const again = await command('migrate');
    assert.match(again.stdout, /tasks: 0 got a version, 0 left a row/);
    assert.deepEqual(await tasks.distinct('_sync_version'), versions, 'stamped once');

    const { url } = await serve(t, place);
    const token = await tokenOf(place, 'team-0');
    const full = await fetch(`${url}/sync/full?collections=tasks`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const lines = jsonLines(await full.text());
    assert.equal(lines.length, 14);
    const first = lines.find(({ doc_id }) => doc_id === 't0') as { data: Document };
    assert.deepEqual(first.data['price'], { $numberDecimal: '19.90' });
  });

  test('[MI-3] mongo: a run that is killed goes on, and every document is stamped once', async (t) => {
    const { client, tasks, command, ...place } = await world(t);
    await tasks.insertMany(realDocuments(60));
    assert.equal((await command('init')).code, 0);
    const before = await applicationBytes(tasks);
    const child = start(t, ['migrate', '--batch', '5', '--json'], place);
    const events = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    for await (const line of events) {
      if (!line.includes('"label":"migrate tasks"')) continue;
      child.kill('SIGKILL');
      break;
    }
    await once(child, 'close');
    const early = await tasks.find({ _sync_version: { $exists: true } }).toArray();
    assert.ok(early.length >= 5 && early.length < 60, `${early.length} of 60 before the kill`);
    const resumed = await command('migrate');
    assert.equal(resumed.code, 0, resumed.stderr);
    for (const { _id, _sync_version } of early) {
      assert.equal(
        (await tasks.findOne({ _id }))?.['_sync_version'],
        _sync_version,
        'stamped once',
      );
    }
    assert.deepEqual(await applicationBytes(tasks), before);
    assert.equal((await command('migrate', '--verify')).code, 0);
    const resets = { operation: 'reset', collection: 'tasks' };
    const db = client.db(place.env?.['MONGODB_DATABASE']);
    assert.equal(await db.collection('sync_oplog').countDocuments(resets), 2);
  });

  test('[MI-5] mongo: one barrier row per scope that got versions, also after a run that stopped', async (t) => {
    const { client, tasks, command, env } = await world(t);
    await tasks.insertMany(realDocuments(6));
    assert.equal((await command('init')).code, 0);
    assert.equal((await command('migrate')).code, 0);
    const db = client.db(env?.['MONGODB_DATABASE']);
    const resets = () => db.collection('sync_oplog').find({ operation: 'reset' }).toArray();
    assert.deepEqual((await resets()).map((row) => row['scope_id']).sort(), ['team-0', 'team-1']);
    // As a run leaves it that was killed before its barriers.
    await db.collection('sync_oplog').deleteMany({ scope_id: 'team-1' });
    await db.collection('sync_scopes').deleteMany({ _id: 'team-1' as unknown as ObjectId });
    await db.collection('sync_receipts').deleteMany({ mutation_id: /^reset:/, scope_id: 'team-1' });
    await db
      .collection('sync_migrations')
      .updateOne(
        { _id: 'collection:tasks' as unknown as ObjectId },
        { $set: { state: 'barriers' } },
      );
    await db.collection('sync_scopes').insertOne({
      ...{ _id: 'team-1' as unknown as ObjectId, head_version: '', head_seq: 0 },
      ...{ head_bundle_seq: 0, hlc_p: Long.ZERO, hlc_c: 0, lock: 0, touched: new Date() },
      ...{ chain_start: '', epoch: null },
    });
    assert.equal((await command('migrate')).code, 0);
    assert.deepEqual((await resets()).map((row) => row['scope_id']).sort(), ['team-0', 'team-1']);
  });

  test('[MI-6] mongo: later documents leave rows, and nobody has to resync', async (t) => {
    const { client, tasks, command, env } = await world(t);
    await tasks.insertMany(realDocuments(4));
    assert.equal((await command('init')).code, 0);
    assert.equal((await command('migrate')).code, 0);
    const id = (text: string) => text as unknown as ObjectId;
    await tasks.insertOne({ _id: id('late'), team: 'team-0' });
    await tasks.updateOne({ _id: id('t1') }, { $set: { title: 'changed' } });
    const verify = await command('migrate', '--verify');
    assert.equal(verify.code, 4);
    assert.match(verify.stdout, /no_version {2}tasks\/late/);
    assert.match(verify.stdout, /foreign_content {2}tasks\/t1/);
    const done = await command('migrate');
    assert.match(done.stdout, /0 got a version, 2 left a row/);
    const rows = await client
      .db(env?.['MONGODB_DATABASE'])
      .collection('sync_oplog')
      .find({ operation: 'upsert' })
      .toArray();
    assert.deepEqual(rows.map((row) => [row['doc_id'], row['origin']]).sort(), [
      ['late', 'migrate'],
      ['t1', 'migrate'],
    ]);
    assert.equal((await command('migrate', '--verify')).code, 0);
  });

  test('[MI-7] mongo: documents that cannot be adopted stop the run before anything changes', async (t) => {
    const { tasks, command } = await world(t);
    const id = (text: unknown) => text as ObjectId;
    await tasks.insertMany([
      { _id: id('good'), team: 'a' },
      { _id: id('homeless') },
      { _id: id(7), team: 'a' },
      { _id: id('big'), team: 'a', text: 'x'.repeat(1_100_000) },
    ]);
    assert.equal((await command('init')).code, 0);
    const refused = await command('migrate');
    assert.equal(refused.code, 4);
    assert.match(refused.stdout, /! 1 have no scope \(homeless\)/);
    assert.match(refused.stdout, /! 1 are larger than max_document_bytes \(big\)/);
    assert.match(refused.stdout, /! 1 have ids of another type: 1 int/);
    assert.match(refused.stderr, /3 documents cannot be adopted, and nothing was changed/);
    assert.match(refused.stderr, /--allow-skipped/);
    assert.equal(await tasks.countDocuments({ _sync_version: { $exists: true } }), 0);
    const allowed = await command('migrate', '--allow-skipped');
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.match(allowed.stdout, /1 got a version, 0 left a row, 3 skipped/);
    assert.equal(await tasks.countDocuments({ _sync_version: { $exists: true } }), 1);
  });

  test('[MI-8] mongo: a second migrate ends with exit 5 while the first one lives', async (t) => {
    const { client, tasks, command, env } = await world(t);
    await tasks.insertMany(realDocuments(2));
    assert.equal((await command('init')).code, 0);
    const leases = client.db(env?.['MONGODB_DATABASE']).collection('sync_migrations');
    const lease = { _id: 'lease' as unknown as ObjectId };
    const refresh = () =>
      leases.updateOne(lease, [{ $set: { owner: 'another', at: '$$NOW' } }], { upsert: true });
    await refresh();
    const timer = setInterval(() => void refresh(), 300);
    const second = await command('migrate').finally(() => clearInterval(timer));
    assert.equal(second.code, 5, second.stderr);
    assert.match(second.stderr, /another migrate works on this database/);
    assert.equal(await tasks.countDocuments({ _sync_version: { $exists: true } }), 0);
    const third = await command('migrate');
    assert.equal(third.code, 0, 'a dead one is taken over');
    assert.equal(await leases.findOne(lease), null, 'and the lease is given back');
  });

  test('[MI-2] mongo: documents of an earlier server keep version and fields', async (t) => {
    const { tasks, command } = await world(t, `collections: [tasks]\nauth: {secret: ${SECRET}}\n`);
    const id = (text: string) => text as unknown as ObjectId;
    const version = '20260501T120000.000Z-0003';
    await tasks.insertOne({
      _id: id('old'),
      title: 'x',
      _sync_version: version,
      _sync_user_id: 'u1',
    });
    assert.equal((await command('init')).code, 0);
    const done = await command('migrate');
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /i 1 have the version of an earlier server/);
    const [old] = await tasks.find().toArray();
    assert.equal(old?.['_sync_version'], version);
    assert.equal(old?.['_sync_user_id'], 'u1');
    assert.equal(old?.['_sync_scope_id'], 'u1');
    assert.equal(old?.['_sync_actor_id'], 'u1');
    assert.equal((await command('migrate', '--verify')).code, 0);
  });
}
