/** The database user with exactly the rights that are written down, and with one less. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Db, type Document, MongoClient } from 'mongodb';
import { startOwnMongo } from '../support/mongodb.ts';
import { dumpDatabase } from '../support/mongo-dump.ts';
import { LiveDevice } from '../support/process/live-device.ts';
import {
  freshFolder,
  type Place,
  pull,
  push,
  pushOf,
  run,
  SECRET,
  type Served,
  serve,
  tokenOf,
} from './support/command.ts';

/** What `init` prints and docs/OPERATIONS.md lists. */
const SERVE = [
  ...['find', 'insert', 'update', 'remove'],
  ...['listCollections', 'listIndexes', 'changeStream'],
];
const LOOK = ['find', 'listCollections', 'listIndexes'];
const NO_STREAM = SERVE.filter((right) => right !== 'changeStream');
const INIT = [...NO_STREAM, 'createCollection', 'createIndex', 'collMod'];
const REMOVE = [...INIT, 'dropCollection', 'dropIndex', 'renameCollectionSameDB'];

const FILE = `
auth: {secret: ${SECRET}}
capture_rescan_seconds: 1
collections:
  tasks: {scope: dev, capture: adopt}
`;
/** Twice a second, and a slow machine. */
const POLLED_WITHIN_MS = 5_000;
const FOUND_WITHIN_MS = 20_000;

interface Stored extends Document {
  _id: string;
}

interface World {
  readonly db: Db;
  /** The place of a user who has exactly these rights on the database. */
  as(rights: readonly string[]): Promise<Place>;
}

async function world(t: TestContext): Promise<World> {
  const server = await startOwnMongo({ auth: true });
  t.after(() => server.stop());
  const client = new MongoClient(server.uri);
  t.after(() => client.close());
  const db = client.db('app');
  let users = 0;
  return {
    db,
    async as(rights) {
      users += 1;
      const name = `user-${users}`;
      const resource = { db: 'app', collection: '' };
      const privileges = [{ resource, actions: rights }];
      await db.command({ createRole: name, privileges, roles: [] });
      await db.command({ createUser: name, pwd: 'hunter2', roles: [{ role: name, db: 'app' }] });
      const uri = new URL(server.uri);
      [uri.username, uri.password] = [name, 'hunter2'];
      uri.searchParams.set('authSource', 'app');
      const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
      return { cwd, env: { MONGODB_URI: uri.href, MONGODB_DATABASE: 'app' } };
    },
  };
}

async function succeeds(t: TestContext, args: readonly string[], place: Place): Promise<void> {
  const { code, stderr } = await run(t, args, place);
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
}

/** A device that hears of a push to one server from the other one. */
async function hears(place: Place, [from, to]: readonly [Served, Served], doc_id: string) {
  const token = await tokenOf(place);
  const device = new LiveDevice(null);
  const link = device.connect({ url: to.url, token, transport: 'websocket' });
  await device.until(() => device.caughtUp);
  const started = performance.now();
  await push(from.url, token, pushOf(doc_id));
  await device.until(() => device.rows.some((row) => row['doc_id'] === doc_id));
  const ms = performance.now() - started;
  link.destroy();
  return ms;
}

async function captured(db: Db, doc_id: string): Promise<void> {
  const until = performance.now() + FOUND_WITHIN_MS;
  const written = { doc_id, origin: 'external' };
  while ((await db.collection('sync_oplog').findOne(written)) === null) {
    assert.ok(performance.now() < until, `${doc_id} was not found`);
  }
}

async function metric({ url }: Served, name: string): Promise<string | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text.split('\n').find((line) => line.startsWith(name) && !line.startsWith('#'));
}

if (process.env['SYNC_TEST_MONGODB_URI']) {
  test('[ST-10] mongo: each command works with the rights that are listed for it', async (t) => {
    const { db, as } = await world(t);
    const tasks = db.collection<Stored>('tasks');
    await tasks.insertMany([{ _id: 'a', title: 'x' }, { _id: 'b' }]);
    const before = await dumpDatabase(db);
    await succeeds(t, ['init'], await as(INIT));
    await succeeds(t, ['migrate'], await as(NO_STREAM));
    await succeeds(t, ['migrate', '--verify'], await as(NO_STREAM));
    const place = await as(SERVE);
    const servers = [await serve(t, place), await serve(t, place)] as const;
    await hears(place, servers, 'c');
    for (const server of servers)
      assert.equal(await metric(server, 'sync_feed_following'), 'sync_feed_following 1');
    await tasks.insertOne({ _id: 'd' });
    await captured(db, 'd');
    for (const server of servers) {
      assert.doesNotMatch(server.stderr(), /not authorized/);
      server.signal('SIGTERM');
      assert.equal(await server.ended, 0);
    }
    const look = await as(LOOK);
    await succeeds(t, ['inspect', '--since', '0'], look);
    await succeeds(t, ['serve', '--check'], look);
    await succeeds(t, ['init', '--remove', '--yes'], await as(REMOVE));
    await tasks.deleteMany({ _id: { $in: ['c', 'd'] } });
    assert.deepEqual(await dumpDatabase(db), before);
  });

  test('[FE-8] mongo: without the right to change streams servers push, pull, poll and compare, and say so once', async (t) => {
    const { db, as } = await world(t);
    await succeeds(t, ['init'], await as(INIT));
    const place = await as(NO_STREAM);
    const servers = [await serve(t, place), await serve(t, place)] as const;
    const ms = await hears(place, servers, 'a');
    t.diagnostic(`the other server's row came after ${Math.round(ms)} ms`);
    assert.ok(ms < POLLED_WITHIN_MS, `${ms} ms`);
    await db.collection<Stored>('tasks').insertOne({ _id: 'b' });
    await captured(db, 'b');
    const { changes } = await pull(
      servers[1].url,
      await tokenOf(place),
      '19700101T000000.000Z-0000',
    );
    assert.equal((changes as Document[]).length, 2);
    for (const server of servers) {
      assert.equal(await metric(server, 'sync_feed_following'), 'sync_feed_following 0');
      assert.equal(
        await metric(server, 'sync_feed_losses_total'),
        'sync_feed_losses_total{reason="refused"} 1',
      );
      server.signal('SIGTERM');
      assert.equal(await server.ended, 0);
      const said = server
        .stderr()
        .split('\n')
        .filter((line) => /not authorized/.test(line));
      const events = said.map((line) => JSON.parse(line));
      assert.deepEqual(events.map(({ event, reason }) => `${event} ${reason}`).sort(), [
        'capture.state no_feed',
        'feed.state refused',
      ]);
      for (const { level, err } of events) {
        assert.equal(level, 'warn');
        assert.match(err.message, /not authorized on app/);
      }
    }
  });
}
