/** Rows A of the bad-input catalogue: tokens. */

import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { nodeSystem } from '../../../src/node-system.ts';
import { rawToken } from '../../auth/raw-token.ts';
import { AUDIENCE, claims, ISSUER } from '../support/world.ts';
import { type Input, type Inputs, parseReply, signed, withToken } from './inputs.ts';
import { sendRaw } from '../support/raw-socket.ts';

const alg = 'HS256';
const good = rawToken({ payload: claims() });
const [header = '', payload = '', signature = ''] = good.split('.');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const publicKey = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signedWith(head: object, signer: (text: string) => Buffer): string {
  const text = `${part(head)}.${payload}`;
  return `Bearer ${text}.${signer(text).toString('base64url')}`;
}

/** Times count from the moment of sending: a busy machine may need a minute to get here. */
function dates(claimsAt: (now: number) => Record<string, unknown>): Input {
  return (world, seeds) =>
    signed(claimsAt(Math.floor(nodeSystem.clock.now() / 1000)))(world, seeds);
}

/** The inputs by row and name. */
export const AUTH_INPUTS: Inputs = {
  A1: { 'no Authorization header': withToken(undefined) },
  A2: {
    'Basic x': withToken('Basic x'),
    Bearer: withToken('Bearer'),
    'two tokens': withToken(`Bearer ${good} ${good}`),
    'a tab': withToken(`bearer\t${good}`),
  },
  A3: { none: signed({}, { alg: 'none' }), NoNe: signed({}, { alg: 'NoNe' }) },
  A4: {
    'HS256 with the RSA public key': withToken(
      signedWith({ alg }, (text) => createHmac('sha256', publicKey).update(text).digest()),
    ),
  },
  A5: {
    RS256: withToken(
      signedWith({ alg: 'RS256' }, (text) => sign('sha256', Buffer.from(text), rsa.privateKey)),
    ),
    'ES256 with a kid': signed({}, { alg: 'ES256', kid: 'key-1' }),
  },
  A6: {
    absent: signed({}, { typ: 'JWT' }),
    number: signed({}, { alg: 256 }),
    array: signed({}, { alg: [alg] }),
  },
  A7: {
    path: signed({}, { alg, kid: '../../x' }),
    SQL: signed({}, { alg, kid: "' OR 1" }),
    object: signed({}, { alg, kid: {} }),
    long: signed({}, { alg, kid: 'k'.repeat(5_000) }),
  },
  A8: {
    jwk: signed({}, { alg, jwk: {} }),
    jku: signed({}, { alg, jku: 'https://evil.example.org' }),
    x5u: signed({}, { alg, x5u: 'https://evil.example.org' }),
    crit: signed({}, { alg, crit: ['exp'] }),
  },
  A9: { 'no exp': signed({ exp: undefined }) },
  A10: {
    '90 s ago': dates((now) => ({ iat: undefined, exp: now - 90 })),
    '30 s ago': dates((now) => ({ iat: undefined, exp: now - 30 })),
  },
  A11: { 'year 9999': signed({ exp: 253_402_300_799 }) },
  A12: {
    text: signed({ exp: '99999' }),
    NaN: signed({ exp: Number.NaN }),
    '1e400': signed(JSON.stringify(claims({ exp: 0 })).replace('"exp":0', '"exp":1e400')),
  },
  A13: {
    'in 90 s': dates((now) => ({ nbf: now + 90 })),
    'in 30 s': dates((now) => ({ nbf: now + 30 })),
  },
  A14: { 'in an hour': dates((now) => ({ iat: now + 3_600, exp: now + 7_200 })) },
  A15: {
    missing: signed({ aud: undefined }),
    other: signed({ aud: `${AUDIENCE}x` }),
    'empty list': signed({ aud: [] }),
  },
  A16: {
    other: signed({ iss: 'https://evil.example.org' }),
    'with a slash': signed({ iss: `${ISSUER}/` }),
  },
  A17: { 'dpop+jwt': signed({}, { alg, typ: 'dpop+jwt' }) },
  A18: {
    object: signed({ sub: { $ne: null } }),
    array: signed({ sub: ['ann'] }),
    empty: signed({ sub: '' }),
    '129 characters': signed({ sub: 'a'.repeat(129) }),
    NUL: signed({ sub: 'a\0' }),
  },
  A19: {
    missing: signed({ scopes: undefined }),
    several: signed({ scopes: ['s1', 's2'] }),
  },
  A20: { array: signed('[]'), null: signed('null'), brace: signed('{') },
  A21: {
    '4 parts': withToken(`Bearer ${good}.x`),
    '2 parts': withToken(`Bearer ${header}.${payload}`),
    padding: withToken(`Bearer ${good}=`),
    'other alphabet': withToken(`Bearer ${header}.${payload}.+/${signature}`),
  },
  A22: { '8 KiB and more': signed({ filler: 'f'.repeat(7_000) }) },
  A23: { 'two subs': signed(JSON.stringify(claims()).replace('{', '{"sub":"bob",')) },
  A24: { flipped: withToken(`Bearer ${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`) },
  A25: { '5 parts': withToken(`Bearer ${good}.x.y`) },
  A27: {
    'two headers': async (world) =>
      parseReply(
        await sendRaw(
          world.port,
          `GET /sync/capabilities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${good}\r\nAuthorization: Bearer ${good}\r\nConnection: close\r\n\r\n`,
        ),
      ),
  },
};
