import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createJwtAccess, type JwtAccessOptions } from '../../src/auth/jwt.ts';
import { createNoneAccess } from '../../src/auth/none.ts';
import { signToken } from '../../src/auth/sign-token.ts';
import type { Identity } from '../../src/core/ports/access.ts';
import { SyncError } from '../../src/protocol/errors.ts';
import { AUTH_REASONS } from '../../src/protocol/pure/error-codes.ts';
import { rawToken, TEST_SECRET } from './raw-token.ts';

const NOW = Date.UTC(2026, 4, 2, 12) / 1000;
const clock = { now: () => NOW * 1000 };
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const claims = { sub: 'ann', exp: NOW + 3600, iat: NOW };
/** The end of these claims, with the tolerance. */
const EXPIRES_MS = (NOW + 3660) * 1000;

function accessWith(options: Partial<JwtAccessOptions> = {}) {
  return createJwtAccess({ secret: TEST_SECRET, algorithms: ['HS256'], clock, ...options });
}

function bearer(payload: unknown, header?: unknown): string {
  return `Bearer ${rawToken({ payload, ...(header === undefined ? {} : { header }) })}`;
}

async function refusal(work: Promise<Identity>): Promise<string> {
  const error = await work.then(
    () => assert.fail('the token was accepted'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof SyncError);
  return error.code === 'authentication_failed' ? String(error.details?.reason) : error.code;
}

describe('[AU-1] the bearer token', () => {
  const good = rawToken({ payload: claims });
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    ['no header', undefined, 'token_missing'],
    ['an empty header', '', 'token_malformed'],
    ['another scheme', 'Basic x', 'token_malformed'],
    ['a scheme alone', 'Bearer', 'token_malformed'],
    ['a tab after the scheme', `bearer\t${good}`, 'token_malformed'],
    ['two tokens', `Bearer ${good} ${good}`, 'token_malformed'],
    ['two headers', `Bearer ${good}, Bearer ${good}`, 'token_malformed'],
    ['two parts', `Bearer ${good.split('.').slice(0, 2).join('.')}`, 'token_malformed'],
    ['four parts', `Bearer ${good}.x`, 'token_malformed'],
    ['five parts (an encrypted token)', `Bearer ${good}.x.y`, 'token_malformed'],
    ['padding', `Bearer ${good}=`, 'token_malformed'],
    ['the other base64 alphabet', `Bearer ${good.slice(0, -2)}+/`, 'token_malformed'],
    ['more than 8 KiB', `Bearer ${good}${'a'.repeat(8_192)}`, 'token_malformed'],
    ['a second spelling of its bytes', `Bearer ${respelled(good)}`, 'token_malformed'],
  ];
  for (const [name, header, reason] of cases) {
    test(`[AU-1] ${name} is ${reason}`, async () => {
      assert.equal(await refusal(accessWith().authenticate(header)), reason);
    });
  }
  test('[AU-1] the scheme is read in any case', async () => {
    const identity = await accessWith().authenticate(`bearer ${good}`);
    assert.deepEqual(identity, { actor_id: 'ann', scope_ids: ['ann'], expires_ms: EXPIRES_MS });
  });
});

describe('[AU-2] the token header is compared, never followed', () => {
  const alg = 'HS256';
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['alg none', { alg: 'none' }, 'token_invalid'],
    ['alg NoNe', { alg: 'NoNe' }, 'token_invalid'],
    ['an algorithm that is not listed', { alg: 'HS512' }, 'token_invalid'],
    ['an algorithm of key pairs', { alg: 'RS256' }, 'token_invalid'],
    ['no alg', {}, 'token_malformed'],
    ['alg as a number', { alg: 256 }, 'token_malformed'],
    ['alg as a list', { alg: ['HS256'] }, 'token_malformed'],
    ['a path as kid', { alg, kid: '../../x' }, 'token_invalid'],
    ['SQL as kid', { alg, kid: "' OR 1" }, 'token_invalid'],
    ['an object as kid', { alg, kid: {} }, 'token_invalid'],
    ['jwk', { alg, jwk: {} }, 'token_invalid'],
    ['jku', { alg, jku: 'https://example.org' }, 'token_invalid'],
    ['x5u', { alg, x5u: 'https://example.org' }, 'token_invalid'],
    ['x5c', { alg, x5c: [] }, 'token_invalid'],
    ['crit', { alg, crit: ['exp'] }, 'token_invalid'],
    ['another typ', { alg, typ: 'dpop+jwt' }, 'token_invalid'],
    ['an array', [], 'token_malformed'],
    ['broken JSON', '{', 'token_malformed'],
    ['a repeated name', '{"alg":"none","alg":"HS256"}', 'token_malformed'],
  ];
  for (const [name, header, reason] of cases) {
    test(`[AU-2] ${name} is ${reason}`, async () => {
      assert.equal(await refusal(accessWith().authenticate(bearer(claims, header))), reason);
    });
  }
  for (const header of [{ alg }, { alg, typ: 'at+jwt' }, { alg, typ: 'JWT', kid: 'key-1' }]) {
    test(`[AU-2] ${JSON.stringify(header)} is accepted`, async () => {
      assert.equal((await accessWith().authenticate(bearer(claims, header))).actor_id, 'ann');
    });
  }
});

