/**
 * The composition root: a configuration becomes a store, an engine, an access rule and a listening
 * server, and all of it is closed again in order. It and its parts, `compose-*.ts`, are the only
 * files that know two adapters; each is loaded when it is chosen, so that a command pays for what it uses.
 */

import { PACKAGE_VERSION } from './build-info.ts';
import { checkKeys, openAccess } from './compose-access.ts';
import {
  createEngine,
  openStore,
  prepareStore,
  storeClock,
  withPlace,
  withStore,
} from './compose-store.ts';
import { engineLimits, wantedLayout } from './config/engine-settings.ts';
import type { Config } from './config/finish-config.ts';
import { isLoopback } from './config/loopback.ts';
import type { SyncEngine } from './core/engine.ts';
import type { Access } from './core/ports/access.ts';
import type { StoreMeta } from './core/ports/history.ts';
import type { SyncStore, WantedLayout } from './core/ports/store.ts';
import type { Clock } from './core/ports/system.ts';
import type { Telemetry } from './core/ports/telemetry.ts';
import { countInvisible, ensureLayout } from './core/upkeep/layout.ts';
import { createReadiness } from './core/upkeep/readiness.ts';
import { expiryBounds, runRetention } from './core/upkeep/retention.ts';
import type { AppOptions } from './http/route.ts';
import type { StreamServer } from './http/stream/stream-server.ts';
import { nodeSystem, repeat } from './node-system.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';

/** How a server is started. */
export interface StartOptions {
  readonly log: {
    readonly format: 'pretty' | 'json';
    readonly colour: boolean;
    write(line: string): void;
  };
  onFatal(error: Error): void;
}

/** A server that runs. */
export interface RunningProduct {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  readonly logger: Logger;
  /** Stops accepting, finishes what runs within the configured time, closes the store. */
  close(): Promise<void>;
}

const RETENTION_EVERY_MS = 60_000;

/** Asks for the keys, opens the store, verifies its layout: what `serve --check` proves. */
export async function checkProduct(config: Config): Promise<void> {
  await checkKeys(config);
  await withStore(config, 'read', async (store) => {
    await store.ping();
    await ensureLayout(store, wantedLayout(config, nodeSystem.crypto), false);
  });
}

/** How the parts of a server are opened, whoever then listens. */
export interface OpenOptions {
  readonly logger: Logger;
  /** Instead of the configured access. */
  readonly access?: Access;
  /** A MongoDB client of the application around. */
  readonly client?: unknown;
  onFatal(error: Error): void;
}

/** A server that does not listen: what answers requests, and what its owner may do beside them. */
export interface Product {
  readonly app_options: AppOptions;
  /** Takes the upgrades of whoever listens. */
  readonly streams: StreamServer;
  readonly engine: SyncEngine;
  /** Says that no new work is wanted; running requests go on. */
  stopAccepting(): void;
  /** Waits for running work and closes the store. */
  close(): Promise<void>;
}

/** Opens the store, verifies it and builds everything but a listener. Closes it again when a step fails. */
export async function openProduct(config: Config, options: OpenOptions): Promise<Product> {
  const { logger, client } = options;
  let telemetry: Telemetry | undefined;
  const clock = storeClock(config, (jump_ms) =>
    telemetry?.emit({ event: 'clock.held_back', jump_ms }),
  );
  let store: SyncStore | undefined;
  try {
    store = await openStore(config, { mode: 'serve', client, clock, onFatal: options.onFatal });
    const layout = wantedLayout(config, nodeSystem.crypto);
    const meta = await prepareStore({ config, store, clock });
    const { createMetrics } = await import('./observability/metrics.ts');
    const { createTelemetrySink } = await import('./observability/telemetry-sink.ts');
    const metrics = createMetrics({
      collections: config.collections.map(({ name }) => name),
      countOplog: store.countOplog.bind(store),
      clock,
      transactions: store.capabilities.transactions !== 'none',
    });
    telemetry = createTelemetrySink({ logger, metrics });
    await warnAboutStore({ config, store, meta, layout, logger });
    const access = options.access ?? (await openAccess(config, { clock, logger }));
    return await assemble(
      { config, store, meta, layout, logger, metrics, telemetry, clock },
      access,
    );
  } catch (error) {
    await store?.close();
    throw withPlace(config, error);
  }
}

