/**
 * The one loader: flag > environment > file > default, with the origin of every value kept [CF-1].
 * Searching executes nothing: the search class of cosmiconfig is used directly, because its public
 * entry first looks for a "meta configuration" and runs `.config/config.js` of the folder [CF-3].
 */

import { access, constants, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Options, PublicExplorer } from 'cosmiconfig';
import * as cosmiconfigSearch from 'cosmiconfig/dist/Explorer.js';
import {
  coerceText,
  type Environment,
  hasPlaceholder,
  interpolate,
  MissingVariable,
} from './coerce.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import { type ConfigText, holdsPackageKey, PACKAGE_KEY, parseConfigText } from './config-file.ts';
import { CONFIG_KEYS, type ConfigKey, findKey } from './config-keys.ts';
import { type GivenValue, readEnvironment } from './environment.ts';
import { type Config, finishConfig } from './finish-config.ts';
import { ConfigSchema, type ParsedConfig } from './schema.ts';
import { explainIssues } from './schema-issues.ts';

const SEARCH_PLACES = [
  'sync.config.yaml',
  'sync.config.yml',
  'sync.config.json',
  'package.json',
] as const;

/** The search class, which the package ships without types. */
const { Explorer } = cosmiconfigSearch as unknown as {
  Explorer: new (options: Options & Record<string, unknown>) => PublicExplorer;
};

/** What the command line hands over. */
export interface LoadOptions {
  readonly cwd: string;
  readonly env: Environment;
  /** `--config`; undefined searches. */
  readonly path?: string | undefined;
  /** Flags by dotted key, with the flag's spelling for messages. */
  readonly flags?: readonly { name: string; text: string; flag: string }[];
}

/** The effective configuration with the place each value came from. */
export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path; null = no file, so the defaults of a first run apply. */
  readonly file: string | null;
  /** Dotted key → `flag --port`, `env SYNC_PORT`, `file sync.config.yaml:12`, `default`. */
  readonly origins: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

interface FoundFile {
  readonly path: string;
  readonly text: ConfigText;
}

/** Loads and checks the configuration. Throws `ConfigError` with every fault found. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const file = await findFile(options);
  const environment = readEnvironment(options.env);
  const given = [...environment.values, ...readFlags(options.flags ?? [])];
  const raw = file === null ? {} : replaceVariables(file.text, options.env);
  const overridden = overlay(raw, given);
  const origins = listOrigins(file, raw, overridden);
  const placeOf = (path: readonly PropertyKey[]): string => placeFor(path, file, overridden);

  const parsed = ConfigSchema.safeParse(raw);
  if (!parsed.success) throw new ConfigError(explainIssues(parsed.error.issues, raw, placeOf));
  const base = dirOf(file, overridden.get('data_dir'), options.cwd);
  const config = finishConfig(parsed.data as ParsedConfig, {
    base,
    file: file !== null,
    origins,
    placeOf,
  });
  return {
    config,
    file: file?.path ?? null,
    origins,
    warnings: environment.warnings,
  };
}

async function findFile({ cwd, path }: LoadOptions): Promise<FoundFile | null> {
  const texts = new Map<string, ConfigText>();
  const load = (filepath: string, text: string): unknown => {
    if (filepath.endsWith('package.json') && !holdsPackageKey(text)) return {};
    const parsed = parseConfigText(shownPath(cwd, filepath), text);
    texts.set(filepath, parsed);
    // The content is kept apart: the search would follow a key "$import" to other files.
    return filepath.endsWith('package.json') ? { [PACKAGE_KEY]: {} } : {};
  };
  const explorer = new Explorer({
    moduleName: PACKAGE_KEY,
    packageProp: PACKAGE_KEY,
    searchPlaces: [...SEARCH_PLACES],
    searchStrategy: 'project',
    ignoreEmptySearchPlaces: false,
    loaders: { '.yaml': load, '.yml': load, '.json': load, noExt: load, default: load },
    transform: (result) => result,
    cache: false,
    mergeImportArrays: false,
    mergeSearchPlaces: false,
    applyPackagePropertyPathToConfiguration: false,
    metaConfigFilePath: null,
  });
  const result =
    path === undefined
      ? await searchFrom(explorer, cwd)
      : await explorer.load(await namedFile(resolve(cwd, path), path));
  if (result === null || result === undefined) {
    if (path === undefined) return null;
    throw fault(path, `the file has no key "${PACKAGE_KEY}"`);
  }
  const text = texts.get(result.filepath);
  if (text === undefined) {
    if (path === undefined && result.filepath.endsWith('package.json')) return null;
    throw fault(
      shownPath(cwd, result.filepath),
      'the file is empty',
      'collections: [tasks, notes]',
    );
  }
  return { path: result.filepath, text };
}

/** Relative to the caller when that is shorter. */
function shownPath(cwd: string, path: string): string {
  const shown = relative(cwd, path);
  return shown.startsWith('..') ? path : shown;
}

