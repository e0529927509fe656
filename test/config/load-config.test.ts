import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import { faultsOf, folderWith, loadYaml } from './scratch-config.ts';

test('[CF-1] a flag wins over the environment, the environment over the file, the file over the default', async (t) => {
  const text = 'collections: [tasks]\nport: 1001\nhost: 127.0.0.2\ndrain_seconds: 3\n';
  const { config, origins } = await loadYaml(t, text, {
    env: { SYNC_PORT: '1002', SYNC_HOST: '127.0.0.3', PORT: '1004' },
    flags: [{ name: 'port', text: '1003', flag: '--port' }],
  });
  assert.deepEqual(
    [config.port, config.host, config.drain_seconds, config.log_level],
    [1003, '127.0.0.3', 3, 'info'],
  );
  assert.deepEqual(
    ['port', 'host', 'drain_seconds', 'log_level', 'receipt_ttl_days'].map((key) =>
      origins.get(key),
    ),
    [
      'flag --port',
      'env SYNC_HOST',
      'file sync.config.yaml:4',
      'default',
      'default (twice oplog_ttl_days)',
    ],
  );
});

test('[CF-1] collections are a list of names or a map with options', async (t) => {
  const list = await loadYaml(t, 'collections: [tasks, notes]\n');
  const map = await loadYaml(
    t,
    'collections:\n  tasks: {id_type: objectid, scope_field: a.b}\n  notes: {}\n',
  );
  const plain = {
    id_type: 'string',
    resolver: 'lww',
    delete_policy: 'resurrect_on_update',
    tombstones: 'sidecar',
    capture: 'off',
  };
  assert.deepEqual(list.config.collections, [
    { name: 'tasks', ...plain },
    { name: 'notes', ...plain },
  ]);
  assert.deepEqual(map.config.collections, [
    { name: 'tasks', ...plain, id_type: 'objectid', scope_field: 'a.b' },
    { name: 'notes', ...plain },
  ]);
});

test('[CF-1] a relative data_dir belongs to the file, or to the caller when it came from outside', async (t) => {
  const folder = folderWith(t, { 'sync.config.yaml': 'collections: [a]\ndata_dir: data\n' });
  const cwd = join(folder, 'inner');
  mkdirSync(cwd);
  const byFile = await loadConfig({ cwd, env: {} });
  const byEnv = await loadConfig({ cwd, env: { SYNC_DATA_DIR: 'data' } });
  assert.equal(byFile.config.data_dir, join(folder, 'data'));
  assert.equal(byEnv.config.data_dir, join(cwd, 'data'));
});

test('[CF-1] mongodb_uri chooses the MongoDB store', async (t) => {
  const text = 'collections: [a]\n';
  const env = { MONGODB_URI: 'mongodb://127.0.0.1:1/', MONGODB_DATABASE: 'app' };
  const { config, origins } = await loadYaml(t, text, { env });
  assert.equal(config.store, 'mongo');
  assert.equal(config.database_name, 'app');
  assert.equal(origins.get('mongodb_uri'), 'env MONGODB_URI');
  const faults = await faultsOf(loadYaml(t, text, { env: { MONGODB_URI: env.MONGODB_URI } }));
  assert.deepEqual(
    faults.map(({ key }) => key),
    ['database_name'],
  );
});

test('[CF-2] JSON files and the key of package.json are read, with lines', async (t) => {
  const json = folderWith(t, { 'sync.config.json': '{\n "collections": ["a"],\n "port": 7\n}' });
  const loaded = await loadConfig({ cwd: json, env: {} });
  assert.equal(loaded.origins.get('port'), 'file sync.config.json:3');
  const inPackage = folderWith(t, {
    'package.json':
      '{\n "name": "x",\n "offline-sync": {\n  "collections": ["a"],\n  "port": "x"\n }\n}',
  });
  const faults = await faultsOf(loadConfig({ cwd: inPackage, env: {} }));
  assert.deepEqual(
    faults.map(({ where, key }) => [where, key]),
    [['package.json:5', 'port']],
  );
});

test("[CF-2] a package.json without our key is nobody's business, however odd it is", async (t) => {
  for (const text of ['{"a":1,"a":2}', '{ not json', '[]', '']) {
    const cwd = folderWith(t, { 'package.json': text });
    assert.equal((await loadConfig({ cwd, env: {} })).file, null, text);
  }
});

