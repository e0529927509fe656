import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withSecret } from '../../src/config/dev-secret.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { maskUri } from '../../src/config/mask.ts';
import { isLoopback } from '../../src/config/loopback.ts';
import { servingProblems } from '../../src/config/serve-rules.ts';
import { folderWith, loadYaml } from './scratch-config.ts';

const BASE = 'collections: [a]\n';

test('[CF-10] with a file, serving needs a secret or an explicit auth.mode: none', async (t) => {
  const open = async (yaml: string) =>
    servingProblems(await loadYaml(t, BASE + yaml)).map(({ key }) => key);
  assert.deepEqual(await open(''), ['auth.secret']);
  assert.deepEqual(await open(`auth: {secret: ${'x'.repeat(32)}}\n`), []);
  assert.deepEqual(await open('auth: {mode: none}\n'), []);
  assert.deepEqual(await open('auth: {mode: none}\nhost: 0.0.0.0\n'), ['auth.mode']);
});

test('[CF-10] loopback is what only this machine reaches', () => {
  assert.deepEqual(
    [
      '127.0.0.1',
      '127.1.2.3',
      '::1',
      'localhost',
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '127.0.0.1.example.com',
    ].map(isLoopback),
    [true, true, true, true, false, false, false, false],
  );
});

test('[CF-12] without a file a first run has collections, a key of its own, auto_init and loopback', async (t) => {
  const cwd = folderWith(t, {});
  const loaded = await loadConfig({ cwd, env: { SYNC_PORT: '0' } });
  const { config } = loaded;
  assert.deepEqual(
    config.collections.map(({ name }) => name),
    ['tasks', 'notes'],
  );
  assert.deepEqual(
    [config.store, config.host, config.auto_init, config.data_dir, config.auth.mode],
    ['embedded', '127.0.0.1', true, join(cwd, '.offline-sync'), 'jwt'],
  );
  assert.deepEqual(servingProblems(loaded), []);
  const elsewhere = await loadConfig({ cwd, env: { SYNC_HOST: '0.0.0.0' } });
  assert.deepEqual(
    servingProblems(elsewhere).map(({ key }) => key),
    ['host'],
  );
});

test('[CF-12] the key of a first run is made once, for its owner only, and kept', async (t) => {
  const cwd = folderWith(t, {});
  const { config } = await loadConfig({ cwd, env: {} });
  const [first, second] = await Promise.all([withSecret(config), withSecret(config)]);
  assert.equal(first?.auth.secret, second?.auth.secret);
  assert.ok(Buffer.byteLength(first?.auth.secret ?? '') >= 32);
  const path = join(cwd, '.offline-sync', 'dev-secret');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(readFileSync(path, 'utf8').trim(), first?.auth.secret);
});

test('[CF-12] with a file nothing of a first run applies', async (t) => {
  const { config } = await loadYaml(t, BASE);
  assert.deepEqual([config.auto_init, config.dev_secret_file], [false, null]);
});

for (const [uri, shown] of [
  ['mongodb://u:p@h1:27017,h2:27018/app?replicaSet=rs0', 'mongodb://h1:27017,h2:27018/app'],
  ['mongodb+srv://u:p@cluster.example.com/', 'mongodb+srv://cluster.example.com'],
  ['mongodb://[::1]:27017/app', 'mongodb://[::1]:27017/app'],
  ['mongodb://u:p@ss@h/app', 'mongodb://h/app'],
  ['mongodb://u:p/ss@h/app', '********'],
  ['mongodb://u:12?ss@h/app', '********'],
  ['mongodb://u:pw', '********'],
  ['nonsense', '********'],
] as const) {
  test(`[CF-6] a connection string is shown without credentials: ${shown} ← ${uri.length} characters`, () => {
    assert.equal(maskUri(uri), shown);
  });
}
