/** The configuration of a server inside an application: the same keys as an object, no file searched. */

import type { z } from 'zod';
import type { Environment } from './coerce.ts';
import { ConfigError } from './config-error.ts';
import { CONFIG_KEYS } from './config-keys.ts';
import { readEnvironment } from './environment.ts';
import { type Config, finishConfig } from './finish-config.ts';
import type { LoadedConfig } from './load-config.ts';
import { ConfigSchema, type ParsedConfig } from './schema.ts';
import { explainIssues } from './schema-issues.ts';

/** The keys of the configuration file as an object. */
export type ConfigInput = z.input<typeof ConfigSchema>;

/** Where the values of an application come from. */
export interface OptionSources {
  /** Folder that a relative `data_dir` is relative to. */
  readonly cwd: string;
  /** `SYNC_*` variables, which then win over the object; absent = none are read. */
  readonly env?: Environment | undefined;
}

/**
 * Checks the keys with the rules of the file. Nothing is made up as on a first run of `serve`:
 * collections must be named. Throws `ConfigError` with every fault found.
 */
export function configFromOptions(
  keys: Readonly<Record<string, unknown>>,
  { cwd, env }: OptionSources,
): LoadedConfig {
  const raw = structuredClone(keys) as Record<string, unknown>;
  const origins = new Map<string, string>();
  const given = env === undefined ? { values: [], warnings: [] } : readEnvironment(env);
  for (const { key, value, origin } of given.values) {
    put(raw, key.path, value);
    origins.set(key.name, origin);
  }
  for (const { name, path } of CONFIG_KEYS) {
    if (!origins.has(name)) origins.set(name, isGiven(raw, path) ? 'options' : 'default');
  }
  const placeOf = (path: readonly PropertyKey[]): string =>
    origins.get(path.map(String).join('.'))?.replace('default', 'options') ?? 'options';
  const parsed = ConfigSchema.safeParse(raw);
  if (!parsed.success) throw new ConfigError(explainIssues(parsed.error.issues, raw, placeOf));
  const config: Config = finishConfig(parsed.data as ParsedConfig, {
    base: cwd,
    file: true,
    origins,
    placeOf,
  });
  return { config, file: null, origins, warnings: given.warnings };
}

function put(raw: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let target = raw;
  for (const part of path.slice(0, -1)) {
    const next = (target[part] ?? {}) as Record<string, unknown>;
    // A section that is no mapping is a fault of the object and is reported as such.
    if (typeof next !== 'object' || Array.isArray(next)) return;
    target[part] = next;
    target = next;
  }
  target[path.at(-1) as string] = value;
}

function isGiven(raw: unknown, path: readonly string[]): boolean {
  const value = path.reduce<unknown>(
    (at, part) => (at as Record<string, unknown> | null | undefined)?.[part],
    raw,
  );
  return value !== undefined;
}
