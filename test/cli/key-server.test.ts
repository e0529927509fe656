/** Tokens of an identity provider at a real server process, with a key server on loopback. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { keyPair, type KeyServer, signedBy, startKeyServer } from '../auth/key-server.ts';
import { freshFolder, pushOf, run, serve } from './support/command.ts';

const pair = keyPair('RS256', 'key-1');
const ISSUER = 'https://id.example.com';

function claims(): object {
  const now = Math.floor(Date.now() / 1000);
  return { sub: 'ann', iss: ISSUER, aud: 'sync', iat: now, exp: now + 600 };
}

function folder(t: TestContext, server: KeyServer, more = ''): string {
  const auth = `{jwks_url: "${server.url}?key=hidden", issuer: ${ISSUER}${more}}`;
  return freshFolder(t, {
    'sync.config.yaml': `collections: [tasks]\nauto_init: true\nauth: ${auth}\n`,
  });
}

function push(url: string, authorization: string): Promise<Response> {
  const headers = { authorization, 'content-type': 'application/json' };
  return fetch(`${url}/sync/push`, { method: 'POST', headers, body: pushOf('t1') });
}

test('[AU-12] serve accepts what the provider signed, and says that it misses an audience', async (t) => {
  const keyServer = await startKeyServer(t);
  keyServer.publish(pair);
  const { url, logged, stderr } = await serve(t, { cwd: folder(t, keyServer) });
  await logged('keys.changed');
  await logged('auth.audience_missing');
  const good = await push(url, signedBy(pair, claims()));
  assert.match(await good.text(), /"status":"accepted"/);
  const stranger = keyPair('RS256', 'key-1');
  assert.equal((await push(url, signedBy(stranger, claims()))).status, 401);
  const other = await push(url, signedBy(pair, { ...claims(), iss: 'https://evil.example.org' }));
  assert.match(await other.text(), /token_issuer/);
  assert.equal(keyServer.asked.length, 1);
  assert.doesNotMatch(stderr(), /hidden|eyJ/);
});

test('[AU-14] without its key server serve starts, answers 503 and says why in its log', async (t) => {
  const keyServer = await startKeyServer(t);
  const cwd = folder(t, keyServer, ', audience: sync');
  const { url, logged, stderr } = await serve(t, { cwd });
  await logged('keys.unavailable');
  const refused = await push(url, signedBy(pair, claims()));
  const body = (await refused.json()) as Record<string, unknown>;
  assert.deepEqual(
    [refused.status, refused.headers.get('retry-after'), body['retryable'], body['details']],
    [503, '10', true, { reason: 'keys_unavailable' }],
  );
  assert.match(stderr(), /"reason":"status"/);
  assert.doesNotMatch(stderr(), /hidden|audience_missing/);
});

test('[CL-10] with a key server token explains that it cannot sign, and verifies', async (t) => {
  const keyServer = await startKeyServer(t);
  keyServer.publish(pair);
  const cwd = folder(t, keyServer);
  const signing = await run(t, ['token', '--actor', 'ann'], { cwd });
  assert.equal(signing.code, 2);
  assert.match(signing.stderr, /auth\.jwks_url holds public keys.*cannot sign/);
  assert.match(signing.stderr, /identity provider/);
  const token = signedBy(pair, claims()).slice('Bearer '.length);
  const verified = await run(t, ['token', '--verify', token], { cwd });
  assert.deepEqual(JSON.parse(verified.stdout), {
    valid: true,
    actor_id: 'ann',
    scope_ids: ['ann'],
  });
  keyServer.answer = (response) => response.writeHead(503).end();
  const unknown = await run(t, ['token', '--verify', token], { cwd });
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /nobody can say.*\(keys_unavailable\)/s);
  assert.doesNotMatch(unknown.stderr, /hidden|eyJ/);
});

test('[CL-6] serve --check asks the key server, and static keys that cannot be used are exit 2', async (t) => {
  const keyServer = await startKeyServer(t);
  const cwd = folder(t, keyServer);
  const failed = await run(t, ['serve', '--check'], { cwd });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /no usable key set: status \(http:\/\/127\.0\.0\.1:\d+\/keys\)/);
  assert.doesNotMatch(failed.stderr, /hidden/);
  keyServer.publish(pair);
  assert.equal((await run(t, ['init'], { cwd })).code, 0);
  const passed = await run(t, ['serve', '--check'], { cwd });
  assert.equal(passed.code, 0, passed.stderr);
  const weak = JSON.stringify([keyPair('RS256', 'weak', 1_024).jwk]);
  const file = { 'sync.config.yaml': 'collections: [tasks]\nauto_init: true\n' };
  const refused = await run(t, ['serve'], {
    cwd: freshFolder(t, file),
    env: { SYNC_AUTH__JWKS__KEYS: weak },
  });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /auth\.jwks\.keys: every key must be a public RSA \(2,048 bits/);
});