describe('[AU-3] the signature comes before the claims', () => {
  test('[AU-3] another secret is token_invalid, whatever the claims say', async () => {
    const token = rawToken({ payload: { sub: {} }, secret: 'b'.repeat(40) });
    assert.equal(await refusal(accessWith().authenticate(`Bearer ${token}`)), 'token_invalid');
  });
  test('[AU-3] every flipped character of a signature is token_invalid', async () => {
    const token = rawToken({ payload: claims });
    const start = token.lastIndexOf('.') + 1;
    for (let at = start; at < token.length; at += 1) {
      const other = token[at] === 'A' ? 'B' : 'A';
      const flipped = `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
      assert.equal(await refusal(accessWith().authenticate(`Bearer ${flipped}`)), 'token_invalid');
    }
  });
  test('[AU-3] a second spelling of the right signature is token_invalid', async () => {
    const token = rawToken({ payload: claims });
    const last = ALPHABET[ALPHABET.indexOf(token.at(-1) ?? '') + 1];
    const respelt = `Bearer ${token.slice(0, -1)}${last}`;
    assert.equal(await refusal(accessWith().authenticate(respelt)), 'token_invalid');
  });
  test('[AU-3] HS384 and HS512 are accepted when they are listed', async () => {
    const access = accessWith({ algorithms: ['HS384', 'HS512'] });
    for (const [alg, hash] of [
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
    ] as const) {
      const token = rawToken({ header: { alg }, payload: claims, hash });
      assert.equal((await access.authenticate(`Bearer ${token}`)).actor_id, 'ann');
    }
    assert.equal(await refusal(access.authenticate(bearer(claims))), 'token_invalid');
  });
  for (const payload of ['[]', 'null', '{', '"x"', '{"sub":"ann","sub":"bob"}', '\ufeff{}']) {
    test(`[AU-3] the payload ${JSON.stringify(payload)} is token_malformed`, async () => {
      assert.equal(await refusal(accessWith().authenticate(bearer(payload))), 'token_malformed');
    });
  }
  test('[AU-3] names may repeat in objects further in', async () => {
    const payload = `{"sub":"ann","exp":${NOW + 60},"a":{"sub":1},"b":[{"sub":2}],"c":"}:{"}`;
    assert.equal((await accessWith().authenticate(bearer(payload))).actor_id, 'ann');
  });
});

describe('[AU-4] times are finite numbers and exp is required', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['no exp', { sub: 'ann' }],
    ['exp as text', { sub: 'ann', exp: '99999' }],
    ['exp null', { sub: 'ann', exp: null }],
    ['exp beyond all numbers', `{"sub":"ann","exp":1e400}`],
    ['nbf as text', { ...claims, nbf: '1' }],
    ['iat as text', { ...claims, iat: '1' }],
  ];
  for (const [name, payload] of cases) {
    test(`[AU-4] ${name} is token_claims`, async () => {
      assert.equal(await refusal(accessWith().authenticate(bearer(payload))), 'token_claims');
    });
  }
});

describe('[AU-5] a token lives at most a day, and clocks may differ by a minute', () => {
  const cases: readonly (readonly [string, object, string | null])[] = [
    ['ended 59 s ago', { exp: NOW - 59 }, null],
    ['ended 60 s ago', { exp: NOW - 60 }, 'token_expired'],
    ['ended 61 s ago', { exp: NOW - 61 }, 'token_expired'],
    ['begins in 59 s', { nbf: NOW + 59 }, null],
    ['begins in 60 s', { nbf: NOW + 60 }, null],
    ['begins in 61 s', { nbf: NOW + 61 }, 'token_not_yet_valid'],
    ['issued in 60 s', { iat: NOW + 60 }, null],
    ['issued in 61 s', { iat: NOW + 61 }, 'token_claims'],
    ['issued in an hour', { iat: NOW + 3_600 }, 'token_claims'],
    ['lives exactly a day', { iat: NOW, exp: NOW + 86_400 }, null],
    ['lives a second more', { iat: NOW, exp: NOW + 86_401 }, 'token_too_long_lived'],
    [
      'lives 25 h, 23 of them gone',
      { iat: NOW - 82_800, exp: NOW + 7_200 },
      'token_too_long_lived',
    ],
    ['ends in the year 9999', { exp: 253_402_300_799 }, 'token_too_long_lived'],
    ['ends in a day, issue unknown', { iat: undefined, exp: NOW + 86_400 }, null],
    ['ends later, issue unknown', { iat: undefined, exp: NOW + 86_401 }, 'token_too_long_lived'],
  ];
  for (const [name, times, reason] of cases) {
    test(`[AU-5] a token that ${name} is ${reason ?? 'accepted'}`, async () => {
      const work = accessWith().authenticate(
        bearer({ sub: 'ann', iat: NOW - 100, exp: NOW + 100, ...times }),
      );
      if (reason === null) assert.equal((await work).actor_id, 'ann');
      else assert.equal(await refusal(work), reason);
    });
  }
  test('[AU-5] a token that was accepted before is refused once it has ended', async () => {
    const time = { now: () => NOW * 1000 };
    const access = accessWith({ clock: time });
    await access.authenticate(bearer(claims));
    time.now = () => (NOW + 3_661) * 1000;
    assert.equal(await refusal(access.authenticate(bearer(claims))), 'token_expired');
  });
});

describe('[AU-6] issuer and audience are exact', () => {
  const access = accessWith({ issuer: 'https://login.example.org', audience: 'sync' });
  const good = { ...claims, iss: 'https://login.example.org', aud: 'sync' };
  const cases: readonly (readonly [string, object, string | null])[] = [
    ['both as wanted', {}, null],
    ['the audience in a list', { aud: ['other', 'sync'] }, null],
    ['no issuer', { iss: undefined }, 'token_issuer'],
    ['another issuer', { iss: 'https://evil.example.org' }, 'token_issuer'],
    ['the issuer with a slash', { iss: 'https://login.example.org/' }, 'token_issuer'],
    ['no audience', { aud: undefined }, 'token_audience'],
    ['another audience', { aud: 'synch' }, 'token_audience'],
    ['an empty list', { aud: [] }, 'token_audience'],
    ['a list in a list', { aud: [['sync']] }, 'token_audience'],
  ];
  for (const [name, change, reason] of cases) {
    test(`[AU-6] ${name}: ${reason ?? 'accepted'}`, async () => {
      const work = access.authenticate(bearer({ ...good, ...change }));
      if (reason === null) assert.equal((await work).actor_id, 'ann');
      else assert.equal(await refusal(work), reason);
    });
  }
  test('[AU-6] one of several audiences is enough', async () => {
    const either = accessWith({ audience: ['a', 'b'] });
    assert.equal((await either.authenticate(bearer({ ...claims, aud: 'b' }))).actor_id, 'ann');
  });
});

describe('[AU-7] actor and scopes are short texts from the configured claims', () => {
  const bad = [{}, [], ['ann'], '', 'a'.repeat(129), 'a\0b', 7, true, { $ne: null }, null];
  for (const sub of bad) {
    test(`[AU-7] sub ${JSON.stringify(sub)?.slice(0, 20)} is token_claims`, async () => {
      assert.equal(
        await refusal(accessWith().authenticate(bearer({ ...claims, sub }))),
        'token_claims',
      );
    });
  }
  const scoped = accessWith({ scope_id_field: 'tenant' });
  const scopes: readonly (readonly [unknown, readonly string[] | string])[] = [
    ['acme', ['acme']],
    [
      ['acme', 'beta', 'acme'],
      ['acme', 'beta'],
    ],
    [undefined, 'scope_missing'],
    [null, 'scope_missing'],
    [[], 'scope_missing'],
    [7, 'token_claims'],
    ['', 'token_claims'],
    [['acme', 7], 'token_claims'],
    [{ id: 'acme' }, 'token_claims'],
  ];
  for (const [tenant, expected] of scopes) {
    test(`[AU-7] the scope claim ${JSON.stringify(tenant)} gives ${JSON.stringify(expected)}`, async () => {
      const work = scoped.authenticate(bearer({ ...claims, tenant }));
      if (typeof expected === 'string') assert.equal(await refusal(work), expected);
      else assert.deepEqual((await work).scope_ids, expected);
    });
  }
  test('[AU-7] the scope is the actor unless a claim is configured for it', async () => {
    const access = accessWith({ actor_id_field: 'user_id' });
    const identity = await access.authenticate(
      bearer({ ...claims, user_id: 'u1', scope: 'openid' }),
    );
    assert.deepEqual(identity, { actor_id: 'u1', scope_ids: ['u1'], expires_ms: EXPIRES_MS });
  });
  test('[AU-7] a claim name that objects inherit is a missing claim', async () => {
    const access = accessWith({ actor_id_field: 'constructor' });
    assert.equal(await refusal(access.authenticate(bearer(claims))), 'token_claims');
    const scopes = accessWith({ scope_id_field: 'constructor' });
    assert.equal(await refusal(scopes.authenticate(bearer(claims))), 'scope_missing');
  });
});

describe('[AU-8] keys, rights and the other ways in', () => {
  test('[AU-8] a secret under 32 bytes and an empty algorithm list are refused at once', () => {
    assert.throws(() => accessWith({ secret: 'x'.repeat(31) }), RangeError);
    assert.throws(() => accessWith({ algorithms: [] }), RangeError);
    assert.doesNotThrow(() => accessWith({ secret: 'ä'.repeat(16) }));
  });
  test('[AU-8] every configured collection is permitted unless a rule says otherwise', () => {
    const ann = { actor_id: 'ann', scope_ids: ['ann'] };
    assert.equal(accessWith().authorize(ann, 'tasks', 'push'), true);
    const rule = (_: Identity, collection: string) => collection === 'tasks';
    assert.equal(accessWith({ authorize: rule }).authorize(ann, 'notes', 'pull'), false);
  });
  test('[AU-8] without authentication everybody is the one configured actor', async () => {
    const access = createNoneAccess({ actor_id: 'dev', scope_id: 'default' });
    const identity = await access.authenticate('Basic whatever');
    assert.deepEqual(identity, { actor_id: 'dev', scope_ids: ['default'] });
    assert.equal(access.authorize(identity, 'tasks', 'full'), true);
  });
  test('[AU-8] no refusal quotes the token or its secret', async () => {
    for (const header of [{ alg: 'none' }, { alg: 'HS256', typ: 'x' }, {}]) {
      const token = bearer(claims, header);
      const error: unknown = await accessWith()
        .authenticate(token)
        .catch((thrown) => thrown);
      const text = `${(error as Error).stack} ${JSON.stringify(error)} ${(error as Error).cause}`;
      assert.ok(!text.includes(token.slice(7, 40)) && !text.includes(TEST_SECRET));
    }
  });
  test('[AU-8] each reason of a refused token is produced here', async () => {
    const access = accessWith({ issuer: 'i', audience: 'a' });
    const all = { ...claims, iss: 'i', aud: 'a' };
    const headers = [
      undefined,
      'x',
      bearer(all, { alg: 'none' }),
      bearer({ ...all, exp: 'x' }),
      bearer({ ...all, exp: NOW - 100 }),
      bearer({ ...all, nbf: NOW + 100 }),
      bearer({ ...all, exp: NOW * 2 }),
      bearer({ ...all, aud: 'b' }),
      bearer({ ...all, iss: 'b' }),
    ];
    const reasons = await Promise.all(headers.map((one) => refusal(access.authenticate(one))));
    assert.deepEqual(reasons, [...AUTH_REASONS]);
  });
});

describe('[AU-9] tokens that the server signs', () => {
  test('[AU-9] are accepted by it and end when they should', async () => {
    const token = await signToken({
      secret: TEST_SECRET,
      claims: { sub: 'ann', tenant: ['a', 'b'], exp: 1 },
      ttl_seconds: 86_400,
      clock,
    });
    const access = accessWith({ scope_id_field: 'tenant' });
    const identity = await access.authenticate(`Bearer ${token}`);
    const expires_ms = (NOW + 86_460) * 1000;
    assert.deepEqual(identity, { actor_id: 'ann', scope_ids: ['a', 'b'], expires_ms });
    const later = accessWith({ clock: { now: () => (NOW + 86_460) * 1000 } });
    assert.equal(await refusal(later.authenticate(`Bearer ${token}`)), 'token_expired');
  });
  test('[AU-9] a life that the server would refuse cannot be signed', () => {
    for (const ttl_seconds of [0, -1, 86_401, Number.NaN]) {
      assert.throws(
        () => signToken({ secret: TEST_SECRET, claims: {}, ttl_seconds, clock }),
        RangeError,
      );
    }
  });
});

/** The same token with the unused bits of its first part's last character set. */
function respelled(token: string): string {
  const [header = '', ...rest] = token.split('.');
  const padded = Buffer.from('{"alg":"HS256"} ').toString('base64url');
  assert.notEqual(padded.length % 4, 0, 'the part must have unused bits');
  const last = ALPHABET.indexOf(padded.at(-1) ?? '');
  assert.notEqual(header, padded);
  return [`${padded.slice(0, -1)}${ALPHABET[last + 1]}`, ...rest].join('.');
}
