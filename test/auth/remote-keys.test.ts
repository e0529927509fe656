/** Keys of a key server: fetched seldom, kept through outages, given up when they are revoked. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { KEY_SET_BYTES_MAX } from '../../src/auth/fetch-key-set.ts';
import { createJwtAccess } from '../../src/auth/jwt.ts';
import { type KeyServerFact, RemoteKeys } from '../../src/auth/remote-keys.ts';
import { SyncError } from '../../src/protocol/errors.ts';
import { FakeClock, NOON } from '../support/engine/fake-system.ts';
import { keyPair, type KeyServer, signedBy, startKeyServer } from './key-server.ts';

const claims = { sub: 'ann', iat: NOON / 1000, exp: NOON / 1000 + 86_400 };
const A = keyPair('ES256', 'a');
const B = keyPair('ES256', 'b');
const fromA = signedBy(A, claims);
const fromB = signedBy(B, claims);

interface Deployment {
  readonly server: KeyServer;
  readonly clock: FakeClock;
  readonly facts: KeyServerFact[];
  /** "ok", or the code or reason of the refusal. */
  readonly ask: (token: string) => Promise<string>;
  /** Resolves with the next thing that is told of the key server. */
  readonly nextFact: () => Promise<KeyServerFact>;
}

async function deploy(t: TestContext, timeout_ms = 5_000): Promise<Deployment> {
  const server = await startKeyServer(t);
  const clock = new FakeClock();
  const facts: KeyServerFact[] = [];
  const waiting: ((fact: KeyServerFact) => void)[] = [];
  const report = (fact: KeyServerFact): void => {
    facts.push(fact);
    for (const resolve of waiting.splice(0)) resolve(fact);
  };
  const keys = new RemoteKeys({ url: `${server.url}?key=secret`, clock, timeout_ms, report });
  const access = createJwtAccess({ keys, algorithms: ['ES256'], clock });
  return {
    server,
    clock,
    facts,
    async ask(token) {
      const error: unknown = await access.authenticate(token).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) return 'ok';
      assert.ok(error instanceof SyncError, String(error));
      assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${error.cause}`, /secret|eyJ/);
      return String(error.code === 'internal' ? error.code : error.details?.reason);
    },
    nextFact: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

describe('[AU-12] a key server is asked seldom', { timeout: 20_000 }, () => {
  test('[AU-12] tokens of known keys cost one request in all, also when they come at once', async (t) => {
    const { server, ask } = await deploy(t);
    server.publish(A);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(fromA)));
    assert.deepEqual(new Set(answers), new Set(['ok']));
    assert.equal(await ask(fromA), 'ok');
    assert.deepEqual(server.asked, ['/keys?key=secret']);
  });
  test('[AU-12] a new key is found once the cooldown of 30 s is over, and only then', async (t) => {
    const { server, clock, ask } = await deploy(t);
    server.publish(A);
    await ask(fromA);
    server.publish(A, B);
    clock.pass(29_999);
    assert.equal(await ask(fromB), 'token_invalid');
    assert.equal(server.asked.length, 1);
    clock.pass(1);
    assert.equal(await ask(fromB), 'ok');
    assert.equal(await ask(fromA), 'ok');
    assert.equal(server.asked.length, 2);
  });
  test('[AU-12] a thousand unknown key ids are one request in 30 s', async (t) => {
    const { server, clock, ask } = await deploy(t);
    server.publish(A);
    await ask(fromA);
    clock.pass(30_000);
    const tokens = Array.from({ length: 1_000 }, (_, i) => signedBy(B, claims, { kid: `k${i}` }));
    const answers = await Promise.all(tokens.map(ask));
    assert.deepEqual(new Set(answers), new Set(['token_invalid']));
    assert.equal(server.asked.length, 2);
  });
  test('[AU-12] junk asks nobody: the header is compared before keys are wanted', async (t) => {
    const { server, ask } = await deploy(t);
    assert.equal(await ask('Bearer x'), 'token_malformed');
    assert.equal(await ask(signedBy(A, claims, { alg: 'ES384' })), 'token_invalid');
    assert.equal(
      await ask(signedBy(A, claims, { jku: 'https://evil.example.org' })),
      'token_invalid',
    );
    assert.equal(await ask(signedBy(A, claims, { kid: 'a b' })), 'token_invalid');
    assert.deepEqual(server.asked, []);
  });
  test('[AU-12] after 5 min keys are fetched again while the old ones serve', async (t) => {
    const { server, clock, ask, nextFact } = await deploy(t);
    server.publish(A);
    await ask(fromA);
    clock.pass(299_999);
    await ask(fromA);
    assert.equal(server.asked.length, 1);
    server.publish(A, B);
    clock.pass(1);
    const changed = nextFact();
    assert.equal(await ask(fromA), 'ok');
    assert.deepEqual(await changed, { kind: 'changed', keys: 2, refused: 0 });
    assert.equal(server.asked.length, 2);
  });
  test('[AU-12] a token that was accepted before ends with its key', async (t) => {
    const { server, clock, ask, nextFact } = await deploy(t);
    server.publish(A, B);
    assert.deepEqual([await ask(fromA), await ask(fromB)], ['ok', 'ok']);
    server.publish(B);
    clock.pass(300_000);
    const changed = nextFact();
    await ask(fromB);
    await changed;
    assert.deepEqual([await ask(fromA), await ask(fromB)], ['token_invalid', 'ok']);
    assert.equal(server.asked.length, 2);
  });
});

describe('[AU-14] a key server that is away', { timeout: 20_000 }, () => {
  test('[AU-14] known keys go on, unknown ones are 503 and not 401', async (t) => {
    const { server, clock, ask, facts } = await deploy(t);
    server.publish(A);
    await ask(fromA);
    server.answer = (response) => response.destroy();
    clock.pass(30_000);
    assert.equal(await ask(fromB), 'keys_unavailable');
    assert.equal(await ask(fromA), 'ok');
    assert.equal(await ask(fromB), 'keys_unavailable');
    assert.equal(server.asked.length, 2);
    assert.deepEqual(facts.at(-1), { kind: 'failed', reason: 'unreachable' });
  });
  test('[AU-14] without any key everybody is told to come back, with one request per 10 s', async (t) => {
    const { server, clock, ask } = await deploy(t);
    for (let second = 0; second < 20; second += 1) {
      assert.equal(await ask(fromA), 'keys_unavailable');
      clock.pass(1_000);
    }
    assert.equal(server.asked.length, 2);
    server.publish(A);
    assert.equal(await ask(fromA), 'ok');
  });
  test('[AU-14] the refusal is retryable and says when', async (t) => {
    const { url } = await startKeyServer(t);
    const clock = new FakeClock();
    const keys = new RemoteKeys({ url, clock });
    const access = createJwtAccess({ keys, algorithms: ['ES256'], clock });
    await assert.rejects(access.authenticate(fromA), {
      code: 'service_unavailable',
      details: { reason: 'keys_unavailable' },
      retry_after_seconds: 10,
    });
  });
  test('[AU-14] whoever is told of it may fail: nobody is refused for that, and nothing is thrown', async (t) => {
    const { url, publish } = await startKeyServer(t);
    publish(A);
    const clock = new FakeClock();
    const told: string[] = [];
    const report = ({ kind }: KeyServerFact): void => {
      told.push(kind);
      throw new Error('the log is full');
    };
    const keys = new RemoteKeys({ url, clock, report });
    const access = createJwtAccess({ keys, algorithms: ['ES256'], clock });
    assert.equal((await access.authenticate(fromA)).actor_id, 'ann');
    assert.deepEqual(told, ['changed']);
  });
  test('[AU-14] keys that could not be renewed for an hour are given up', async (t) => {
    const { server, clock, ask, nextFact } = await deploy(t);
    server.publish(A);
    await ask(fromA);
    server.answer = (response) => response.writeHead(500).end();
    clock.pass(3_599_999);
    const failed = nextFact();
    assert.equal(await ask(fromA), 'ok');
    await failed;
    clock.pass(10_000);
    assert.equal(await ask(fromA), 'keys_unavailable');
    server.publish(A);
    clock.pass(10_000);
    assert.equal(await ask(fromA), 'ok');
  });
});

describe('[AU-15] answers that are no key set', { timeout: 20_000 }, () => {
  const filler = `{"keys":[],"filler":"${'x'.repeat(KEY_SET_BYTES_MAX)}"}`;
  const privateOnly = { keys: [A.privateKey.export({ format: 'jwk' })] };
  const many = { keys: Array.from({ length: 101 }, (_, i) => ({ ...A.jwk, kid: `k${i}` })) };
  const cases: readonly (readonly [string, string | object, string])[] = [
    ['no JSON', '<html>', 'not_json'],
    ['nothing', '', 'not_json'],
    ['an array', '[]', 'no_usable_key'],
    ['keys that are no list', { keys: A.jwk }, 'no_usable_key'],
    ['an empty set', { keys: [] }, 'no_usable_key'],
    ['a private key', privateOnly, 'no_usable_key'],
    ['a shared key', { keys: [{ kty: 'oct', k: 'a'.repeat(43), kid: 'a' }] }, 'no_usable_key'],
    ['junk keys', { keys: [null, 7, 'x', [], {}] }, 'no_usable_key'],
    ['too many keys', many, 'no_usable_key'],
    ['too many bytes', filler, 'too_large'],
  ];
  for (const [name, answer, reason] of cases) {
    test(`[AU-15] ${name}: ${reason}, and the keys from before stay`, async (t) => {
      const { server, clock, ask, facts, nextFact } = await deploy(t);
      server.publish(A);
      await ask(fromA);
      const body = typeof answer === 'string' ? answer : JSON.stringify(answer);
      server.answer = (response) => response.end(body);
      clock.pass(300_000);
      const failed = nextFact();
      await ask(fromA);
      assert.deepEqual(await failed, { kind: 'failed', reason });
      assert.equal(await ask(fromA), 'ok');
      assert.equal(facts.length, 2);
    });
  }
  test('[AU-15] another status is no answer, and a redirect is not followed', async (t) => {
    const { server, clock, ask, facts } = await deploy(t);
    await ask(fromA);
    const body = JSON.stringify({ keys: [A.jwk] });
    server.answer = (response) =>
      response.writeHead(302, { location: `${server.url}/elsewhere` }).end(body);
    clock.pass(10_000);
    assert.equal(await ask(fromA), 'keys_unavailable');
    const reasons = facts.map((fact) => fact.kind === 'failed' && fact.reason);
    assert.deepEqual(reasons, ['status', 'redirect']);
    assert.equal(server.asked.length, 2);
  });
  test('[AU-15] an answer that does not come, or does not end, is given up', async (t) => {
    const { server, clock, ask, facts } = await deploy(t, 20);
    server.answer = () => {};
    assert.equal(await ask(fromA), 'keys_unavailable');
    server.answer = (response) => response.write('{"keys":');
    clock.pass(10_000);
    assert.equal(await ask(fromA), 'keys_unavailable');
    const reasons = facts.map((fact) => fact.kind === 'failed' && fact.reason);
    assert.deepEqual(reasons, ['timeout', 'timeout']);
  });
  for (const url of [
    'http://id.example.com/keys',
    'https://user:pw@id.example.com/keys',
    'http://127.0.0.1.example.com/keys',
    'file:///etc/keys',
    'data:application/json,{}',
    'keys',
  ]) {
    test(`[AU-15] the address ${url.replace('pw', '…')} is refused at once`, () => {
      const open = () => new RemoteKeys({ url, clock: new FakeClock() });
      assert.throws(open, (error) => error instanceof RangeError && !/pw/.test(error.message));
    });
  }
  test('[AU-15] https anywhere and http on loopback are allowed', () => {
    for (const url of ['https://id.example.com/k', 'http://localhost:1/k', 'http://[::1]/k']) {
      assert.doesNotThrow(() => new RemoteKeys({ url, clock: new FakeClock() }));
    }
  });
});
