import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import {
  freshFolder,
  jsonLines,
  pull,
  push,
  pushOf,
  run,
  serve,
  tokenOf,
} from './support/command.ts';

interface InitResult {
  readonly plan: readonly { action: string; kind: string; name: string }[];
  readonly applied: boolean;
}

test('[CL-5] init shows its plan, applies it, and the second time finds everything present', async (t) => {
  const cwd = freshFolder(t);
  const first = await run(t, ['init'], { cwd });
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^\+ create /m);
  assert.match(first.stderr, /next: offline-sync serve/);
  const second = await run(t, ['init'], { cwd });
  assert.equal(second.code, 0);
  assert.doesNotMatch(second.stdout, /^[+~!] /m);
  assert.match(second.stdout, /^= present /m);
  assert.match(second.stderr, /nothing to do/);
});

test('[CL-5] init --dry-run writes nothing, before and after the store was made', async (t) => {
  const cwd = freshFolder(t);
  const before = await run(t, ['init', '--dry-run', '--json'], { cwd });
  const planned = JSON.parse(before.stdout) as InitResult;
  assert.equal(planned.applied, false);
  assert.ok(planned.plan.some(({ action }) => action === 'create'));
  assert.equal(existsSync(join(cwd, '.offline-sync')), false);
  await run(t, ['init'], { cwd });
  const after = await run(t, ['init', '--dry-run', '--json'], { cwd });
  const { plan, applied } = JSON.parse(after.stdout) as InitResult;
  assert.equal(applied, false);
  assert.ok(plan.every(({ action }) => action === 'present'));
});

test('[CL-5] init --json prints one object', async (t) => {
  const { code, stdout } = await run(t, ['init', '--json'], { cwd: freshFolder(t) });
  const { plan, applied } = JSON.parse(stdout) as InitResult;
  assert.deepEqual([code, applied], [0, true]);
  assert.ok(plan.length > 0);
});

test('[CL-5] init --write-config writes a commented file that serves, and never replaces one', async (t) => {
  const cwd = freshFolder(t);
  const { code, stderr } = await run(t, ['init', '--write-config'], { cwd });
  assert.equal(code, 0, stderr);
  const path = join(cwd, 'sync.config.yaml');
  const text = readFileSync(path, 'utf8');
  assert.match(text, / secret: [\w-]{43}\n/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await serve(t, { cwd });
  const again = await run(t, ['init', '--write-config', '--dry-run'], { cwd });
  assert.match(again.stderr, /stays as it is/);
  assert.equal(readFileSync(path, 'utf8'), text);
});

test('[CL-5] init --write-config with MONGODB_URI asks for the collections before it touches the database', async (t) => {
  const cwd = freshFolder(t);
  const env = { MONGODB_URI: 'mongodb://me:hunter2@127.0.0.1:1/?replicaSet=rs0' };
  const { code, stderr } = await run(t, ['init', '--write-config'], { cwd, env });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /next: write your database_name and collections into it/);
  const text = readFileSync(join(cwd, 'sync.config.yaml'), 'utf8');
  assert.match(text, /^store: mongo$/m);
  assert.match(text, /^mongodb_uri: \$\{MONGODB_URI\}$/m);
  assert.match(text, /^database_name: app$/m);
  assert.doesNotMatch(text, /hunter2/);
  const printed = await run(t, ['config', 'print'], { cwd, env });
  assert.match(printed.stdout, /^store: mongo /m);
  assert.match((await run(t, ['init'], { cwd, env })).stderr, /not reachable|unreachable/);
});

test('[CL-5] init while a server holds the folder is exit 5', async (t) => {
  const cwd = freshFolder(t);
  await serve(t, { cwd });
  const { code } = await run(t, ['init'], { cwd });
  assert.equal(code, 5);
});

test('[CL-14] init --remove asks for --yes where nobody can answer, and shows what would go', async (t) => {
  const cwd = freshFolder(t);
  await run(t, ['init'], { cwd });
  const { code, stdout, stderr } = await run(t, ['init', '--remove'], { cwd });
  assert.equal(code, 2, stderr);
  assert.match(stdout, /^- remove file .*data\.db /m);
  assert.match(stderr, /\(not_confirmed\)\nfix: .*--yes/);
  const dry = await run(t, ['init', '--remove', '--dry-run', '--json'], { cwd });
  assert.equal(dry.code, 0);
  assert.equal(JSON.parse(dry.stdout).removed, false);
  assert.ok(existsSync(join(cwd, '.offline-sync', 'data.db')));
});

test('[RM-1] init --remove --yes removes the files that we made, and no other', async (t) => {
  const cwd = freshFolder(t);
  const server = await serve(t, { cwd });
  server.signal('SIGTERM');
  await server.ended;
  const folder = join(cwd, '.offline-sync');
  writeFileSync(join(folder, 'mine.txt'), 'mine');
  const { code, stderr } = await run(t, ['init', '--remove', '--yes'], { cwd });
  assert.equal(code, 0, stderr);
  assert.deepEqual(readdirSync(folder).sort(), ['.gitignore', 'dev-secret', 'mine.txt']);
  const again = await run(t, ['init', '--remove'], { cwd });
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /nothing to remove/);
});

test('[RM-4] init --remove where nothing was made does nothing and leaves no file', async (t) => {
  const cwd = freshFolder(t);
  const { code, stdout } = await run(t, ['init', '--remove', '--json'], { cwd });
  assert.deepEqual([code, JSON.parse(stdout)], [0, { plan: [], removed: false }]);
  assert.equal(existsSync(join(cwd, '.offline-sync')), false);
});

test('[RM-2] init --remove and --new-epoch are exit 5 while a server holds the folder', async (t) => {
  const cwd = freshFolder(t);
  await serve(t, { cwd });
  for (const args of [['--remove', '--yes'], ['--new-epoch']]) {
    const { code, stderr } = await run(t, ['init', ...args], { cwd });
    assert.equal(code, 5, stderr);
  }
  assert.ok(existsSync(join(cwd, '.offline-sync', 'data.db')));
});

test('[EP-1] init --new-epoch begins another history, and a client of the old one resyncs', async (t) => {
  const cwd = freshFolder(t);
  const before = await serve(t, { cwd });
  const token = await tokenOf({ cwd });
  await push(before.url, token, pushOf('a'));
  const first = await pull(before.url, token, ZERO_HLC);
  before.signal('SIGTERM');
  await before.ended;
  const { code, stdout, stderr } = await run(t, ['init', '--new-epoch', '--json'], { cwd });
  assert.equal(code, 0, stderr);
  const history = jsonLines(stdout).at(-1);
  assert.deepEqual([history?.['rows'], history?.['resumed']], [2, false]);
  const after = await serve(t, { cwd });
  const behind = await pull(after.url, token, String(first['last_seq']));
  assert.equal(behind['reason'], 'collection_reset');
  assert.notEqual(behind['epoch'], undefined);
  assert.equal(
    (await pull(after.url, token, String(behind['head'])))['full_resync_required'],
    undefined,
  );
});

test('[EP-1] init --new-epoch before init is exit 3', async (t) => {
  const { code, stderr } = await run(t, ['init', '--new-epoch'], { cwd: freshFolder(t) });
  assert.equal(code, 3, stderr);
  assert.match(stderr, /\(not_initialised\)/);
});
