/** The tarball in an empty folder: what it holds, and that its commands and its types work there. */

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { PACKAGE_VERSION } from '../../src/build-info.ts';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { type Installed, installPackage, run, serve } from './installed.ts';

let installed: Installed;

before(() => {
  installed = installPackage();
});

after(() => {
  rmSync(path.dirname(installed.folder), { recursive: true, force: true });
});

test('[AR-19] the tarball holds the product and nothing else', () => {
  const { packed } = installed;
  for (const file of ['bin/offline-sync.js', 'dist/cli.js', 'dist/writer-worker.js', 'LICENSE']) {
    assert.ok(packed.includes(file), `${file} is missing`);
  }
  const allowed =
    /^(bin|dist)\/|^(README|CHANGELOG|SECURITY)\.md$|^LICENSE$|^package\.json$|^sync\.config\.example\.yaml$|^config\/sync\.config\.schema\.json$|^examples\/[\w-]+\.(mjs|d\.mts)$/;
  assert.deepEqual(
    packed.filter((file) => !allowed.test(file)),
    [],
  );
});

test('[AR-19] the reference client in the tarball has its types beside it', () => {
  const { folder, packed } = installed;
  const clients = ['minimal-client', 'live-client'];
  const inPackage = path.join(folder, 'node_modules/offline-sync/examples');
  for (const name of clients) {
    assert.ok(packed.includes(`examples/${name}.d.mts`), `${name} has no types`);
  }
  const source = clients
    .map((name, n) => `import * as client${n} from '${path.join(inPackage, name)}.mjs';`)
    .concat('// @ts-expect-error: there is no such export', 'export const none = client0.none;')
    .concat('export { client1 };')
    .join('\n');
  compile(folder, source);
});

test('[AR-19] npx offline-sync --version prints the version', () => {
  assert.equal(run('npx', ['offline-sync', '--version'], installed.folder).trim(), PACKAGE_VERSION);
});

test('[AR-19] the library entry loads and its types are found', () => {
  const { folder } = installed;
  const script = "import('offline-sync').then((m) => console.log(m.PACKAGE_VERSION))";
  assert.equal(run(process.execPath, ['-e', script], folder).trim(), PACKAGE_VERSION);
  const source = [
    "import { type PushRequest, SyncError } from 'offline-sync';",
    "const request: PushRequest = { client_id: 'laptop', changes: [] };",
    '// @ts-expect-error: a wrong type is noticed, so the types are really there',
    "const wrong: PushRequest = { client_id: 1, changes: 'none' };",
    'export { request, SyncError, wrong };',
  ].join('\n');
  compile(folder, source);
});

test('[AR-19] the types of the library form fit a project with its own driver and its own Hono', () => {
  const { folder } = installed;
  const source = [
    "import { Hono } from 'hono';",
    "import { MongoClient } from 'mongodb';",
    "import { createSyncServer, ScopeWriteError, type SyncServer } from 'offline-sync';",
    "const client = new MongoClient('mongodb://127.0.0.1');",
    'const sync: SyncServer = await createSyncServer({',
    "  client, database_name: 'app', collections: { tasks: { id_type: 'objectid' } },",
    "  auth: { authenticate: async (request) => request.headers.has('x') ? { actor_id: 'a', scope_ids: ['s'] } : null },",
    '});',
    "new Hono().route('/', sync.app);",
    "const tasks = client.db('app').collection<{ _id: string; n: number }>('tasks');",
    "const { value, rows } = await sync.withScopeWrite('s', async ({ session, record, upsert }) => {",
    "  await tasks.updateOne({ _id: 't1' }, { $inc: { n: 1 } }, { session });",
    "  record('tasks', 't1');",
    "  await upsert('tasks', 't2', { at: new Date() });",
    '  return 7;',
    "}, { actor_id: 'job' });",
    'const seven: number = value;',
    "const first: 'upsert' | 'delete' | undefined = rows[0]?.operation;",
    '// @ts-expect-error: a key that does not exist is noticed',
    "await createSyncServer({ colections: ['tasks'] });",
    'export { first, ScopeWriteError, seven };',
  ].join('\n');
  compile(folder, source);
});

/** As a project of a Node server would, which has the types of Node. */
function compile(folder: string, source: string): void {
  writeFileSync(path.join(folder, 'consumer.ts'), source);
  const tsc = inRoot('node_modules/typescript/bin/tsc');
  const flags = ['--noEmit', '--strict', '--target', 'es2023', '--types', 'node'];
  const types = ['--typeRoots', inRoot('node_modules/@types'), '--module', 'nodenext'];
  run(process.execPath, [tsc, ...flags, ...types, 'consumer.ts'], folder);
}

test('[AR-19] init, serve, token and inspect work in an empty folder', async () => {
  const { folder } = installed;
  run('npx', ['offline-sync', 'init', '--write-config'], folder);
  run('npx', ['offline-sync', 'serve', '--check'], folder);
  const token = run('npx', ['offline-sync', 'token', '--actor', 'dev', '--quiet'], folder).trim();
  // npx would keep the signal to itself; the command that it runs is this link.
  const command = path.join(folder, 'node_modules/.bin/offline-sync');
  const served = await serve([command, 'serve', '--port', '0', '--json'], folder);
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  try {
    const change = { collection: 'tasks', doc_id: 't1', operation: 'upsert', data: { title: 'A' } };
    const push = await fetch(`${served.url}/sync/push`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ client_id: 'laptop', changes: [change] }),
    });
    assert.equal(push.status, 200, await push.clone().text());
    const pull = await fetch(`${served.url}/sync/pull?since=${ZERO_HLC}`, { headers });
    const page = (await pull.json()) as { changes: { doc_id: string }[] };
    assert.deepEqual(
      page.changes.map((row) => row.doc_id),
      ['t1'],
    );
  } finally {
    assert.equal(await served.stop(), 0);
  }
  const rows = run('npx', ['offline-sync', 'inspect', '--since', '0', '--json'], folder);
  assert.deepEqual(
    rows
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { doc_id: string }).doc_id),
    ['t1'],
  );
});
