/** Signed tokens of any shape, well-formed or not: header and payload are whatever a test wants. */

import { createHmac } from 'node:crypto';

/** Secret of the tests' servers. */
export const TEST_SECRET = 'a secret of the tests, 32 bytes and more';

/** What a token is made of; a text is taken as the raw bytes of its part. */
export interface RawToken {
  readonly header?: unknown;
  readonly payload?: unknown;
  readonly secret?: string;
  readonly hash?: 'sha256' | 'sha384' | 'sha512';
}

/** Signs `header.payload` with HMAC. */
export function rawToken({
  header = { alg: 'HS256', typ: 'JWT' },
  payload = {},
  secret = TEST_SECRET,
  hash = 'sha256',
}: RawToken): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

function encode(part: unknown): string {
  const text = typeof part === 'string' ? part : JSON.stringify(part);
  return Buffer.from(text).toString('base64url');
}
