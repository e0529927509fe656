/** Rules between keys and derived defaults: which store, lifetimes, limits, and the first run without a file. */

import { resolve } from 'node:path';
import { LIMITS } from '../protocol/pure/limits.ts';
import { algorithmsOf, authProblems, hasPublicKeys } from './auth-rules.ts';
import { ConfigError, type ConfigProblem } from './config-error.ts';
import type { ParsedCollection } from './collection-schema.ts';
import type { ParsedConfig } from './schema.ts';

/** One collection with all its options. */
export interface CollectionConfig extends ParsedCollection {
  readonly name: string;
}

type Derived =
  | 'store'
  | 'collections'
  | 'receipt_ttl_days'
  | 'tombstone_ttl_days'
  | 'auth'
  | 'data_dir';

/** The effective configuration. */
export interface Config extends Omit<ParsedConfig, Derived> {
  readonly store: 'mongo' | 'embedded';
  /** Absolute path. */
  readonly data_dir: string;
  readonly collections: readonly CollectionConfig[];
  readonly receipt_ttl_days: number;
  readonly tombstone_ttl_days: number;
  readonly auth: Omit<ParsedConfig['auth'], 'algorithms'> & {
    readonly algorithms: NonNullable<ParsedConfig['auth']['algorithms']>;
    readonly scope_id_field: string;
  };
  /** Where a first run keeps its own signing key; null when one is configured or not needed. */
  readonly dev_secret_file: string | null;
}

interface Sources {
  /** Folder that a relative `data_dir` is relative to. */
  readonly base: string;
  /** False = no configuration file, so a first run gets everything it needs. */
  readonly file: boolean;
  /** Completed here for derived values. */
  readonly origins: Map<string, string>;
  placeOf(path: readonly PropertyKey[]): string;
}

