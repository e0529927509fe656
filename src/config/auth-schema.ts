/** The keys of `auth`: who may call, and what checks their tokens. */

import { z } from 'zod';
import { help, type KeyHelp } from './key-help.ts';
import { isLoopback } from './loopback.ts';

/** Shorter HMAC keys can be searched; this is the length of the hash of HS256. */
const SECRET_BYTES_MIN = 32;

const HMAC = ['HS256', 'HS384', 'HS512'] as const;
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
const CURVES = ['ES256', 'ES384', 'ES512', 'EdDSA'] as const;
const ALGORITHMS = [...HMAC, ...RSA, ...CURVES] as const;
const PUBLIC_KEY = 'a public key: "kty" RSA, EC or OKP, without private parts';

/** Tokens are only as safe as the way their keys come here. */
function isKeyServer(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, password } = new URL(address);
  const bare = username === '' && password === '';
  const loopback = hostname === '[::1]' || isLoopback(hostname);
  return bare && (protocol === 'https:' || (protocol === 'http:' && loopback));
}

function isPublicKey(key: Record<string, unknown>): boolean {
  const isPrivate = ['d', 'p', 'q', 'k', 'priv'].some((part) => Object.hasOwn(key, part));
  return !isPrivate && ['RSA', 'EC', 'OKP'].includes(key['kty'] as string);
}

function text(keyHelp: KeyHelp) {
  return z.string().min(1).max(1_024).optional().meta(help(keyHelp));
}

const authNone = z
  .strictObject({
    actor_id: z
      .string()
      .min(1)
      .max(128)
      .default('dev')
      .meta(help({ description: 'The actor of every request', example: 'dev' })),
    scope_id: z
      .string()
      .min(1)
      .max(128)
      .default('default')
      .meta(help({ description: 'The scope of every request', example: 'default' })),
  })
  .prefault({})
  .meta({ description: 'Fixed identity of `mode: none`' });

/** The section `auth`. */
export const auth = z
  .strictObject({
    mode: z
      .enum(['jwt', 'none'])
      .default('jwt')
      .meta(
        help({
          description: '`jwt`: bearer tokens; `none`: no authentication, loopback hosts only',
          example: 'jwt',
        }),
      ),
    secret: z
      .string()
      .refine((value) => new TextEncoder().encode(value).length >= SECRET_BYTES_MIN, {
        error: `a secret of at least ${SECRET_BYTES_MIN} bytes`,
      })
      .optional()
      .meta(
        help({
          description: `Key that tokens are signed with, at least ${SECRET_BYTES_MIN} bytes`,
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is meant literally
          example: '${OFFLINE_SYNC_SECRET}',
          secret: true,
        }),
      ),
    jwks_url: z
      .string()
      .max(2_048)
      .refine(isKeyServer, {
        error: 'an https address (http on loopback only) without user and password',
      })
      .optional()
      .meta(
        help({
          description:
            'Key set of an identity provider, instead of a secret; its keys are fetched and kept',
          example: 'https://id.example.com/.well-known/jwks.json',
          // A query may hold a key of its own; what is shown ends before it.
          secret: true,
        }),
      ),
    jwks: z
      .strictObject({
        keys: z
          .array(z.record(z.string(), z.unknown()).refine(isPublicKey, { error: PUBLIC_KEY }))
          .min(1)
          .max(100)
          .meta(
            help({
              description: 'Public keys as JSON Web Keys, instead of a secret or a key server',
              example: [
                { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
              ],
              // Whoever writes a private key here by mistake must not find it in a log.
              secret: true,
            }),
          ),
      })
      .optional()
      .meta({ description: 'Public keys without a network' }),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .optional()
      .meta(
        help({
          description:
            'Accepted signature algorithms; default: HS256 with a secret, RS256, ES256 and EdDSA with public keys',
          example: ['HS256'],
        }),
      ),
    issuer: text({
      description: 'Required `iss` claim; must be set with jwks_url',
      example: 'https://id.example.com',
    }),
    audience: text({ description: 'Required `aud` claim', example: 'offline-sync' }),
    actor_id_field: z
      .string()
      .min(1)
      .max(256)
      .default('sub')
      .meta(help({ description: 'Claim that names the actor', example: 'sub' })),
    scope_id_field: z
      .string()
      .min(1)
      .max(256)
      .refine((claim) => claim !== 'scope', {
        error: 'a claim other than the OAuth claim "scope", which lists permissions',
      })
      .optional()
      .meta(
        help({
          description: 'Claim that names the scope or a list of scopes; default: the actor claim',
          example: 'team_id',
        }),
      ),
    none: authNone,
  })
  .prefault({})
  .meta({ description: 'Who may call' });
