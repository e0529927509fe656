/** The commands on a MongoDB; the lane's server is used, and one of the test's own for passwords. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
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
  start,
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

  test('[SA-1] mongo: transactions: off on a replica set is exit 2, and on the embedded store too', async (t) => {
    const place = await mongoPlace(t);
    const off = { ...place, env: { ...place.env, SYNC_TRANSACTIONS: 'off' } };
    for (const command of ['init', 'serve']) {
      const { code, stderr } = await run(t, [command], off);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /leave out "transactions: off"/);
    }
    const embedded = await run(t, ['serve'], { ...off, env: { SYNC_TRANSACTIONS: 'off' } });
    assert.equal(embedded.code, 2, embedded.stderr);
    assert.match(embedded.stderr, /transactions.*is for the MongoDB store/);
  });

  test('[SA-6] mongo: a standalone server with transactions: off serves one process, and says so', async (t) => {
    const mongo = await startOwnMongo({ standalone: true });
    t.after(() => mongo.stop());
    const place = {
      cwd: freshFolder(t, { 'sync.config.yaml': `${FILE}transactions: off\n` }),
      env: { MONGODB_URI: mongo.uri, MONGODB_DATABASE: 'app' },
    };
    assert.equal((await run(t, ['init'], place)).code, 0);
    assert.equal((await run(t, ['serve', '--check'], place)).code, 0);
    const server = await serve(t, place);
    const token = await tokenOf(place);
    await push(server.url, token, pushOf('first'));
    const [warning] = jsonLines(server.stderr()).filter(
      ({ event }) => event === 'store.no_transactions',
    );
    assert.equal(warning?.level, 'warn');
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /^sync_transactions_enabled 0$/m);
    const [second, check, rows] = await Promise.all([
      run(t, ['serve', '--port', '0'], place),
      run(t, ['serve', '--check'], place),
      run(t, ['inspect', '--since', '0'], place),
    ]);
    assert.equal(second.code, 5, second.stderr);
    assert.match(second.stderr, /another process writes.*\(locked\)/);
    assert.equal(check.code, 0, check.stderr);
    assert.deepEqual(
      jsonLines(rows.stdout).map(({ doc_id }) => doc_id),
      ['first'],
    );
    server.signal('SIGTERM');
    assert.equal(await server.ended, 0);
    const next = await serve(t, place);
    await push(next.url, token, pushOf('second'));
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

  test('[CL-14] mongo: init --remove shows what goes, needs --yes, and finds nothing the second time', async (t) => {
    const place = await mongoPlace(t);
    await run(t, ['init'], place);
    const asked = await run(t, ['init', '--remove'], place);
    assert.equal(asked.code, 2, asked.stderr);
    assert.match(asked.stdout, /^- remove collection sync_meta /m);
    const done = await run(t, ['init', '--remove', '--yes', '--json'], place);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(jsonLines(done.stdout).at(-1)?.['removed'], true);
    const again = await run(t, ['init', '--remove'], place);
    assert.deepEqual([again.code, again.stdout], [0, 'nothing to remove\n']);
    const serving = await run(t, ['serve', '--port', '0'], place);
    assert.equal(serving.code, 3);
  });

  test('[RM-2] mongo: init --remove and --new-epoch are exit 5 while a server is live, idle or not', async (t) => {
    const place = await mongoPlace(t);
    await run(t, ['init'], place);
    const server = await serve(t, place);
    for (const args of [['--remove', '--yes'], ['--new-epoch']]) {
      const { code, stderr } = await run(t, ['init', ...args], place);
      assert.equal(code, 5, stderr);
      assert.match(stderr, /a server works with this database \(locked\)\nfix: stop/);
      assert.doesNotMatch(stderr, /did not end/);
    }
    await push(server.url, await tokenOf(place), pushOf('still-served'));
    server.signal('SIGTERM');
    await server.ended;
    const { code, stderr } = await run(t, ['init', '--new-epoch'], place);
    assert.equal(code, 0, stderr);
  });

  test('[RM-3] mongo: a removal that is killed with -9 is finished by the next one; nobody serves meanwhile', async (t) => {
    const place = await mongoPlace(t);
    const client = new MongoClient(place.env?.MONGODB_URI as string);
    t.after(() => client.close());
    const db = client.db(place.env?.MONGODB_DATABASE as string);
    await run(t, ['init'], place);
    const stamped = Array.from({ length: 3_000 }, (_, n) => ({
      n,
      _sync_version: 'v',
      _sync_hash: 'h',
    }));
    await db.collection('tasks').insertMany(stamped);
    const args = ['init', '--remove', '--yes', '--json'];
    const child = start(t, args, place);
    const ended = once(child, 'close');
    for await (const part of child.stdout as NodeJS.ReadableStream) {
      if (String(part).includes('"done":1000,')) break;
    }
    child.kill('SIGKILL');
    await ended;
    const left = await db.collection('tasks').countDocuments({ _sync_hash: 'h' });
    assert.ok(left > 0 && left <= 2_000, `${left} are left`);
    const serving = await run(t, ['serve', '--port', '0'], place);
    assert.equal(serving.code, 3, serving.stderr);
    assert.match(serving.stderr, /\(removal_begun\)\nfix: .*--remove --yes/);
    const setup = await run(t, ['init'], place);
    assert.equal(setup.code, 4, setup.stderr);
    assert.match(setup.stdout, /a removal was begun/);
    const finished = await run(t, args, place);
    assert.equal(finished.code, 0, finished.stderr);
    assert.equal(await db.collection('tasks').countDocuments(), 3_000);
    const names = (await db.listCollections().toArray()).map(({ name }) => name);
    assert.deepEqual(names, ['tasks']);
    const keys = Object.keys((await db.collection('tasks').findOne()) ?? {});
    assert.deepEqual(keys, ['_id', 'n']);
  });
}
