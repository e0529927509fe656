/** Keys of tokens in the configuration: one kind, algorithms that fit it, and nothing secret in a message. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeProblem } from '../../src/config/config-error.ts';
import { maskUrl, maskValue } from '../../src/config/mask.ts';
import { servingProblems } from '../../src/config/serve-rules.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { faultsOf, folderWith, loadYaml } from './scratch-config.ts';

const BASE = 'collections: [a]\n';
const URL = 'https://id.example.com/jwks';
const SECRET = 'x'.repeat(32);
const KEY = '{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}';

test('[CF-15] a key server needs no secret, and algorithms follow the kind of key', async (t) => {
  const remote = await loadYaml(t, `${BASE}auth: {jwks_url: ${URL}, issuer: me}\n`);
  assert.deepEqual(servingProblems(remote), []);
  const fixed = await loadYaml(t, `${BASE}auth: {jwks: {keys: [${KEY}]}}\n`);
  assert.deepEqual(servingProblems(fixed), []);
  for (const { config, origins } of [remote, fixed]) {
    assert.deepEqual(config.auth.algorithms, ['RS256', 'ES256', 'EdDSA']);
    assert.equal(config.dev_secret_file, null);
    assert.equal(origins.get('auth.algorithms'), 'default (public keys)');
  }
  const secret = await loadYaml(t, `${BASE}auth: {secret: ${SECRET}}\n`);
  assert.deepEqual(secret.config.auth.algorithms, ['HS256']);
});

test('[CF-15] a first run with a key server makes no key of its own', async (t) => {
  const env = { SYNC_AUTH__JWKS_URL: URL, SYNC_AUTH__ISSUER: 'me' };
  const { config } = await loadConfig({ cwd: folderWith(t, {}), env });
  assert.equal(config.dev_secret_file, null);
});

for (const [name, auth, key, message] of [
  [
    'a secret beside a key server',
    `{secret: ${SECRET}, jwks_url: ${URL}, issuer: i}`,
    'auth.jwks_url',
    /not both/,
  ],
  [
    'a key server beside keys',
    `{jwks_url: ${URL}, issuer: i, jwks: {keys: [${KEY}]}}`,
    'auth.jwks',
    /not both/,
  ],
  [
    'HMAC with a key server',
    `{jwks_url: ${URL}, issuer: i, algorithms: [RS256, HS256]}`,
    'auth.algorithms',
    /anybody could sign/,
  ],
  [
    'HMAC with keys',
    `{jwks: {keys: [${KEY}]}, algorithms: [HS512]}`,
    'auth.algorithms',
    /anybody could sign/,
  ],
  [
    'key pairs with a secret',
    `{secret: ${SECRET}, algorithms: [HS256, ES256]}`,
    'auth.algorithms',
    /needs public keys/,
  ],
  ['key pairs with nothing', '{algorithms: [RS256]}', 'auth.algorithms', /needs public keys/],
  [
    'a key server without an issuer',
    `{jwks_url: ${URL}}`,
    'auth.issuer',
    /is required with auth\.jwks_url/,
  ],
  [
    'http to another machine',
    '{jwks_url: "http://id.example.com/", issuer: i}',
    'auth.jwks_url',
    /https address/,
  ],
  [
    'a password in the address',
    '{jwks_url: "https://u:hidden@id.example.com/", issuer: i}',
    'auth.jwks_url',
    /without user and password/,
  ],
  ['no address', '{jwks_url: hidden, issuer: i}', 'auth.jwks_url', /https address/],
  [
    'a private key',
    '{jwks: {keys: [{kty: EC, crv: P-256, x: a, y: b, d: hidden}]}}',
    'auth.jwks.keys.0',
    /public key/,
  ],
  ['a shared key', '{jwks: {keys: [{kty: oct, k: hidden}]}}', 'auth.jwks.keys.0', /public key/],
  ['no keys', '{jwks: {keys: []}}', 'auth.jwks.keys', /a list/],
  ['an unknown algorithm', '{algorithms: [none]}', 'auth.algorithms.0', /a list of HS256/],
] as const) {
  test(`[CF-15] ${name} is a fault of the configuration`, async (t) => {
    const faults = await faultsOf(loadYaml(t, `${BASE}auth: ${auth}\n`));
    assert.deepEqual(
      faults.map((fault) => fault.key),
      [key],
    );
    const text = faults.map(describeProblem).join('\n');
    assert.match(text, message);
    assert.doesNotMatch(text, /hidden|x{32}/);
  });
}

test('[CF-15] without authentication keys and algorithms do not matter', async (t) => {
  await loadYaml(t, `${BASE}auth: {mode: none, algorithms: [RS256]}\n`);
});

test('[CF-15] of the address of a key server only its place is shown, of keys nothing', () => {
  const shown = maskValue({ name: 'auth.jwks_url', secret: true }, `${URL}?key=hidden#f`);
  assert.equal(shown, URL);
  assert.equal(maskUrl('https://u:p@id.example.com:8443/a?b=c'), 'https://id.example.com:8443/a');
  assert.equal(maskUrl('no address'), '********');
  assert.equal(maskValue({ name: 'auth.jwks.keys', secret: true }, [{ d: 'hidden' }]), '********');
});

test('[CF-15] keys come from a file of the environment as JSON', async (t) => {
  const cwd = folderWith(t, { 'sync.config.yaml': BASE });
  const path = join(cwd, 'keys.json');
  writeFileSync(path, '[{"kty": "OKP", "crv": "Ed25519", "x": "abc"}]\n');
  const { config } = await loadConfig({ cwd, env: { SYNC_AUTH__JWKS__KEYS_FILE: path } });
  assert.deepEqual(config.auth.jwks?.keys, [{ kty: 'OKP', crv: 'Ed25519', x: 'abc' }]);
});
