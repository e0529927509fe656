/** Which key checks which token: no algorithm confusion, no private keys, few keys tried. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { PUBLIC_KEY_ALGORITHMS, type TokenAlgorithm } from '../../src/auth/algorithms.ts';
import { createJwtAccess } from '../../src/auth/jwt.ts';
import { KEYS_TRIED_MAX, readKeySet, staticKeys } from '../../src/auth/key-set.ts';
import { SyncError } from '../../src/protocol/errors.ts';
import { NOON } from '../support/engine/fake-system.ts';
import { keyPair, type KeyPair, signedBy } from './key-server.ts';
import { rawToken, TEST_SECRET } from './raw-token.ts';

const clock = { now: () => NOON };
const claims = { sub: 'ann', iat: NOON / 1000, exp: NOON / 1000 + 3_600 };
const rsa = keyPair('RS256', 'rsa');
const ec = keyPair('ES256', 'ec');
const ed = keyPair('EdDSA', 'ed');
const ALL = [...PUBLIC_KEY_ALGORITHMS];

async function ask(
  token: string,
  jwks: readonly unknown[],
  algorithms: readonly TokenAlgorithm[] = ALL,
): Promise<string> {
  const access = createJwtAccess({ keys: staticKeys({ keys: jwks }), algorithms, clock });
  return access.authenticate(token).then(
    () => 'ok',
    (error: unknown) => String(error instanceof SyncError ? error.details?.reason : error),
  );
}

describe('[AU-11] a kind of key admits its own algorithms only', () => {
  const pairs: Record<string, KeyPair> = { R: rsa, P: rsa, Ed: ed };
  for (const alg of PUBLIC_KEY_ALGORITHMS) {
    test(`[AU-11] ${alg} is accepted when it is listed, and refused when it is not`, async () => {
      const pair = pairs[alg.slice(0, alg === 'EdDSA' ? 2 : 1)] ?? keyPair(alg, 'k');
      const token = signedBy({ ...pair, alg }, claims);
      assert.equal(await ask(token, [pair.jwk]), 'ok');
      const others = ALL.filter((name) => name !== alg);
      assert.equal(await ask(token, [pair.jwk], others), 'token_invalid');
    });
  }
  test('[AU-11] a token signed with a public key as if it were a secret is refused', async () => {
    const forms = [
      rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      rsa.publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(rsa.jwk),
      Buffer.from(String(rsa.jwk['n']), 'base64url'),
    ];
    for (const secret of forms) {
      for (const header of [{ alg: 'HS256', kid: 'rsa' }, { alg: 'HS256' }]) {
        const text = [header, claims].map((x) =>
          Buffer.from(JSON.stringify(x)).toString('base64url'),
        );
        const signed = text.join('.');
        const mac = createHmac('sha256', secret).update(signed).digest('base64url');
        assert.equal(await ask(`Bearer ${signed}.${mac}`, [rsa.jwk]), 'token_invalid');
      }
    }
  });
  test('[AU-11] secrets with signatures of key pairs, and the other way, do not start', () => {
    const keys = staticKeys({ keys: [rsa.jwk] });
    const secret = TEST_SECRET;
    for (const options of [
      { secret, algorithms: ['RS256'] },
      { secret, algorithms: ['HS256', 'EdDSA'] },
      { keys, algorithms: ['HS256'] },
      { keys, algorithms: ['RS256', 'HS512'] },
      { keys, algorithms: ['none'] },
      { keys, algorithms: [] },
      { keys, secret, algorithms: ['RS256'] },
      { algorithms: ['RS256'] },
    ]) {
      assert.throws(() => createJwtAccess({ ...options, clock } as never), RangeError);
    }
  });
  test('[AU-11] with public keys every other check of a token stays', async () => {
    const reasons: readonly (readonly [object, object, string])[] = [
      [{ ...claims, exp: NOON / 1000 - 100 }, {}, 'token_expired'],
      [{ ...claims, sub: {} }, {}, 'token_claims'],
      [claims, { typ: 'dpop+jwt' }, 'token_invalid'],
      [claims, { crit: ['exp'] }, 'token_invalid'],
      [claims, { jwk: rsa.jwk }, 'token_invalid'],
    ];
    for (const [payload, header, reason] of reasons) {
      assert.equal(await ask(signedBy(rsa, payload, { ...header }), [rsa.jwk]), reason);
    }
    assert.equal(await ask(`Bearer ${rawToken({ payload: claims })}`, [rsa.jwk]), 'token_invalid');
  });
});

describe('[AU-13] the key of a token', () => {
  test('[AU-13] is the one whose id and kind fit', async () => {
    const set = [rsa.jwk, ec.jwk, ed.jwk];
    for (const pair of [rsa, ec, ed]) assert.equal(await ask(signedBy(pair, claims), set), 'ok');
    assert.equal(await ask(signedBy(rsa, claims, { kid: 'ec' }), set), 'token_invalid');
    assert.equal(await ask(signedBy(rsa, claims, { kid: 'gone' }), set), 'token_invalid');
    const stranger = keyPair('ES256', 'ec');
    assert.equal(await ask(signedBy(stranger, claims), set), 'token_invalid');
  });
  test('[AU-13] serves the algorithm that its set names, no other', async () => {
    const token = signedBy({ ...rsa, alg: 'PS256' }, claims);
    assert.equal(await ask(token, [{ ...rsa.jwk, alg: 'RS256' }]), 'token_invalid');
    assert.equal(await ask(token, [{ ...rsa.jwk, alg: 'PS256' }]), 'ok');
  });
  test('[AU-13] may have an id in plain base64, as some providers write it', async () => {
    const kid = 'ab+/cd==';
    const token = signedBy(ec, claims, { kid });
    assert.equal(await ask(token, [{ ...ec.jwk, kid }]), 'ok');
  });
  test('[AU-13] is found among a few when the id is there twice, or named by nobody', async () => {
    const twins = Array.from({ length: KEYS_TRIED_MAX }, () => keyPair('ES256', 'twin'));
    const set = twins.map(({ jwk }) => jwk);
    for (const twin of twins) assert.equal(await ask(signedBy(twin, claims), set), 'ok');
    const nameless = signedBy(twins[1] as KeyPair, claims, { kid: undefined });
    assert.equal(await ask(nameless, set), 'ok');
    const late = keyPair('ES256', 'twin');
    assert.equal(await ask(signedBy(late, claims), [...set, late.jwk]), 'token_invalid');
  });
  test('[AU-13] is public, for signatures and strong; others of the set are left out', async () => {
    const weak = keyPair('RS256', 'weak', 1_024);
    const set = readKeySet({
      keys: [
        rsa.jwk,
        { ...ec.privateKey.export({ format: 'jwk' }), kid: 'private' },
        weak.jwk,
        { ...ec.jwk, use: 'enc' },
        { ...ec.jwk, kid: 7 },
        { kty: 'oct', k: 'x'.repeat(43), kid: 'shared' },
      ],
    });
    assert.deepEqual([set?.size, set?.refused], [1, 5]);
    for (const kid of ['private', 'weak', 'ec', 'shared']) {
      assert.deepEqual(await set?.find({ alg: kid === 'weak' ? 'RS256' : 'ES256', kid }), []);
    }
    const broken = { ...ec.jwk, x: 'AAAA' };
    assert.equal(await ask(signedBy(ec, claims), [broken]), 'token_invalid');
  });
  test('[AU-13] stands in the configuration only when it can be used', () => {
    const secretHalf = ec.privateKey.export({ format: 'jwk' });
    for (const value of [undefined, {}, { keys: [] }, { keys: [rsa.jwk, secretHalf] }]) {
      assert.throws(() => staticKeys(value), RangeError);
    }
  });
});
