/** The part of the composition root about callers: how tokens are checked, and how they are signed. */

import type { HmacAlgorithm } from './auth/algorithms.ts';
import type { KeyServerFact } from './auth/remote-keys.ts';
import type { TokenKeys } from './auth/token-keys.ts';
import { ConfigError } from './config/config-error.ts';
import type { Config } from './config/finish-config.ts';
import { maskUrl } from './config/mask.ts';
import type { Access } from './core/ports/access.ts';
import type { Clock } from './core/ports/system.ts';
import { nodeSystem } from './node-system.ts';
import type { Logger } from './observability/logger.ts';

/** What access depends on beside the configuration. */
export interface AccessOptions {
  readonly clock?: Clock;
  /** Told what becomes of requests to the key server. */
  report?(fact: KeyServerFact): void;
}

/** Who may call, by the configured mode. The configuration holds a key when the mode needs one. */
export async function createAccess(config: Config, options: AccessOptions = {}): Promise<Access> {
  const { auth } = config;
  const { clock = nodeSystem.clock } = options;
  if (auth.mode === 'none') {
    const { createNoneAccess } = await import('./auth/none.ts');
    return createNoneAccess(auth.none);
  }
  const { createJwtAccess } = await import('./auth/jwt.ts');
  const { secret, algorithms, issuer, audience, actor_id_field, scope_id_field } = auth;
  const keys = await createKeys(config, { ...options, clock });
  // Asked for at once, so that the first caller does not wait and a wrong address is logged early.
  keys?.generation().catch(() => {});
  return createJwtAccess({
    ...(keys === undefined ? { secret } : { keys }),
    algorithms,
    issuer,
    audience,
    actor_id_field,
    scope_id_field,
    clock,
  });
}

/** Access of a server: what becomes of its key server, and what its tokens lack, goes to the log. */
export function openAccess(
  config: Config,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Access> {
  const { mode, jwks_url, audience } = config.auth;
  if (mode === 'jwt' && jwks_url !== undefined && audience === undefined) {
    logger.warn('auth.audience_missing', 'tokens made for other applications are accepted', {
      hint: 'set auth.audience to the name that your identity provider gives this server',
    });
  }
  return createAccess(config, { clock, report: (fact) => reportKeys(logger, fact) });
}

/** The address is left out: it stands in the configuration, and may hold a key of its own. */
function reportKeys(logger: Logger, fact: KeyServerFact): void {
  if (fact.kind === 'failed') {
    logger.warn('keys.unavailable', 'the key server gave no usable key set', {
      reason: fact.reason,
      hint: 'tokens of known keys go on for an hour, others are answered 503; check auth.jwks_url',
    });
    return;
  }
  logger.info('keys.changed', 'the keys that check tokens were read', { count: fact.keys });
  if (fact.refused === 0) return;
  logger.warn('keys.refused', 'keys of the key server are not used', {
    count: fact.refused,
    hint: 'only public RSA (2,048 bits and more), EC and OKP keys for signatures are used',
  });
}

/** The public keys of the configuration, or undefined when a secret checks tokens. */
async function createKeys(
  { auth }: Config,
  options: AccessOptions & { readonly clock: Clock },
): Promise<TokenKeys | undefined> {
  if (auth.jwks_url !== undefined) {
    const { RemoteKeys } = await import('./auth/remote-keys.ts');
    return new RemoteKeys({ ...options, url: auth.jwks_url });
  }
  if (auth.jwks === undefined) return undefined;
  const { staticKeys } = await import('./auth/key-set.ts');
  try {
    return staticKeys(auth.jwks);
  } catch (cause) {
    const { message } = cause as RangeError;
    throw new ConfigError([{ where: 'auth.jwks', key: 'auth.jwks.keys', message }]);
  }
}

/** The key server did not give keys; the message says why, without what its address may hide. */
export class KeysUnreachable extends Error {
  constructor(address: string, reason: string) {
    super(`the key server gave no usable key set: ${reason} (${maskUrl(address)})`);
    this.name = 'KeysUnreachable';
  }
}

/** Throws `KeysUnreachable` when the configured key server does not answer with keys. */
export async function checkKeys(config: Config): Promise<void> {
  let reason = 'unreachable';
  const report = (fact: KeyServerFact): void => {
    if (fact.kind === 'failed') reason = fact.reason;
  };
  if (config.auth.mode === 'none') return;
  const keys = await createKeys(config, { clock: nodeSystem.clock, report });
  await keys?.generation().catch(() => {
    throw new KeysUnreachable(config.auth.jwks_url ?? '', reason);
  });
}

/** Who a token is for. Without scopes the actor's own claim names the scope. */
export interface TokenWish {
  readonly actor: string;
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly ttl_seconds: number;
}

/** Signs a token that this configuration accepts. */
export async function issueToken(
  config: Config,
  wish: TokenWish,
): Promise<{ token: string; claims: Record<string, unknown> }> {
  const { signToken } = await import('./auth/sign-token.ts');
  const { auth } = config;
  const [scope, ...more] = wish.scopes;
  const claims = {
    ...wish.claims,
    ...(auth.issuer === undefined ? {} : { iss: auth.issuer }),
    ...(auth.audience === undefined ? {} : { aud: auth.audience }),
    ...(scope === undefined
      ? {}
      : { [auth.scope_id_field]: more.length > 0 ? wish.scopes : scope }),
    [auth.actor_id_field]: wish.actor,
  };
  const token = await signToken({
    secret: auth.secret as string,
    // With a secret only HMAC algorithms pass the loader.
    algorithm: auth.algorithms[0] as HmacAlgorithm,
    claims,
    ttl_seconds: wish.ttl_seconds,
    clock: nodeSystem.clock,
  });
  return { token, claims };
}