/** Completes a parsed configuration. Throws `ConfigError` for values that do not fit each other. */
export function finishConfig(parsed: ParsedConfig, sources: Sources): Config {
  const problems: ConfigProblem[] = [];
  const store = parsed.store ?? (parsed.mongodb_uri === undefined ? 'embedded' : 'mongo');
  const firstRun = !sources.file && store === 'embedded';
  const collections = listCollections(parsed.collections ?? (firstRun ? ['tasks', 'notes'] : []));
  const { algorithms: _given, ...authWithout } = parsed.auth;
  const config: Config = {
    ...parsed,
    ...completeLifetimes(parsed),
    ...completeLimits(parsed, sources.origins),
    store,
    data_dir: resolve(sources.base, parsed.data_dir),
    collections,
    auth: {
      ...authWithout,
      algorithms: algorithmsOf(parsed.auth),
      scope_id_field: parsed.auth.scope_id_field ?? parsed.auth.actor_id_field,
    },
    auto_init: firstRun && sources.origins.get('auto_init') === 'default' ? true : parsed.auto_init,
    dev_secret_file: null,
  };
  const hasKey = config.auth.secret !== undefined || hasPublicKeys(config.auth);
  const needsKey = config.auth.mode === 'jwt' && !hasKey;
  const complete: Config = {
    ...config,
    dev_secret_file: firstRun && needsKey ? resolve(config.data_dir, 'dev-secret') : null,
  };
  problems.push(...authProblems(parsed.auth, sources.placeOf));
  checkStore(complete, sources, problems);
  checkCollections(complete, sources, problems);
  checkLifetimes(complete, sources, problems);
  checkLimits(complete, sources, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  noteDerived(parsed, complete, sources.origins);
  return complete;
}

function listCollections(value: NonNullable<ParsedConfig['collections']>): CollectionConfig[] {
  if (!Array.isArray(value)) {
    return Object.entries(value).map(([name, options]) => ({ name, ...options }));
  }
  return value.map((name) => ({
    name,
    id_type: 'string',
    resolver: 'lww',
    delete_policy: 'resurrect_on_update',
    tombstones: 'sidecar',
    capture: 'off',
  }));
}

function completeLifetimes(parsed: ParsedConfig) {
  const receipts = parsed.receipt_ttl_days ?? 2 * parsed.oplog_ttl_days;
  return {
    receipt_ttl_days: receipts,
    tombstone_ttl_days: parsed.tombstone_ttl_days ?? receipts,
  };
}

/** A default page size follows a lowered maximum; one that was written is checked instead. */
function completeLimits(parsed: ParsedConfig, origins: ReadonlyMap<string, string>) {
  const follow = (size: 'pull_default_limit' | 'full_default_limit', max: number): number =>
    origins.get(size) === 'default' ? Math.min(LIMITS[size].default, max) : parsed[size];
  return {
    pull_default_limit: follow('pull_default_limit', parsed.pull_max_limit),
    full_default_limit: follow('full_default_limit', parsed.full_max_limit),
  };
}

function checkStore(config: Config, { placeOf }: Sources, problems: ConfigProblem[]): void {
  if (config.store !== 'mongo') {
    if (config.transactions === 'off') {
      problems.push({
        where: placeOf(['transactions']),
        key: 'transactions',
        message: 'is for the MongoDB store; leave it out',
      });
    }
    return;
  }
  for (const [key, example] of [
    ['mongodb_uri', 'mongodb://127.0.0.1:27017/?replicaSet=rs0'],
    ['database_name', 'app'],
  ] as const) {
    if (config[key] === undefined) {
      problems.push({
        where: placeOf(['store']),
        key,
        message: 'is required for the MongoDB store',
        example: `${key}: ${example}`,
      });
    }
  }
  const weak = weakOption(config.mongodb_uri ?? '');
  if (weak !== undefined) {
    problems.push({
      where: placeOf(['mongodb_uri']),
      key: 'mongodb_uri',
      message: `the option ${weak} would break a promise of the server; leave it out`,
    });
  }
}

/** Options under which an acknowledged change could be lost, or the server be somebody else. */
function weakOption(uri: string): string | undefined {
  const options = new URLSearchParams(uri.split('?')[1] ?? '');
  for (const [name, value] of options) {
    const option = name.toLowerCase();
    const weak =
      (option === 'w' && value !== 'majority') ||
      (option === 'journal' && value !== 'true') ||
      (option === 'readpreference' && value !== 'primary') ||
      (option === 'readconcernlevel' && value !== 'majority') ||
      (/^tls(insecure|allowinvalid)/.test(option) && value !== 'false');
    if (weak) return `${name.slice(0, 40)}=${value.slice(0, 20)}`;
  }
  return undefined;
}

function checkCollections(config: Config, { placeOf }: Sources, problems: ConfigProblem[]): void {
  if (config.collections.length === 0) {
    problems.push({
      where: placeOf([]),
      key: 'collections',
      message: 'at least one collection is required',
      example: 'collections: [tasks, notes]',
    });
  }
  const seen = new Set<string>();
  for (const [index, options] of config.collections.entries()) {
    const { name, scope, scope_field, tombstones, capture } = options;
    if (seen.has(name)) {
      problems.push({
        where: placeOf(['collections', index]),
        key: 'collections',
        message: `"${name}" is listed twice`,
      });
    }
    seen.add(name);
    if (capture === 'adopt' && config.store === 'embedded') {
      problems.push({
        where: placeOf(['collections', name, 'capture']),
        key: `collections.${name}`,
        message: 'capture is for the MongoDB store: nobody else writes to the embedded one',
      });
    }
    if (scope !== undefined && scope_field !== undefined) {
      problems.push({
        where: placeOf(['collections', name, 'scope']),
        key: `collections.${name}`,
        message: 'set scope or scope_field, not both',
      });
    }
    if (tombstones === 'in_place' && config.store === 'embedded') {
      problems.push({
        where: placeOf(['collections', name, 'tombstones']),
        key: `collections.${name}.tombstones`,
        value: '"in_place"',
        message:
          'is for the MongoDB store: the embedded store keeps no documents of another program',
        example: 'tombstones: sidecar',
      });
    }
  }
}

/** A shorter receipt or tombstone than the log would let a late retry write twice [CF-9]. */
function checkLifetimes(config: Config, { placeOf }: Sources, problems: ConfigProblem[]): void {
  const {
    oplog_ttl_days: oplog,
    receipt_ttl_days: receipt,
    tombstone_ttl_days: tombstone,
  } = config;
  if (receipt < oplog) {
    problems.push({
      where: placeOf(['receipt_ttl_days']),
      key: 'receipt_ttl_days',
      value: String(receipt),
      message: `expected at least oplog_ttl_days (${oplog})`,
      example: `receipt_ttl_days: ${2 * oplog}`,
    });
  }
  if (tombstone !== 0 && tombstone < receipt) {
    problems.push({
      where: placeOf(['tombstone_ttl_days']),
      key: 'tombstone_ttl_days',
      value: String(tombstone),
      message: `expected at least receipt_ttl_days (${receipt}), or 0 for ever`,
      example: `tombstone_ttl_days: ${receipt}`,
    });
  }
}

function checkLimits(config: Config, { placeOf }: Sources, problems: ConfigProblem[]): void {
  for (const [size, max] of [
    ['pull_default_limit', 'pull_max_limit'],
    ['full_default_limit', 'full_max_limit'],
  ] as const) {
    if (config[size] > config[max]) {
      problems.push({
        where: placeOf([size]),
        key: size,
        value: String(config[size]),
        message: `expected at most ${max} (${config[max]})`,
        example: `${size}: ${config[max]}`,
      });
    }
  }
}

/** Says where derived values came from; `config print` shows it. */
function noteDerived(parsed: ParsedConfig, config: Config, origins: Map<string, string>): void {
  const note = (key: string, text: string): void => {
    if (origins.get(key) === 'default') origins.set(key, `default (${text})`);
  };
  note('store', parsed.mongodb_uri === undefined ? 'no mongodb_uri' : 'mongodb_uri is set');
  note('receipt_ttl_days', 'twice oplog_ttl_days');
  note('tombstone_ttl_days', 'receipt_ttl_days');
  note('auth.scope_id_field', 'auth.actor_id_field');
  note('auth.algorithms', hasPublicKeys(parsed.auth) ? 'public keys' : 'a secret');
  if (config.dev_secret_file !== null) {
    note('auth.secret', 'made at the first start, kept in dev-secret');
  }
  if (parsed.collections === undefined) note('collections', 'no configuration file');
  if (config.auto_init !== parsed.auto_init) note('auto_init', 'no configuration file');
}
