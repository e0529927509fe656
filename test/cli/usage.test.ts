import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { PACKAGE_VERSION } from '../../src/build-info.ts';
import { freshFolder, run } from './support/command.ts';

test('[CL-1] --version prints the version of package.json', async (t) => {
  const { code, stdout, stderr } = await run(t, ['--version'], { cwd: freshFolder(t) });
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.deepEqual([code, stdout, stderr], [0, `${version}\n`, '']);
  assert.equal(PACKAGE_VERSION, version);
});

test('[CL-1] starting loads commander and no other package; commands are loaded when they run', () => {
  interface Output {
    readonly imports: readonly { path: string; kind: string; external?: boolean }[];
  }
  const meta = JSON.parse(readFileSync(resolve('dist/meta.json'), 'utf8')) as {
    outputs: Record<string, Output>;
  };
  const seen = new Set(['dist/cli.js']);
  const packages = new Set<string>();
  for (const file of seen) {
    for (const { path, kind, external } of meta.outputs[file]?.imports ?? []) {
      if (kind !== 'import-statement') continue;
      if (external !== true) seen.add(path);
      else if (!path.startsWith('node:')) packages.add(path);
    }
  }
  assert.deepEqual([...packages], ['commander']);
  assert.ok(seen.size < 30, `${seen.size} modules`);
  assert.ok(Object.keys(meta.outputs).length > seen.size, 'commands are chunks of their own');
});

test('[CL-1] without arguments, and with --help, the commands are shown', async (t) => {
  const cwd = freshFolder(t);
  for (const args of [[], ['--help'], ['serve', '--help'], ['help', 'inspect']]) {
    const { code, stdout } = await run(t, args, { cwd });
    assert.equal(code, 0);
    assert.match(stdout, /Usage: offline-sync/);
  }
});

for (const [args, message] of [
  [['nope'], /unknown command 'nope'/],
  [['serv'], /Did you mean serve\?/],
  [['serve', '--prot', '1'], /Did you mean --port\?/],
  [['serve', 'extra'], /too many arguments/],
  [['serve', '--port'], /argument missing/],
  [['serve', '--port', '80a'], /flag --port {2}port {2}= "80a": expected a whole number/],
  [['serve', '--log-level', 'loud'], /flag --log-level/],
  [['--config', 'missing.yaml', 'serve'], /missing\.yaml: cannot read/],
  [['migrate', '--batch', '0'], /--batch "0" is no whole number/],
  [['token'], /--actor is missing/],
  [['token', '--actor', 'a', '--ttl', '25h'], /--ttl "25h"/],
  [['token', '--actor', 'a', '--claim', 'exp=1'], /--claim "exp=1"/],
  [['token', '--actor', 'a', '--scope', 's'], /auth\.scope_id_field/],
  [['token', '--actor', 'a', '--verify', 'x'], /cannot be used with option/],
  [['inspect', '--since', 'yesterday'], /--since "yesterday"/],
  [['inspect', '--since', '20261301T000000.000Z-0000'], /--since/],
  [['inspect', '--limit', '0'], /--limit "0"/],
  [['inspect', '--op', 'insert'], /--op "insert"/],
  [['config'], /Usage/],
] as const) {
  test(`[CL-2] wrong usage exits 2 and says what to do: ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await run(t, args, { cwd: freshFolder(t) });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, message);
  });
}

test('[CL-2] a missing --env-file is wrong usage; Node 20 reads the flag itself and exits 9', async (t) => {
  const { code, stderr } = await run(t, ['config', 'print', '--env-file', 'missing.env'], {
    cwd: freshFolder(t),
  });
  const byNode = process.versions.node.startsWith('20.');
  assert.equal(code, byNode ? 9 : 2, stderr);
  assert.match(stderr, byNode ? /missing\.env: not found/ : /--env-file \(ENOENT\)/);
});

test('[CL-2] a failure ends with a line of cause and a line of fix, or is JSON with --json', async (t) => {
  const cwd = freshFolder(t);
  const args = ['migrate', '--batch', '0'];
  const text = await run(t, args, { cwd });
  assert.match(text.stderr, /^error: .+ \(usage\)\nfix: .+\n$/);
  const json = await run(t, [...args, '--json'], { cwd });
  const failure = JSON.parse(json.stderr) as Record<string, unknown>;
  assert.deepEqual(Object.keys(failure), ['error', 'message', 'fix']);
  assert.equal(json.code, 2);
});
