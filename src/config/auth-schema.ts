/** The keys of `auth`: who may call, and what checks their tokens. */

import { z } from 'zod';
import { help, type KeyHelp } from './key-help.ts';

/** Shorter HMAC keys can be searched; this is the length of the hash of HS256. */
const SECRET_BYTES_MIN = 32;

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
    algorithms: z
      .array(z.enum(['HS256', 'HS384', 'HS512']))
      .min(1)
      .default(['HS256'])
      .meta(help({ description: 'Accepted signature algorithms', example: ['HS256'] })),
    issuer: text({ description: 'Required `iss` claim', example: 'https://id.example.com' }),
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