interface Parts {
  readonly config: Config;
  readonly store: SyncStore;
  readonly meta: StoreMeta;
  readonly layout: WantedLayout;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

async function assemble(parts: Parts, access: Access): Promise<Product> {
  const { config, store, logger, metrics, clock } = parts;
  const engine = createEngine(parts, access);
  const state = { draining: false };
  const { createRequestLog } = await import('./observability/request-log.ts');
  if (!config.push.enabled) {
    logger.warn('push.disabled', 'devices may read only', {
      hint: 'their pushes are answered 503 and wait; set push.enabled: true to take them',
    });
  }
  const { createAdmission, createStreams } = await import('./compose-live.ts');
  const app_options: AppOptions = {
    engine,
    live: engine.live,
    access,
    limits: engineLimits(config),
    cors: config.cors.origins,
    readiness: createReadiness(parts, state),
    metrics: { text: metrics.text, token: metricsToken(config) },
    server_token: config.server_writes.token ?? null,
    requestLog: createRequestLog({ logger, metrics }),
    admission: createAdmission(config),
    clock,
    crypto: nodeSystem.crypto,
  };
  const streams = createStreams(app_options, { config, access, logger, metrics });
  // Last: what runs by itself has nobody to stop it when a step after it fails.
  engine.live.start();
  const stopRetention = startRetention(parts);
  const stopCapture = startCapture(engine, config);
  return {
    engine,
    app_options,
    streams,
    stopAccepting() {
      if (!state.draining) logger.info('server.draining', 'server finishes its requests');
      state.draining = true;
      streams.stop();
      void engine.live.drain();
    },
    async close() {
      await streams.end(config.drain_seconds * 1_000);
      await engine.drain();
      // Both may be cut off anywhere.
      const stopped = Promise.all([stopCapture(), stopRetention()]);
      await (store.unlessLost?.(stopped) ?? stopped);
      await store.close();
      if (state.draining) logger.info('server.stopped', 'server stopped');
    },
  };
}

/** Starts everything and listens. When a step fails, what was opened before it is closed again. */
export async function startProduct(config: Config, options: StartOptions): Promise<RunningProduct> {
  const { createLogger } = await import('./observability/logger.ts');
  const logger = await createLogger({
    level: config.log_level,
    format: options.log.format,
    colour: options.log.colour,
    destination: options.log,
  });
  const product = await openProduct(config, { logger, onFatal: options.onFatal });
  try {
    return await listenWith(product, { config, logger });
  } catch (error) {
    await product.close();
    throw error;
  }
}

/** Listens for a product, on the configured address; closing what comes back closes the product too. */
export async function listenWith(
  product: Product,
  of: { readonly config: Config; readonly logger: Logger; readonly embedded?: boolean },
): Promise<RunningProduct> {
  const { config, logger, embedded = false } = of;
  const { createApp } = await import('./http/app.ts');
  const { startServer } = await import('./http/server.ts');
  const { host, port: wanted_port } = config;
  const drain_ms = config.drain_seconds * 1_000;
  const app = createApp(product.app_options);
  const { streams } = product;
  const settings = { host, port: wanted_port, drain_ms, embedded, streams };
  const server = await startServer(app, settings);
  const { address, port } = server;
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  logger.info('server.listening', 'server is listening', {
    url,
    store: config.store,
    auth: config.auth.mode,
    server_version: PACKAGE_VERSION,
  });
  return {
    url,
    address,
    port,
    logger,
    async close() {
      product.stopAccepting();
      await server.close(drain_ms);
      await product.close();
    },
  };
}

/** Without a token the page is for this machine only: from elsewhere a random one refuses everybody. */
function metricsToken({ metrics, host }: Config): string | null {
  return metrics.token ?? (isLoopback(host) ? null : nodeSystem.crypto.randomHex(32));
}

/** What works on but not as somebody may expect. */
async function warnAboutStore(
  parts: Pick<Parts, 'config' | 'store' | 'meta' | 'layout' | 'logger'>,
): Promise<void> {
  const { config, store, meta, layout, logger } = parts;
  if (store.capabilities.transactions === 'none') {
    logger.warn('store.no_transactions', 'this MongoDB has no transactions: not for production', {
      hint: 'make it a one-member replica set (docs/OPERATIONS.md) and leave out "transactions: off"',
    });
  }
  if (meta.catalogue_hash !== layout.catalogue_hash) {
    logger.warn(
      'config.changed',
      'the collections are configured differently than at the last init',
      {
        hint: 'run "offline-sync init" to record it',
      },
    );
  }
  const names = config.collections.map(({ name }) => name);
  for (const { collection, count } of await countInvisible(store, names)) {
    logger.warn('documents.invisible', 'documents without a version are not served', {
      collection,
      count,
      hint: 'run "offline-sync migrate": documents that did not enter by push need a version',
    });
  }
}

/** Looks for writes of other programs to the collections that ask for it. Returns how to stop. */
function startCapture(engine: SyncEngine, config: Config): () => Promise<void> {
  const collections = config.collections.flatMap(({ name, capture }) =>
    capture === 'adopt' ? [name] : [],
  );
  if (collections.length === 0 || engine.adoption === null) return async () => {};
  const stop = new AbortController();
  const rescan_ms = config.capture_rescan_seconds * 1_000;
  const running = engine.adoption.capture({ collections, rescan_ms, signal: stop.signal });
  return () => {
    stop.abort();
    return running;
  };
}

/** Stores that expire rows themselves need no help. Returns how to stop. */
function startRetention({ store, config, clock, telemetry, logger }: Parts): () => Promise<void> {
  if (store.capabilities.retention !== 'own') return async () => {};
  return repeat(RETENTION_EVERY_MS, async (signal) => {
    try {
      const rows = await runRetention(store, expiryBounds(clock.now(), config), signal);
      telemetry.emit({ event: 'retention.pruned', rows });
    } catch (error) {
      logger.error('retention.failed', 'old rows could not be pruned', { err: error });
    }
  });
}
