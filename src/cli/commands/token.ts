/** `token`: signs a token with the configured secret, or checks one. */

import { createAccess, issueToken } from '../../compose-access.ts';
import { withSecret } from '../../config/dev-secret.ts';
import type { Config } from '../../config/finish-config.ts';
import { parseDuration } from '../duration.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError, usageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';

/** Flags of `token`. */
export interface TokenFlags {
  readonly actor?: string;
  readonly scope?: readonly string[];
  readonly claim?: readonly string[];
  readonly ttl?: string;
  readonly verify?: string;
}

const TTL_SECONDS_MAX = 86_400;
/** Claims that signing sets itself. */
const TIME_CLAIMS = ['iat', 'exp'];

/** Prints the bare token on stdout and its claims on stderr. */
export async function run(invocation: Invocation, flags: TokenFlags): Promise<ExitCode> {
  const { config: loaded } = await invocation.loadConfig();
  const config = await withSecret(loaded);
  if (config.auth.mode === 'none') {
    throw usageError(
      'auth.mode is "none": requests need no token',
      'send requests without a token',
    );
  }
  const { jwks_url, jwks } = config.auth;
  const publicKeys = jwks_url !== undefined || jwks !== undefined;
  if (publicKeys && flags.verify === undefined) {
    throw usageError(
      `${jwks_url === undefined ? 'auth.jwks' : 'auth.jwks_url'} holds public keys, which check tokens and cannot sign any`,
      'take a token from your identity provider; look at it with: offline-sync token --verify <token>',
    );
  }
  if (config.auth.secret === undefined && !publicKeys) {
    throw usageError('auth.secret is not set', 'set auth.secret or SYNC_AUTH__SECRET');
  }
  return flags.verify === undefined
    ? sign(invocation, config, flags)
    : verify(invocation, config, flags.verify);
}

async function sign({ output }: Invocation, config: Config, flags: TokenFlags): Promise<ExitCode> {
  const actor = flags.actor;
  if (actor === undefined || actor === '') {
    throw usageError('--actor is missing', 'name who acts: offline-sync token --actor alice');
  }
  const scopes = flags.scope ?? [];
  const { actor_id_field, scope_id_field } = config.auth;
  if (scopes.length > 0 && scope_id_field === actor_id_field) {
    throw usageError(
      `scopes are read from the actor's claim "${actor_id_field}", so --scope has no place`,
      'set auth.scope_id_field (for example: scope_id) or leave out --scope',
    );
  }
  const { token, claims } = await issueToken(config, {
    actor,
    scopes,
    claims: parseClaims(flags.claim ?? []),
    ttl_seconds: parseTtl(flags.ttl ?? '1h'),
  });
  if (output.json) {
    await output.jsonLine({ token, claims });
  } else {
    await output.data(token);
    output.info(JSON.stringify(claims));
  }
  return EXIT.ok;
}

function parseTtl(text: string): number {
  const seconds = (parseDuration(text) ?? 0) / 1_000;
  if (seconds < 1 || seconds > TTL_SECONDS_MAX) {
    throw usageError(`--ttl "${text}" is no duration from 1s to 24h`, 'for example: --ttl 8h');
  }
  return seconds;
}

/** `key=value`; a value that is JSON is taken as such, so that lists and numbers can be given. */
function parseClaims(entries: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('=');
      const name = entry.slice(0, at);
      if (at < 1 || TIME_CLAIMS.includes(name)) {
        throw usageError(`--claim "${entry}" is not key=value`, 'for example: --claim role=editor');
      }
      return [name, parseValue(entry.slice(at + 1))];
    }),
  );
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

async function verify({ output }: Invocation, config: Config, token: string): Promise<ExitCode> {
  const access = await createAccess(config);
  try {
    const { actor_id, scope_ids } = await access.authenticate(`Bearer ${token}`);
    await output.jsonLine({ valid: true, actor_id, scope_ids });
    return EXIT.ok;
  } catch (error) {
    const { code, details } = error as { code?: string; details?: { reason?: string } };
    if (code === undefined) throw error;
    if (code === 'service_unavailable') {
      throw new CommandError({
        exit: EXIT.runtime,
        code: details?.reason ?? code,
        cause: 'the key server gave no usable key set, so nobody can say whether the token is good',
        fix: 'check auth.jwks_url, and that this machine reaches it: offline-sync serve --check',
      });
    }
    throw new CommandError({
      exit: EXIT.verification,
      code: details?.reason ?? code,
      cause: 'the server would refuse this token',
      fix:
        config.auth.secret === undefined
          ? 'compare its header and claims with auth.algorithms, issuer and audience'
          : 'sign one with: offline-sync token --actor <id>',
    });
  }
}
