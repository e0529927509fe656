/** Key pairs, tokens signed with them, and a key server on loopback that answers as a test wants. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { PublicKeyAlgorithm } from '../../src/auth/algorithms.ts';

/** A key pair with its public half as it is published. */
export interface KeyPair {
  readonly alg: PublicKeyAlgorithm;
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: Readonly<Record<string, unknown>>;
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** Makes a pair. RSA pairs take a moment, so that tests share them. */
export function keyPair(alg: PublicKeyAlgorithm, kid: string, bits = 2_048): KeyPair {
  const curve = CURVES[alg];
  const pair =
    curve !== undefined
      ? generateKeyPairSync('ec', { namedCurve: curve })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: bits });
  return { alg, kid, ...pair, jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid } };
}

/** A bearer token signed by the pair. `header` replaces parts of a good header; undefined takes one out. */
export function signedBy(
  { alg, kid, privateKey }: KeyPair,
  claims: object,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const whole = { alg, kid, typ: 'JWT', ...header };
  const text = `${encode(whole)}.${encode(claims)}`;
  return `Bearer ${text}.${signature(String(whole.alg), text, privateKey).toString('base64url')}`;
}

function signature(alg: string, text: string, key: KeyObject): Buffer {
  const bytes = Buffer.from(text);
  if (alg === 'EdDSA') return sign(null, bytes, key);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('ES')) return sign(hash, bytes, { key, dsaEncoding: 'ieee-p1363' });
  // RSASSA-PSS with a salt as long as the hash.
  const pss = { padding: 6, saltLength: Number(alg.slice(2)) / 8 };
  return sign(hash, bytes, alg.startsWith('PS') ? { key, ...pss } : key);
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** A key server that a test scripts. */
export interface KeyServer {
  readonly url: string;
  /** Requests so far, by path. */
  readonly asked: string[];
  /** The answer; `publish` sets one with keys. */
  answer: (response: ServerResponse) => void;
  publish(...pairs: readonly { readonly jwk: unknown }[]): void;
}

/** Starts a key server that is closed after the test. */
export async function startKeyServer(t: TestContext): Promise<KeyServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    keyServer.answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const keyServer: KeyServer = {
    url: `http://127.0.0.1:${port}/keys`,
    asked,
    answer: (response) => response.writeHead(500).end('down'),
    publish(...pairs) {
      const body = JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) });
      keyServer.answer = (response) => response.end(body);
    },
  };
  return keyServer;
}
