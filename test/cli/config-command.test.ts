import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { freshFolder, run, SECRET } from './support/command.ts';

const FILE = `collections: [tasks]\nport: 9000\nauth: {secret: ${SECRET}}\n`;

test('[CL-11] config print shows every value with its origin and masks secrets', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE, '.env': 'SYNC_HOST=127.0.0.9\nPORT=1\n' });
  const env = {
    MONGODB_URI: 'mongodb://me:hunter2@db.example:27017/?replicaSet=rs0',
    MONGODB_DATABASE: 'app',
    SYNC_PROT: '1',
  };
  const { code, stdout, stderr } = await run(t, ['config', 'print', '--env-file', '.env'], {
    cwd,
    env,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^port: 1 +# env PORT$/m);
  assert.match(stdout, /^host: 127\.0\.0\.9 +# env SYNC_HOST$/m);
  assert.match(stdout, /^auth\.secret: \*{8} +# file sync\.config\.yaml:3$/m);
  assert.match(stdout, /^mongodb_uri: mongodb:\/\/db\.example:27017 +# env MONGODB_URI$/m);
  assert.match(stdout, /^store: mongo +# default \(mongodb_uri is set\)$/m);
  assert.match(stderr, /warning: env SYNC_PROT .*"SYNC_PORT"/);
  assert.ok(!`${stdout}${stderr}`.includes('hunter2') && !stdout.includes(SECRET));
});

test('[CL-11] serve --print-config prints the same, with its flags, and as JSON', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
  const { code, stdout } = await run(t, ['serve', '--port', '7', '--print-config', '--json'], {
    cwd,
  });
  const printed = JSON.parse(stdout) as Record<string, { value: unknown; origin: string }>;
  assert.equal(code, 0);
  assert.deepEqual(printed.port, { value: 7, origin: 'flag --port' });
  assert.deepEqual(printed['auth.secret'], {
    value: '********',
    origin: 'file sync.config.yaml:3',
  });
});

test('[CL-11] config validate also checks what serve asks', async (t) => {
  const valid = await run(t, ['config', 'validate'], {
    cwd: freshFolder(t, { 'sync.config.yaml': FILE }),
  });
  assert.equal(valid.code, 0, valid.stderr);
  const open = freshFolder(t, { 'sync.config.yaml': 'collections: [tasks]\n' });
  const invalid = await run(t, ['config', 'validate'], { cwd: open });
  assert.equal(invalid.code, 2);
  assert.match(invalid.stderr, /auth\.secret: is required/);
});

test('[CL-11] config sample prints the example, config schema its JSON Schema', async (t) => {
  const cwd = freshFolder(t);
  const sample = await run(t, ['config', 'sample'], { cwd });
  assert.equal(sample.stdout, readFileSync('sync.config.example.yaml', 'utf8'));
  const schema = await run(t, ['config', 'schema'], { cwd });
  assert.equal((JSON.parse(schema.stdout) as { type: string }).type, 'object');
});
