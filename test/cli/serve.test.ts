import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import {
  freshFolder,
  jsonLines,
  push,
  pushOf,
  run,
  SECRET,
  serve,
  tokenOf,
} from './support/command.ts';
import { beginPush } from './support/half-push.ts';

const FILE = `collections: [tasks]\nauto_init: true\nauth: {secret: ${SECRET}}\n`;

test('[CL-4] in an empty folder serve starts, and the commands of its banner work as they stand', async (t) => {
  const cwd = freshFolder(t);
  const server = await serve(t, { cwd });
  const lines = server.stderr().split('\n');
  const commands = lines.filter((line) => /^(TOKEN=|curl )/.test(line));
  assert.equal(commands.length, 4, server.stderr());
  const script = commands.map((line) => (line.startsWith('curl') ? `${line}; echo` : line));
  const { stdout } = await promisify(execFile)('sh', ['-ec', script.join('\n')]);
  const [pushed, pulled, full] = jsonLines(stdout);
  assert.match(JSON.stringify(pushed), /"status":"accepted"/);
  assert.match(JSON.stringify(pulled), /"doc_id":"t1"/);
  assert.equal(full?.doc_id, 't1');
});

test('[CL-4] a first run keeps its data and its key for the next start', async (t) => {
  const cwd = freshFolder(t);
  const first = await serve(t, { cwd });
  const token = await tokenOf({ cwd });
  await push(first.url, token, pushOf('kept'));
  first.signal('SIGTERM');
  assert.equal(await first.ended, 0);
  const second = await serve(t, { cwd });
  const response = await fetch(`${second.url}/sync/full?collections=tasks`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.match(await response.text(), /"doc_id":"kept"/);
  assert.equal(statSync(join(cwd, '.offline-sync', 'dev-secret')).mode & 0o777, 0o600);
});

test('[CL-4] readiness, health and metrics answer without a token on loopback', async (t) => {
  const { url } = await serve(t, { cwd: freshFolder(t) });
  const ready = await fetch(`${url}/readyz`);
  const checks = ((await ready.json()) as { checks: { name: string; ok: boolean }[] }).checks;
  assert.equal(ready.status, 200);
  assert.deepEqual(
    checks.map(({ name, ok }) => [name, ok]),
    [
      ['database', true],
      ['layout', true],
      ['accepting', true],
    ],
  );
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  assert.match(await (await fetch(`${url}/metrics`)).text(), /^sync_push_total/m);
});

for (const [name, file, args, message] of [
  ['no secret', 'collections: [tasks]\n', [], /auth\.secret: is required/],
  [
    'auth none on a host that others reach',
    'collections: [tasks]\nauth: {mode: none}\n',
    ['--host', '0.0.0.0'],
    /loopback hosts only/,
  ],
  [
    'a fault in the file',
    'colections: [tasks]\n',
    [],
    /sync\.config\.yaml:1 {2}colections: unknown key; did you mean "collections"\?/,
  ],
] as const) {
  test(`[CL-6] serve does not start with ${name}: exit 2`, async (t) => {
    const cwd = freshFolder(t, { 'sync.config.yaml': file });
    const { code, stderr } = await run(t, ['serve', ...args], { cwd });
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.equal(existsSync(join(cwd, '.offline-sync')), false);
  });
}

test('[CL-6] a first run serves loopback only', async (t) => {
  const cwd = freshFolder(t);
  const { code, stderr } = await run(t, ['serve', '--host', '0.0.0.0'], { cwd });
  assert.equal(code, 2);
  assert.match(stderr, /loopback only/);
});

test('[CL-6] a store that was not initialised is exit 3 with the command to run', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE.replace('true', 'false') });
  for (const args of [['serve'], ['serve', '--check'], ['inspect']]) {
    const { code, stderr } = await run(t, args, { cwd });
    assert.equal(code, 3, `${args}: ${stderr}`);
    assert.match(stderr, /offline-sync init/);
  }
  assert.equal((await run(t, ['init'], { cwd })).code, 0);
  assert.equal((await run(t, ['serve', '--check'], { cwd })).code, 0);
});

test('[CL-7] SIGTERM: a push in flight is finished, nobody new is let in, exit 0', async (t) => {
  const place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }) };
  const server = await serve(t, place);
  const token = await tokenOf(place);
  const inFlight = await beginPush(server.port, token, pushOf('in-flight'));
  server.signal('SIGTERM');
  await server.logged('server.draining');
  await assert.rejects(fetch(`${server.url}/healthz`), 'a new connection is refused');
  const { status, body } = await inFlight.finish();
  assert.equal(status, 200, body);
  assert.match(body, /"status":"accepted"/);
  assert.equal(await server.ended, 0);
  assert.match(server.stderr(), /"event":"server.stopped"/);
  const rows = await run(t, ['inspect', '--since', '0'], place);
  assert.deepEqual(
    jsonLines(rows.stdout).map(({ doc_id }) => doc_id),
    ['in-flight'],
  );
});

test('[CL-7] SIGINT drains as well and exits 130', async (t) => {
  const server = await serve(t, { cwd: freshFolder(t) });
  server.signal('SIGINT');
  assert.equal(await server.ended, 130);
  assert.match(server.stderr(), /"event":"server.stopped"/);
});

