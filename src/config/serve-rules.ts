/** What `serve` asks beyond a valid configuration: nobody is let in by accident [CF-10]. */

import { ConfigError, type ConfigProblem } from './config-error.ts';
import { hasPublicKeys } from './auth-rules.ts';
import type { LoadedConfig } from './load-config.ts';
import { isLoopback } from './loopback.ts';

/** Faults that keep `serve` from starting. */
export function servingProblems({ config, origins }: LoadedConfig): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const { auth, host } = config;
  const where = (key: string): string => {
    const origin = origins.get(key) ?? 'default';
    return origin.startsWith('file ') ? origin.slice('file '.length) : origin;
  };
  if (auth.mode === 'none' && !isLoopback(host)) {
    problems.push({
      where: where('auth.mode'),
      key: 'auth.mode',
      value: '"none"',
      message: `is allowed on loopback hosts only, and host is "${host}"`,
      example: 'host: 127.0.0.1',
    });
  }
  const noKey = auth.secret === undefined && !hasPublicKeys(auth);
  if (auth.mode === 'jwt' && noKey && config.dev_secret_file === null) {
    problems.push({
      where: where('auth.secret'),
      key: 'auth.secret',
      message: 'is required, or auth.jwks_url: the server does not start without authentication',
      example: 'SYNC_AUTH__SECRET=<at least 32 random bytes>, or auth.mode: none on loopback',
    });
  }
  if (config.dev_secret_file !== null && !isLoopback(host)) {
    problems.push({
      where: where('host'),
      key: 'host',
      value: JSON.stringify(host),
      message:
        'a first run without a configuration serves loopback only; set auth.secret for other hosts',
      example: 'SYNC_AUTH__SECRET=<at least 32 random bytes>',
    });
  }
  return problems;
}

/** Throws `ConfigError` when `serve` must not start. */
export function checkServable(loaded: LoadedConfig): void {
  const problems = servingProblems(loaded);
  if (problems.length > 0) throw new ConfigError(problems);
}
