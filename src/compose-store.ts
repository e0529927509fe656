/**
 * The half of the composition root that commands share with the server: a configuration becomes an
 * open store, and a store an engine. Each adapter is loaded when it is chosen.
 */

import { existsSync } from 'node:fs';
import { EARLIEST_TIME_MS, PACKAGE_VERSION } from './build-info.ts';
import { ConfigError } from './config/config-error.ts';
import { catalogueOf, engineLimits, wantedLayout } from './config/engine-settings.ts';
import type { Config } from './config/finish-config.ts';
import { maskUri } from './config/mask.ts';
import { GuardedClock } from './core/clock-guard.ts';
import { SyncEngine } from './core/engine.ts';
import { HybridClock } from './core/hybrid-clock.ts';
import type { Access } from './core/ports/access.ts';
import type { StoreRemoval } from './core/ports/removal.ts';
import type { StoreMeta } from './core/ports/history.ts';
import type { OpenStore } from './core/ports/scope-writes.ts';
import { StoreError, type SyncStore } from './core/ports/store.ts';
import type { Clock } from './core/ports/system.ts';
import type { Telemetry } from './core/ports/telemetry.ts';
import { checkChanges } from './core/push/check-changes.ts';
import { rejection } from './core/push/results.ts';
import { ensureLayout, requireSetup } from './core/upkeep/layout.ts';
import { type HistoryCore, payResets } from './core/upkeep/new-history.ts';
import { nodeSystem } from './node-system.ts';
import type { ChangeResult } from './protocol/change.ts';

/** `serve` writes and holds the store, `setup` changes its layout, `read` looks on beside a server. */
export type StoreMode = 'serve' | 'setup' | 'read';

/** How a store is opened. */
interface OpenStoreOptions {
  readonly mode: StoreMode;
  /** A MongoDB client of the application around, instead of one that is opened here. */
  readonly client?: unknown;
  /** Time of the embedded store; the database has its own. */
  readonly clock?: Clock;
  /** The store cannot go on (an I/O error on commit): the process has to end. */
  onFatal?(error: Error): void;
}

const APP_NAME = 'offline-sync';
const DAY_SECONDS = 86_400;
const RANDOM_ID_LENGTH = 8;
/** The configured store cannot be used; `place` says which one, without credentials. */
export class StoreUnreachable extends Error {
  readonly store: Config['store'];
  readonly place: string;

  constructor(config: Config, cause: StoreError) {
    super(cause.message, { cause });
    this.name = 'StoreUnreachable';
    this.store = config.store;
    this.place = config.store === 'mongo' ? maskUri(config.mongodb_uri ?? '') : config.data_dir;
  }
}

/**
 * Opens the store, works with it and closes it. Throws `StoreUnreachable`, and `StoreError` of
 * kind `locked` when another process holds it.
 */
export async function withStore<T>(
  config: Config,
  mode: StoreMode,
  work: (store: SyncStore) => Promise<T>,
): Promise<T> {
  let store: SyncStore | undefined;
  try {
    store = await openStore(config, { mode });
    return await work(store);
  } catch (error) {
    throw withPlace(config, error);
  } finally {
    await store?.close();
  }
}

/** The error with the place of a store that cannot be reached. */
export function withPlace(config: Config, error: unknown): unknown {
  const unreachable = error instanceof StoreError && error.kind === 'unavailable';
  return unreachable ? new StoreUnreachable(config, error) : error;
}

/** False when the embedded store was never made; a database server is asked when it is opened. */
export async function storeExists(config: Config): Promise<boolean> {
  if (config.store !== 'embedded') return true;
  const { databaseFile } = await import('./storage/embedded/data-folder.ts');
  return existsSync(databaseFile(config.data_dir));
}

/** The removal of the configured store. Throws as `openStore` does. */
export async function openRemoval(config: Config): Promise<StoreRemoval> {
  if (config.store === 'embedded') {
    const { embeddedRemoval } = await import('./storage/embedded/removal.ts');
    return embeddedRemoval(config.data_dir);
  }
  const { openMongoRemoval } = await import('./storage/mongo/removal.ts');
  return openMongoRemoval(
    {
      uri: config.mongodb_uri as string,
      database: config.database_name as string,
      transactions: config.transactions,
    },
    wantedLayout(config, nodeSystem.crypto),
  ).catch((error: unknown) => {
    throw isRefusedUri(error) ? uriProblem(error) : error;
  });
}

/** Opens the configured store. Throws `StoreError`, and `ConfigError` for a refused connection string. */
export async function openStore(config: Config, options: OpenStoreOptions): Promise<OpenStore> {
  const { mode, client, clock = nodeSystem.clock, onFatal = () => {} } = options;
  if (config.store === 'embedded') {
    const { openEmbeddedStore } = await import('./storage/embedded/embedded-store.ts');
    const access = mode === 'read' ? 'read' : 'write';
    return openEmbeddedStore({ data_dir: config.data_dir, mode: access, clock, onFatal });
  }
  const { openMongoStore } = await import('./storage/mongo/mongo-store.ts');
  const opening = openMongoStore({
    uri: config.mongodb_uri as string,
    client,
    database: config.database_name as string,
    transactions: config.transactions,
    node_id: nodeSystem.crypto.randomBase36(RANDOM_ID_LENGTH),
    collections: config.collections,
    clock,
    // Nothing is written before the layout was verified; sessions open with the first push.
    mode: mode === 'read' ? 'read' : 'tool',
  });
  return opening.catch((error: unknown) => {
    throw isRefusedUri(error) ? uriProblem(error) : error;
  });
}

