/**
 * Which key checks tokens, and with which algorithms [CF-15]. A secret admits HMAC only and public keys
 * admit signatures of key pairs only: with both, a public key could be taken for a secret, and then
 * anybody could sign.
 */

import type { ConfigProblem } from './config-error.ts';
import type { ParsedConfig } from './schema.ts';

type Auth = ParsedConfig['auth'];
type KeyName = 'auth.secret' | 'auth.jwks_url' | 'auth.jwks';

const HMAC_DEFAULT = ['HS256'] as const;
const PUBLIC_KEY_DEFAULT = ['RS256', 'ES256', 'EdDSA'] as const;

/** The keys that are configured; more than one is a fault. */
function givenKeys({ secret, jwks_url, jwks }: Auth): KeyName[] {
  return [
    ...(secret === undefined ? [] : ['auth.secret' as const]),
    ...(jwks_url === undefined ? [] : ['auth.jwks_url' as const]),
    ...(jwks === undefined ? [] : ['auth.jwks' as const]),
  ];
}

/** True when tokens are checked with keys of somebody else, so that none can be signed here. */
export function hasPublicKeys({ jwks_url, jwks }: Pick<Auth, 'jwks_url' | 'jwks'>): boolean {
  return jwks_url !== undefined || jwks !== undefined;
}

/** The configured algorithms, or the usual ones of the kind of key. */
export function algorithmsOf(auth: Auth): NonNullable<Auth['algorithms']> {
  return auth.algorithms ?? [...(hasPublicKeys(auth) ? PUBLIC_KEY_DEFAULT : HMAC_DEFAULT)];
}

/** Faults between the keys of `auth`. */
export function authProblems(
  auth: Auth,
  placeOf: (path: readonly PropertyKey[]) => string,
): readonly ConfigProblem[] {
  if (auth.mode === 'none') return [];
  const [key, other] = givenKeys(auth);
  if (key !== undefined && other !== undefined) {
    return [
      {
        where: placeOf(other.split('.')),
        key: other,
        message: `set ${key} or ${other}, not both: one kind of key checks all tokens`,
      },
    ];
  }
  const problems: ConfigProblem[] = [];
  const strange = algorithmsOf(auth).find((name) => name.startsWith('HS') === hasPublicKeys(auth));
  if (strange !== undefined) problems.push(strangeAlgorithm(strange, key, placeOf));
  if (auth.jwks_url !== undefined && auth.issuer === undefined) {
    problems.push({
      where: placeOf(['auth', 'jwks_url']),
      key: 'auth.issuer',
      message:
        'is required with auth.jwks_url: key servers are shared, and other issuers’ tokens must not count',
      example: 'issuer: https://id.example.com',
    });
  }
  return problems;
}

function strangeAlgorithm(
  name: string,
  key: KeyName | undefined,
  placeOf: (path: readonly PropertyKey[]) => string,
): ConfigProblem {
  const isHmac = name.startsWith('HS');
  return {
    where: placeOf(['auth', 'algorithms']),
    key: 'auth.algorithms',
    value: JSON.stringify(name),
    message: isHmac
      ? `is for a shared secret, and ${key} holds public keys: anybody could sign with them`
      : 'needs public keys: set auth.jwks_url or auth.jwks instead of a secret',
    example: `algorithms: [${isHmac ? PUBLIC_KEY_DEFAULT.join(', ') : HMAC_DEFAULT.join(', ')}]`,
  };
}