async function searchFrom(explorer: PublicExplorer, cwd: string) {
  for (const place of SEARCH_PLACES) {
    // The search passes over a file that it may not read, and would go on with other settings.
    const path = join(cwd, place);
    await access(path, constants.R_OK).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EACCES') throw fault(place, 'the file may not be read by this user');
    });
  }
  return explorer.search(cwd);
}

async function namedFile(path: string, shown: string): Promise<string> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw fault(shown, `cannot read the file named by --config (${cause.code})`);
  });
  if (!found.isFile()) throw fault(shown, 'the path named by --config is not a file');
  await access(path, constants.R_OK).catch((cause: NodeJS.ErrnoException) => {
    throw fault(shown, `cannot read the file named by --config (${cause.code})`);
  });
  return path;
}

function readFlags(flags: NonNullable<LoadOptions['flags']>): GivenValue[] {
  return flags.map(({ name, text, flag }) => {
    const key = CONFIG_KEYS.find((candidate) => candidate.name === name) as ConfigKey;
    return { key, value: coerceText(key, text), origin: `flag ${flag}` };
  });
}

/** A copy of the file's content with `${…}` replaced in values, never in keys [CF-8]. */
function replaceVariables(text: ConfigText, env: Environment): Record<string, unknown> {
  const problems: ConfigProblem[] = [];
  const walk = (value: unknown, path: readonly string[]): unknown => {
    if (typeof value === 'string') return hasPlaceholder(value) ? replace(value, path) : value;
    if (Array.isArray(value)) return value.map((item, i) => walk(item, [...path, String(i)]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, walk(item, [...path, name])]),
    );
  };
  const replace = (value: string, path: readonly string[]): unknown => {
    try {
      const replaced = interpolate(value, env);
      const key = findKey(path);
      return key === undefined || key.path.length < path.length - 2
        ? replaced
        : coerceText(
            { kind: key.kind === 'list' || key.kind === 'map' ? 'text' : key.kind },
            replaced,
          );
    } catch (cause) {
      if (!(cause instanceof MissingVariable)) throw cause;
      problems.push({
        where: text.place(path),
        key: path.join('.'),
        message: `the environment variable ${cause.variable} is not set`,
        example: `\${${cause.variable}:-a default}`,
      });
      return value;
    }
  };
  const content = walk(text.content, []) as Record<string, unknown>;
  if (problems.length > 0) throw new ConfigError(problems);
  return content;
}

/** Puts given values over the file's. Returns the origin of each. */
function overlay(raw: Record<string, unknown>, given: readonly GivenValue[]): Map<string, string> {
  const origins = new Map<string, string>();
  for (const { key, value, origin } of given) {
    const parents = key.path.slice(0, -1);
    let target: Record<string, unknown> | undefined = raw;
    for (const part of parents) {
      const next: unknown = target[part] ?? {};
      // A section that is no mapping is the file's fault and is reported as such.
      if (typeof next !== 'object' || Array.isArray(next)) {
        target = undefined;
        break;
      }
      target[part] = next;
      target = next as Record<string, unknown>;
    }
    if (target === undefined) continue;
    target[key.path.at(-1) as string] = value;
    origins.set(key.name, origin);
  }
  return origins;
}

function listOrigins(
  file: FoundFile | null,
  raw: Record<string, unknown>,
  overridden: ReadonlyMap<string, string>,
): Map<string, string> {
  const origins = new Map<string, string>();
  for (const key of CONFIG_KEYS) {
    const present = key.path.reduce<unknown>(
      (value, part) => (value as Record<string, unknown> | null | undefined)?.[part],
      raw,
    );
    const fromFile = present !== undefined && file !== null;
    origins.set(
      key.name,
      overridden.get(key.name) ?? (fromFile ? `file ${file.text.place(key.path)}` : 'default'),
    );
  }
  return origins;
}

function placeFor(
  path: readonly PropertyKey[],
  file: FoundFile | null,
  overridden: ReadonlyMap<string, string>,
): string {
  for (let length = path.length; length > 0; length -= 1) {
    const origin = overridden.get(path.slice(0, length).map(String).join('.'));
    if (origin !== undefined) return origin;
  }
  return file === null ? 'configuration' : file.text.place(path);
}

/** Relative folders of a file are relative to that file; those of flags and environment to the caller. */
function dirOf(file: FoundFile | null, override: string | undefined, cwd: string): string {
  return file === null || override !== undefined ? cwd : dirname(file.path);
}

function fault(where: string, message: string, example?: string): ConfigError {
  return new ConfigError([{ where, message, ...(example === undefined ? {} : { example }) }]);
}