/** The driver judged the connection string before it connected: a fault of the configuration. */
function isRefusedUri(error: unknown): error is StoreError {
  return error instanceof StoreError && error.kind === 'failed' && error.cause === undefined;
}

function uriProblem({ message }: StoreError): ConfigError {
  const example = 'mongodb://127.0.0.1:27017/?replicaSet=rs0';
  return new ConfigError([{ where: 'mongodb_uri', message, example }]);
}

/**
 * Works with an engine as a server would, without listening: for commands that write. Everybody may
 * do everything, because whoever runs a command can read the store's files anyway. Throws as
 * `withStore` does, and `SetupError` for a store that was not initialised.
 */
export async function withEngine<T>(
  config: Config,
  work: (engine: SyncEngine) => Promise<T>,
): Promise<T> {
  const clock = storeClock(config);
  let store: SyncStore | undefined;
  try {
    store = await openStore(config, { mode: 'serve', clock });
    const meta = await prepareStore({ config, store, clock });
    const telemetry: Telemetry = { emit: () => {} };
    const engine = createEngine({ config, store, meta, telemetry, clock }, EVERYTHING);
    try {
      return await work(engine);
    } finally {
      await engine.drain();
    }
  } catch (error) {
    throw withPlace(config, error);
  } finally {
    await store?.close();
  }
}

/** The result of each change that would be refused before anything is read; null for the others. */
export type ChangeChecker = (
  scope_id: string,
  changes: readonly unknown[],
) => readonly (ChangeResult | null)[];

/** Judges changes as a push does before it reads anything: for dry runs, which leave the store alone. */
export function changeChecker(config: Config): ChangeChecker {
  const catalogue = catalogueOf(config);
  const { max_document_bytes } = engineLimits(config);
  const digest = nodeSystem.crypto.sha256;
  const mayPush = () => true;
  return (scope_id, changes) =>
    checkChanges(changes, { catalogue, scope_id, max_document_bytes, digest, mayPush }).map(
      (checked) =>
        checked.kind === 'admitted' ? null : rejection(checked, checked.code, checked.issues),
    );
}

/**
 * Verifies the layout (and makes it, where the configuration permits), tells other processes that this
 * one works with the store, and only then looks again: whoever removes everything or begins another
 * history marks that first and then counts processes, so one of the two always sees the other.
 */
export async function prepareStore(
  parts: Pick<EngineParts, 'config' | 'store' | 'clock'>,
): Promise<StoreMeta> {
  const { config, store } = parts;
  const layout = wantedLayout(config, nodeSystem.crypto);
  await ensureLayout(store, layout, config.auto_init);
  await store.announce();
  if (config.auto_init) await payResets(historyCore(parts));
  return requireSetup(store);
}

/** What barriers are written with, outside a server. */
export function historyCore(parts: Pick<EngineParts, 'config' | 'store' | 'clock'>): HistoryCore {
  const { config, store, clock } = parts;
  const system = { clock, crypto: nodeSystem.crypto };
  return { store, system, hybridClock: new HybridClock(system, config.hlc_node_id) };
}

const EVERYTHING: Pick<Access, 'authorize'> = { authorize: () => true };

/** Time for a store that lives on the process clock is guarded against jumps; others bring their own. */
export function storeClock(
  config: Config,
  onHeldBack: (jump_ms: number) => void = () => {},
): Clock {
  if (config.store !== 'embedded') return nodeSystem.clock;
  return new GuardedClock(nodeSystem.clock, { earliest_ms: EARLIEST_TIME_MS, onHeldBack });
}

/** What an engine is made of beside its configuration. `meta` was read after the layout was verified. */
export interface EngineParts {
  readonly config: Config;
  readonly store: SyncStore;
  readonly meta: StoreMeta;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** An engine over an open store, for callers that `access` judges. */
export function createEngine(parts: EngineParts, access: Pick<Access, 'authorize'>): SyncEngine {
  const { config, store, meta, telemetry, clock } = parts;
  return new SyncEngine({
    store,
    system: { clock, crypto: nodeSystem.crypto },
    telemetry,
    access,
    catalogue: catalogueOf(config),
    limits: engineLimits(config),
    meta,
    push_enabled: config.push.enabled,
    push_on_reject: config.push_on_reject,
    receipt_lifetime_ms: config.receipt_ttl_days * DAY_SECONDS * 1_000,
    node_prefix: config.hlc_node_id,
    app_name: APP_NAME,
    server_version: PACKAGE_VERSION,
  });
}
