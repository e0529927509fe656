/**
 * A database of a fastapi-offline-sync server, by the shapes that its documents describe: `init`,
 * `migrate`, `serve`, its clients, and the way back.
 */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Collection, type Db, type Document, MongoClient, ObjectId } from 'mongodb';
import { dumpDatabase } from '../support/mongo-dump.ts';
import { freshDatabase } from '../support/mongodb.ts';
import {
  freshFolder,
  jsonLines,
  type Place,
  pull,
  run,
  SECRET,
  type Served,
  serve,
  tokenOf,
} from './support/command.ts';

const FILE = `collections: [tasks, projects]\nauth: {secret: ${SECRET}}\n`;
const ANN = 'user-ann';
/** Two parts, as the draft says, and three, as the released package writes. */
const OLDEST = '20260502T143000.000Z-0001';
const OLD = '20260502T143000.000Z-0002';
const NEWEST = '20260502T150000.120Z-0001-a1b2';
const ABOVE = '20260502T160000.000Z-0001-a1b2';
const ZERO = '19700101T000000.000Z-0000';

interface Stored extends Document {
  _id: string;
}

/** The draft names the user, the released package the actor and the scope. */
const byUser = (version: string) => ({ _sync_version: version, _sync_user_id: ANN });
const byActor = (version: string) => ({
  ...{ _sync_version: version, _sync_actor_id: 'device-7', _sync_scope_id: ANN },
  _sync_deleted: false,
});

async function fill(db: Db): Promise<void> {
  const log = db.collection<Stored>('sync_oplog');
  await log.createIndex({ timestamp: 1 }, { expireAfterSeconds: 2_592_000 });
  await log.createIndex({ user_id: 1, _id: 1 });
  const row = (_id: string, [collection, doc_id]: readonly string[], fields: Document): Stored => ({
    ...{ _id, collection, doc_id, operation: 'upsert', user_id: ANN },
    ...{ data: { title: 'as it was' }, parent_version: null, timestamp: new Date() },
    ...fields,
  });
  await log.insertMany([
    row(OLDEST, ['tasks', 't1'], {}),
    row(OLD, ['tasks', 't2'], {}),
    row('20260502T143000.120Z-0003', ['tasks', 'gone'], { operation: 'delete', data: null }),
    row(NEWEST, ['projects', 'p1'], { parent_version: OLD }),
  ]);
  await db.collection<Stored>('tasks').insertMany([
    { _id: 't1', title: 'one', ...byUser(OLDEST) },
    { _id: 't2', ...byUser(OLD), title: 'two' },
    { _id: 'gone', title: 'was here', ...byUser('20260502T143000.120Z-0003'), _sync_deleted: true },
  ]);
  await db.collection<Stored>('projects').insertMany([
    { _id: 'p1', ...byActor(NEWEST), name: 'first' },
    { _id: 'p2', name: 'left', ...byActor('20260502T144000.000Z-0001-a1b2'), _sync_deleted: true },
    // Written by the team's own back end, past that server.
    { _id: 'p3', name: 'plain', owner: ANN },
    // Odd values under the same names: a version from the future, an actor that is no text.
    { _id: 'p4', ...byActor('20991231T000000.000Z-0001-a1b2') },
    { _id: 'p5', ...byActor(OLD), _sync_actor_id: new ObjectId('0123456789abcdef01234567') },
  ]);
}

interface World {
  readonly db: Db;
  readonly place: Place;
  readonly tasks: Collection<Stored>;
  command(...args: string[]): Promise<string>;
}

async function world(t: TestContext): Promise<World> {
  const database = await freshDatabase();
  const client = new MongoClient(database.uri);
  t.after(async () => {
    await client.close();
    await database.drop();
  });
  const db = client.db(database.name);
  await fill(db);
  const file = FILE.replace('[tasks, projects]', '{tasks: {}, projects: {scope_field: owner}}');
  const place = {
    cwd: freshFolder(t, { 'sync.config.yaml': file }),
    env: { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name },
  };
  return {
    ...{ db, place, tasks: db.collection<Stored>('tasks') },
    command: async (...args) => {
      const { code, stdout, stderr } = await run(t, args, place);
      assert.equal(code, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
      return stdout;
    },
  };
}

/** What a full resync holds, by place. */
async function full({ url }: Served, token: string): Promise<Map<string, Document>> {
  const response = await fetch(`${url}/sync/full?collections=tasks,projects`, {
    headers: { authorization: `Bearer ${token}`, 'sync-protocol': '1' },
  });
  const lines = jsonLines(await response.text()) as Document[];
  const found = lines.filter(({ doc_id }) => doc_id !== undefined);
  return new Map(found.map((line) => [`${line['collection']}/${line['doc_id']}`, line]));
}

if (process.env['SYNC_TEST_MONGODB_URI']) {
  test('[MI-12] mongo: clients of an earlier server resync once, whatever their cursor, and go on', async (t) => {
    const { place, command } = await world(t);
    await command('init');
    await command('migrate');
    await command('migrate', '--verify');
    const served = await serve(t, place);
    const token = await tokenOf(place, ANN);
    for (const since of [ZERO, OLDEST, NEWEST, ABOVE]) {
      const stale = await pull(served.url, token, since);
      assert.equal(stale['full_resync_required'], true, since);
      const documents = await full(served, token);
      assert.equal(documents.size, 8);
      const next = await pull(served.url, token, String(stale['head']));
      assert.deepEqual(next['changes'], [], `one resync is enough from ${since}`);
    }
    const documents = await full(served, token);
    assert.deepEqual(documents.get('tasks/t1')?.['data'], { title: 'one' });
    assert.equal(documents.get('tasks/t1')?.['version'], OLDEST);
    assert.equal(documents.get('projects/p1')?.['version'], NEWEST);
    for (const deleted of ['tasks/gone', 'projects/p2']) {
      assert.equal(documents.get(deleted)?.['data'], null, deleted);
    }
  });

  test('[MI-12] mongo: a pending edit on a version of the earlier server applies without a conflict', async (t) => {
    const { db, place, command } = await world(t);
    await command('init');
    await command('migrate');
    const served = await serve(t, place);
    const token = await tokenOf(place, ANN);
    const edits = [
      { collection: 'tasks', doc_id: 't1', operation: 'upsert', parent_version: OLDEST },
      { collection: 'projects', doc_id: 'p1', operation: 'delete', parent_version: NEWEST },
    ];
    const response = await fetch(`${served.url}/sync/push`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        client_id: 'seed-client',
        changes: edits.map((edit) => ({
          ...edit,
          data: edit.operation === 'delete' ? null : { title: 'edited while away' },
        })),
      }),
    });
    const { results } = (await response.json()) as { results: Document[] };
    assert.deepEqual(
      results.map(({ status, resolution }) => [status, resolution]),
      [
        ['accepted', 'applied'],
        ['accepted', 'applied'],
      ],
    );
    assert.equal(await db.collection('sync_conflicts').countDocuments(), 0);
  });

  test('[RM-7] mongo: a removal gives the earlier server its database back, byte for byte', async (t) => {
    const { db, command } = await world(t);
    const before = await dumpDatabase(db);
    await command('init');
    await command('migrate');
    assert.notDeepEqual(await dumpDatabase(db), before);
    await command('init', '--remove', '--yes');
    assert.deepEqual(await dumpDatabase(db), before);
  });
}
