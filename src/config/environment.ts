/** `SYNC_*` variables: their names come from the schema; lists by comma or JSON; secrets also by file. */

import { readFileSync } from 'node:fs';
import { coerceText, type Environment } from './coerce.ts';
import { CONFIG_KEYS, type ConfigKey } from './config-keys.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { didYouMean } from './nearest.ts';

const PREFIX = 'SYNC_';
const FILE_SUFFIX = '_FILE';
const SECRET_FILE_BYTES_MAX = 65_536;

/** Names that platforms and teams already use. */
const ALIASES: Readonly<Record<string, string>> = {
  MONGODB_URI: 'mongodb_uri',
  MONGODB_DATABASE: 'database_name',
  PORT: 'port',
};

/** A value that came from outside the file. */
export interface GivenValue {
  readonly key: ConfigKey;
  readonly value: unknown;
  /** `env SYNC_PORT`, `flag --port`. */
  readonly origin: string;
}

/** The variable of a key: `SYNC_AUTH__SECRET` for `auth.secret`. */
export function variableOf(key: Pick<ConfigKey, 'path'>): string {
  return PREFIX + key.path.map((part) => part.toUpperCase()).join('__');
}

/** Values from the environment and warnings about unknown `SYNC_*` names. Throws `ConfigError`. */
export function readEnvironment(env: Environment): {
  values: readonly GivenValue[];
  warnings: readonly string[];
} {
  const problems: ConfigProblem[] = [];
  const values: GivenValue[] = [];
  for (const key of CONFIG_KEYS) {
    const found = findValue(key, env, problems);
    if (found !== undefined) values.push(found);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { values, warnings: unknownNames(env) };
}

function findValue(
  key: ConfigKey,
  env: Environment,
  problems: ConfigProblem[],
): GivenValue | undefined {
  const variable = variableOf(key);
  const file = key.secret ? env[variable + FILE_SUFFIX] : undefined;
  const direct = env[variable];
  if (isSet(direct) && isSet(file)) {
    problems.push({
      where: `env ${variable}`,
      key: key.name,
      message: `set ${variable} or ${variable}${FILE_SUFFIX}, not both`,
    });
    return undefined;
  }
  if (isSet(direct)) return { key, value: coerceText(key, direct), origin: `env ${variable}` };
  if (isSet(file)) return readSecret(key, file, problems);
  for (const [alias, name] of Object.entries(ALIASES)) {
    const value = env[alias];
    if (name === key.name && isSet(value)) {
      return { key, value: coerceText(key, value), origin: `env ${alias}` };
    }
  }
  return undefined;
}

function readSecret(
  key: ConfigKey,
  path: string,
  problems: ConfigProblem[],
): GivenValue | undefined {
  const origin = `env ${variableOf(key)}${FILE_SUFFIX}`;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > SECRET_FILE_BYTES_MAX) throw new RangeError('the file is too large');
    return { key, value: coerceText(key, text.replace(/\r?\n$/, '')), origin };
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    problems.push({ where: origin, key: key.name, message: `cannot read ${path} (${reason})` });
    return undefined;
  }
}

function unknownNames(env: Environment): string[] {
  const known = CONFIG_KEYS.flatMap((key) =>
    key.secret ? [variableOf(key), variableOf(key) + FILE_SUFFIX] : [variableOf(key)],
  );
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => `env ${name} is no setting and was ignored${didYouMean(name, known)}`);
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