for (const [name, text, line] of [
  ['an empty file', '', undefined],
  ['only comments', '# nothing\n', undefined],
  ['a list', '- a\n', undefined],
  ['a text', 'hello\n', undefined],
  ['a tag that runs code elsewhere', 'collections: [a]\nhost: !!js/function "x"\n', 2],
  ['an unknown tag', 'collections: [a]\nhost: !env HOST\n', 2],
  ['a duplicate key', 'collections: [a]\nport: 1\nport: 2\n', 3],
  ['tabs as indentation', 'auth:\n\tmode: jwt\n', 2],
  ['a key that is no text', 'collections: [a]\n? [1]\n: 2\n', 2],
  ['two documents', 'collections: [a]\n---\nport: 1\n', 2],
  ['broken YAML', 'collections: [a\nport: 1\n', 2],
] as const) {
  test(`[CF-2] ${name} is refused`, async (t) => {
    const [fault] = await faultsOf(loadYaml(t, text));
    assert.equal(
      fault?.where,
      line === undefined ? 'sync.config.yaml' : `sync.config.yaml:${line}`,
    );
  });
}

test('[CF-2] a bomb of anchors and a file above 256 KiB are refused', async (t) => {
  const layers = Array.from(
    { length: 9 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`)}]`,
  );
  const bomb = `l0: &l0 [x]\n${layers.join('\n')}\n`;
  assert.match((await faultsOf(loadYaml(t, bomb)))[0]?.message ?? '', /anchors/);
  const large = `collections: [a]\n${'# filler\n'.repeat(40_000)}`;
  assert.match((await faultsOf(loadYaml(t, large)))[0]?.message ?? '', /256 KiB/);
});

test('[CF-2] --config names any file, and a fault when it is not there, a folder, or a program', async (t) => {
  const cwd = folderWith(t, {
    'other.yaml': 'collections: [a]\nport: 5\n',
    'c.cjs': 'x',
    'no.json': '{',
  });
  const load = (path: string) => loadConfig({ cwd, env: {}, path });
  assert.equal((await load('other.yaml')).config.port, 5);
  for (const path of ['missing.yaml', '.', 'c.cjs', 'no.json', 'package.json']) {
    const [fault] = await faultsOf(load(path));
    assert.equal(fault?.where, path);
  }
});

test('[CF-2] a key "$import" does not pull in other files', async (t) => {
  const cwd = folderWith(t, {
    'sync.config.yaml': '$import: other.yaml\ncollections: [a]\n',
    'other.yaml': 'port: 1\n',
  });
  const faults = await faultsOf(loadConfig({ cwd, env: {} }));
  assert.deepEqual(
    faults.map(({ key }) => key),
    ['$import'],
  );
});

test('[CF-3] searching executes nothing that lies in the folder', async (t) => {
  const cwd = folderWith(t, {});
  const mark = join(cwd, 'executed');
  const script = `require('node:fs').writeFileSync(${JSON.stringify(mark)}, '')`;
  mkdirSync(join(cwd, '.config'));
  for (const name of ['config.js', 'config.cjs', 'config.ts', 'offline-syncrc.cjs']) {
    writeFileSync(join(cwd, '.config', name), script);
  }
  writeFileSync(join(cwd, 'offline-sync.config.cjs'), script);
  const before = process.cwd();
  t.after(() => process.chdir(before));
  process.chdir(cwd);
  assert.equal((await loadConfig({ cwd, env: {} })).file, null);
  assert.equal(existsSync(mark), false);
});

test('[CF-4] an unknown key names file, line and the key that was meant', async (t) => {
  const faults = await faultsOf(
    loadYaml(t, 'prot: 1\nauth:\n  scret: x\ncollections:\n  a: {id_typ: int}\njwks_url: x\n'),
  );
  assert.deepEqual(faults.map(({ where, key, message }) => [where, key, message]).sort(), [
    ['sync.config.yaml:1', 'prot', 'unknown key; did you mean "port"?'],
    ['sync.config.yaml:3', 'auth.scret', 'unknown key; did you mean "secret"?'],
    ['sync.config.yaml:5', 'collections.a.id_typ', 'unknown key; did you mean "id_type"?'],
    ['sync.config.yaml:6', 'jwks_url', 'unknown key'],
  ]);
});

for (const key of ['rate_limit: {}', 'auth: {module: x}', 'auth: {jwks_file: keys.json}']) {
  test(`[CF-4] a key of a later version is unknown: ${key}`, async (t) => {
    const [fault] = await faultsOf(loadYaml(t, `collections: [a]\n${key}\n`));
    assert.match(fault?.message ?? '', /^unknown key/);
  });
}