test('[CL-7] a second signal ends at once', async (t) => {
  const place = { cwd: freshFolder(t, { 'sync.config.yaml': `${FILE}drain_seconds: 600\n` }) };
  const server = await serve(t, place);
  await beginPush(server.port, await tokenOf(place), pushOf('lost'));
  server.signal('SIGTERM');
  await server.logged('server.draining');
  server.signal('SIGTERM');
  assert.equal(await server.ended, 1);
  assert.doesNotMatch(server.stderr(), /"event":"server.stopped"/);
});

test('[CL-7] a caller that never finishes is cut after drain_seconds', async (t) => {
  const place = { cwd: freshFolder(t, { 'sync.config.yaml': `${FILE}drain_seconds: 0\n` }) };
  const server = await serve(t, place);
  await beginPush(server.port, await tokenOf(place), pushOf('cut'));
  server.signal('SIGTERM');
  assert.equal(await server.ended, 0);
});

test('[CL-8] a second server on one data_dir is exit 5, and the first goes on', async (t) => {
  const place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }) };
  const server = await serve(t, place);
  const { code, stderr } = await run(t, ['serve', '--port', '0'], place);
  assert.equal(code, 5, stderr);
  assert.match(stderr, /\(locked\)/);
  await push(server.url, await tokenOf(place), pushOf('on'));
});

test('[CL-8] after kill -9 the next server starts', async (t) => {
  const place = { cwd: freshFolder(t, { 'sync.config.yaml': FILE }) };
  const first = await serve(t, place);
  await push(first.url, await tokenOf(place), pushOf('before'));
  first.signal('SIGKILL');
  await first.ended;
  const second = await serve(t, place);
  await push(second.url, await tokenOf(place), pushOf('after'));
});

test('[CL-8] a port in use is exit 1 with one line of cause', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  const { code, stdout, stderr } = await run(t, ['serve', '--port', String(port)], {
    cwd: freshFolder(t),
  });
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    new RegExp(`^error: .*127\\.0\\.0\\.1:${port}.*\\(listen_failed\\)\nfix: .*\n$`),
  );
});

/** Loads a line of JavaScript into the server's process before its own. */
const preload = (script: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}`,
});

test('[CL-13] an error that nobody handles is logged and ends the server with exit 1', async (t) => {
  const cwd = freshFolder(t);
  const env = preload("process.once('SIGUSR2', () => Promise.reject(new Error('planted')))");
  const server = await serve(t, { cwd, env });
  server.signal('SIGUSR2');
  assert.equal(await server.ended, 1);
  assert.match(server.stderr(), /"event":"process.failed".*planted/);
});

test('[CL-13] a clock before the build date refuses to start: exit 1', async (t) => {
  const place = { cwd: freshFolder(t), env: preload('Date.now = () => 1_000_000_000_000') };
  const { code, stderr } = await run(t, ['serve', '--port', '0'], place);
  assert.equal(code, 1);
  assert.match(stderr, /before the build date.*\(clock_wrong\)/);
});

test('[CL-6] auth.mode none lets everybody on this machine in, as the configured actor', async (t) => {
  const file = 'collections: [tasks]\nauto_init: true\nauth: {mode: none, none: {actor_id: me}}\n';
  const place = { cwd: freshFolder(t, { 'sync.config.yaml': file }) };
  const { url } = await serve(t, place);
  await push(url, 'not-looked-at', pushOf('open'));
  const [row] = jsonLines((await run(t, ['inspect', '--since', '0'], place)).stdout);
  assert.deepEqual([row?.actor_id, row?.scope_id], ['me', 'default']);
});

test('[CL-3] --quiet leaves the banner out', async (t) => {
  const server = await serve(t, { cwd: freshFolder(t) }, ['--quiet']);
  assert.doesNotMatch(server.stderr(), /TOKEN=/);
});

test('[CL-3] data goes to stdout and everything else to stderr', async (t) => {
  const cwd = freshFolder(t);
  const server = await serve(t, { cwd });
  server.signal('SIGTERM');
  await server.ended;
  for (const line of server
    .stderr()
    .split('\n')
    .filter((one) => one.startsWith('{'))) {
    assert.equal(typeof (JSON.parse(line) as { event: unknown }).event, 'string');
  }
  const secret = readFileSync(join(cwd, '.offline-sync', 'dev-secret'), 'utf8').trim();
  assert.ok(!server.stderr().includes(secret), 'the key is never shown');
});

test('[CF-14] serve says that devices may read only, and serves back ends when they have a token', async (t) => {
  const token = 'a-token-of-back-ends-with-32-characters';
  const more = `push: {enabled: false}\nserver_writes: {token: ${token}}\n`;
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE + more });
  const server = await serve(t, { cwd });
  await server.logged('push.disabled');
  const write = (authorization: string) =>
    fetch(`${server.url}/sync/server/changes`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ scope_id: 'alice', changes: JSON.parse(pushOf('w')).changes }),
    });
  assert.equal((await write('Bearer wrong')).status, 401);
  assert.match(await (await write(`Bearer ${token}`)).text(), /"resolution":"applied"/);
  const alice = { authorization: `Bearer ${await tokenOf({ cwd }, 'alice')}` };
  const refused = await fetch(`${server.url}/sync/push`, {
    method: 'POST',
    headers: { ...alice, 'content-type': 'application/json' },
    body: pushOf('mine'),
  });
  assert.equal(refused.status, 503);
  const read = await fetch(`${server.url}/sync/full?collections=tasks`, { headers: alice });
  assert.match(await read.text(), /"doc_id":"w"/);
  assert.doesNotMatch(server.stderr(), new RegExp(token));
});
