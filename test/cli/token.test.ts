import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freshFolder, run, SECRET } from './support/command.ts';

const FILE = `collections: [tasks]\nauth: {secret: ${SECRET}, scope_id_field: team, issuer: me, audience: it}\n`;

test('[CL-10] token prints the bare token on stdout and its claims on stderr', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
  const args = [
    'token',
    '--actor',
    'alice',
    '--scope',
    'a',
    '--scope',
    'b',
    '--claim',
    'role=editor',
    '--claim',
    'n=[1]',
  ];
  const { code, stdout, stderr } = await run(t, args, { cwd });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  assert.deepEqual(JSON.parse(stderr), {
    role: 'editor',
    n: [1],
    iss: 'me',
    aud: 'it',
    team: ['a', 'b'],
    sub: 'alice',
  });
  const verified = await run(t, ['token', '--verify', stdout.trim()], { cwd });
  assert.deepEqual(JSON.parse(verified.stdout), {
    valid: true,
    actor_id: 'alice',
    scope_ids: ['a', 'b'],
  });
});

test('[CL-10] a token that the server would refuse exits 4 with the reason, and is not repeated', async (t) => {
  const cwd = freshFolder(t, { 'sync.config.yaml': FILE });
  const signed = await run(t, ['token', '--actor', 'alice', '--scope', 'a', '-q'], { cwd });
  const other = { SYNC_AUTH__SECRET: 'another-secret-of-at-least-32-bytes' };
  const { code, stderr } = await run(t, ['token', '--verify', signed.stdout.trim()], {
    cwd,
    env: other,
  });
  assert.equal(code, 4);
  assert.match(stderr, /\(token_invalid\)/);
  assert.ok(!stderr.includes(signed.stdout.trim()));
});

test('[CL-10] without a secret, and with auth.mode: none, there is nothing to sign', async (t) => {
  for (const auth of ['', 'auth: {mode: none}\n']) {
    const cwd = freshFolder(t, { 'sync.config.yaml': `collections: [tasks]\n${auth}` });
    assert.equal((await run(t, ['token', '--actor', 'a'], { cwd })).code, 2);
  }
});
