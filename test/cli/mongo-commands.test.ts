/** The commands on a MongoDB; the lane's server is used, and one of the test's own for passwords. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { MongoClient } from 'mongodb';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import {
  freshFolder,
  jsonLines,
  type Place,
  push,
  pushOf,
  run,
  SECRET,
  serve,
  tokenOf,
} from './support/command.ts';

const FILE = `collections: [tasks]\nauth: {secret: ${SECRET}}\n`;

async function mongoPlace(t: TestContext): Promise<Place> {
  const database = await freshDatabase();
  t.after(() => database.drop());
  return {
    cwd: freshFolder(t, { 'sync.config.yaml': FILE }),
    env: { MONGODB_URI: database.uri, MONGODB_DATABASE: database.name },
  };
}

test('[CL-12] an unreachable database is exit 3 with its address and without the password', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
  const env = { MONGODB_URI: 'mongodb://me:hunter2@127.0.0.1:1/', MONGODB_DATABASE: 'app' };
  const commands = [['serve', '--port', '0'], ['init'], ['inspect']];
  for (const { code, stdout, stderr } of await Promise.all(
    commands.map((args) => run(t, args, { cwd, env })),
  )) {
    assert.equal(code, 3, stderr);
    assert.match(stderr, /127\.0\.0\.1:1\b.*\(database_unreachable\)/);
    assert.ok(!`${stdout}${stderr}`.includes('hunter2'));
  }
});

if (process.env.SYNC_TEST_MONGODB_URI) {
  test('[CL-5] mongo: serve refuses before init and leaves no trace; init is idempotent and prints rights', async (t) => {
    const place = await mongoPlace(t);
    const early = await run(t, ['serve', '--port', '0'], place);
    assert.equal(early.code, 3, early.stderr);
    assert.match(early.stderr, /offline-sync init/);
    const dry = await run(t, ['init', '--dry-run'], place);
    assert.doesNotMatch(dry.stdout, /^[=~!] /m, 'nothing is there yet');
    const first = await run(t, ['init'], place);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /rights that init needs/);
    assert.match(first.stderr, /rights that serve needs/);
    const second = await run(t, ['init'], place);
    assert.doesNotMatch(second.stdout, /^[+~!] /m);
    assert.match(second.stderr, /nothing to do/);
  });

  test('[CL-5] mongo: a changed lifetime is a change of the plan and is applied', async (t) => {
    const place = await mongoPlace(t);
    await run(t, ['init'], place);
    const shorter = { ...place, env: { ...place.env, SYNC_OPLOG_TTL_DAYS: '7' } };
    const { code, stdout } = await run(t, ['init'], shorter);
    assert.equal(code, 0);
    assert.match(stdout, /^~ change .*sync_oplog/m);
    assert.doesNotMatch((await run(t, ['init'], shorter)).stdout, /^[+~!] /m);
  });

  test('[CL-5] mongo: what init must not touch is blocked, exit 4, and nothing is changed', async (t) => {
    const place = await mongoPlace(t);
    const client = new MongoClient(place.env?.MONGODB_URI as string);
    t.after(() => client.close());
    const db = client.db(place.env?.MONGODB_DATABASE as string);
    await db.collection('tasks').createIndex({ title: 1 }, { name: 'sync_version' });
    const { code, stdout, stderr } = await run(t, ['init'], place);
    assert.equal(code, 4, stderr);
    assert.match(stdout, /^! blocked +index tasks\.sync_version/m);
    assert.match(stderr, /nothing was changed \(layout_blocked\)\nfix: /);
    const names = (await db.listCollections().toArray()).map(({ name }) => name);
    assert.deepEqual(names, ['tasks']);
  });

  test('[CL-9] mongo: two servers serve one database, and inspect shows what they wrote', async (t) => {
    const place = await mongoPlace(t);
    await run(t, ['init'], place);
    const [one, two] = await Promise.all([serve(t, place), serve(t, place)]);
    const token = await tokenOf(place);
    await push(one.url, token, pushOf('first'));
    await push(two.url, token, pushOf('second'));
    const { stdout } = await run(t, ['inspect', '--since', '0'], place);
    assert.deepEqual(
      jsonLines(stdout).map(({ doc_id, seq }) => [doc_id, seq]),
      [
        ['first', 1],
        ['second', 2],
      ],
    );
    for (const server of [one, two]) {
      server.signal('SIGTERM');
      assert.equal(await server.ended, 0);
    }
  });

  test('[CL-6] mongo: a standalone server is exit 2 and the answer says what to start', async (t) => {
    const server = await startOwnMongo({ standalone: true });
    t.after(() => server.stop());
    const place = {
      cwd: freshFolder(t, { 'sync.config.yaml': FILE }),
      env: { MONGODB_URI: server.uri, MONGODB_DATABASE: 'app' },
    };
    for (const command of ['init', 'serve']) {
      const { code, stderr } = await run(t, [command], place);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /one-member replica set/);
    }
  });

  test('[CL-12] mongo: a wrong password is exit 3 with the address and without the password', async (t) => {
    const server = await startOwnMongo({ auth: true });
    t.after(() => server.stop());
    const uri = new URL(server.uri);
    const host = uri.host;
    uri.password = 'hunter2';
    const place = {
      cwd: freshFolder(t, { 'sync.config.yaml': FILE }),
      env: { MONGODB_URI: uri.href, MONGODB_DATABASE: 'app' },
    };
    const { code, stderr } = await run(t, ['init'], place);
    assert.equal(code, 3, stderr);
    assert.ok(stderr.includes(host), stderr);
    assert.ok(!stderr.includes('hunter2'));
  });
}
