/**
 * The library form: the same server inside an application. It listens only when it is asked to, and
 * touches nothing of the process: no signals, no exit, no global objects, no listener for errors.
 */

import type { IncomingMessage, RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import { createOwnAccess, type OwnAuth } from './auth/own-access.ts';
import { listenWith, openProduct, type Product, type RunningProduct } from './compose.ts';
import type { Environment } from './config/coerce.ts';
import { ConfigError } from './config/config-error.ts';
import type { Config } from './config/finish-config.ts';
import { type ConfigInput, configFromOptions } from './config/options-config.ts';
import { checkServable } from './config/serve-rules.ts';
import type { Action, Identity } from './core/ports/access.ts';
import type { WrittenBundle } from './core/server-writes/decide-scope-write.ts';
import type {
  MetadataRequest,
  ServerChange,
  SyncMetadata,
} from './core/server-writes/record-server-change.ts';
import type { ScopeWriter } from './core/server-writes/scope-writer.ts';
import type { ScopeWriteResult } from './core/server-writes/with-scope-write.ts';
import { createApp, type SyncApp } from './http/app.ts';
import { createListener } from './http/server.ts';
import { nodeSystem } from './node-system.ts';
import { createLogger, type Logger, loggerOver, type LogSink } from './observability/logger.ts';
import type { SharedClient, SharedSession } from './storage/mongo/topology.ts';

/** How an application tells who calls, instead of tokens that the server checks. */
export interface SyncServerAuth {
  /**
   * Who sends this request, from whatever its headers hold; null is answered 401. Every scope that the
   * identity names may be read and written by the caller.
   */
  authenticate(request: Request): Promise<Identity | null> | Identity | null;
  /** Whether the caller may do this with a collection; without it: with every configured one. */
  authorize?(identity: Identity, collection: string, action: Action): boolean;
}

/** Least level of the lines that the server writes to stderr. */
export type SyncServerLogLevel = NonNullable<ConfigInput['log_level']>;

/** The keys of the configuration file (docs/CONFIG.md) as an object, and what only a program can hand over. */
export interface SyncServerOptions extends Omit<ConfigInput, 'auth' | 'log_level' | 'log_format'> {
  /** Keys of the section `auth`, or the application's own functions. `mode: "none"` is refused. */
  readonly auth?: ConfigInput['auth'] | SyncServerAuth;
  /**
   * A MongoDB client of the application, instead of `mongodb_uri`. It is used beside the application
   * and never closed. Options of it that would let an acknowledged change be lost are refused.
   */
  readonly client?: SharedClient;
  /** A logger shaped like pino's, or the least level of JSON lines on stderr. Default `info`. */
  readonly logger?: LogSink | SyncServerLogLevel;
  /** Variables that win over the keys, for example `process.env`. Without it none are read. */
  readonly env?: Environment;
  /** True: `app`, `fetch` and `handler` also serve the paths outside `/sync`, such as `/healthz`. */
  readonly operational_paths?: boolean;
  /**
   * Told when the embedded store can write no more, for example after a failed write to disk: requests
   * are then answered 503, and the application should end. Without it only a line is logged.
   */
  onFatal?(error: Error): void;
}

/** What the function of `withScopeWrite` works with. Everything must be awaited inside it. */
export interface ScopeWrite extends Omit<ScopeWriter, 'session'> {
  /**
   * The session for the application's own statements, on any collection:
   * `collection.updateOne(filter, update, { session: write.session })`. Throws `ScopeWriteError` on the
   * embedded store, which has none.
   */
  readonly session: SharedSession;
}

/** Which transaction `buildSyncMetadata` locks a scope in. */
export interface SyncMetadataRequest extends Omit<MetadataRequest, 'session'> {
  /** A session of the client that was given to `createSyncServer`, in a transaction. */
  readonly session: SharedSession;
}

/** What `recordServerChange` is told. */
export interface SyncServerChange extends Omit<ServerChange, 'session'> {
  readonly session: SharedSession;
}

/** A sync server inside an application. */
export interface SyncServer {
  /** The routes as a Hono application: `app.route('/', server.app)`, or below a prefix. */
  readonly app: SyncApp;
  /** Answers one request; for anything that speaks `Request` and `Response`. */
  fetch(request: Request): Promise<Response>;
  /** Answers one request of a plain `http.Server`. Its time-outs and limits are that server's. */
  readonly handler: RequestListener;
  /**
   * Serves `WS /sync/stream` on a plain `http.Server`: `server.on('upgrade', sync.handleUpgrade)`.
   * Upgrades to other paths are left to other listeners; without any they are served as plain requests.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Listens on the keys `host` and `port` with all paths, and with the limits of `serve`. */
  listen(): Promise<{ readonly url: string; readonly address: string; readonly port: number }>;
  /**
   * Writes of the application in one scope, in its own statements (MongoDB) or by `upsert` and
   * `delete` (every store): the scope is locked, `write` runs, the rows for clients are made of what
   * it wrote, and all of it is committed together. `write` must be repeatable: it runs again after a
   * transient error, and only the last run counts. What it throws rolls everything back and is thrown.
   */
  withScopeWrite<T>(
    scope_id: string,
    write: (write: ScopeWrite) => Promise<T> | T,
    options?: { readonly actor_id?: string },
  ): Promise<ScopeWriteResult<T>>;
  /**
   * For a transaction that the application opened itself (MongoDB): locks the scope in it and gives the
   * fields for its documents. It must be the first statement of the transaction, so that a busy scope
   * is waited for before anything was done; otherwise `accept_transient_errors` says that the
   * application repeats the transaction. Throws `ScopeWriteError`.
   */
  buildSyncMetadata(request: SyncMetadataRequest): Promise<SyncMetadata>;
  /**
   * Makes the row about one document that the application wrote in that transaction; call it after
   * each write. Clients get it when the application commits. Throws `ScopeWriteError`.
   */
  recordServerChange(change: SyncServerChange): Promise<WrittenBundle>;
  /**
   * Refuses new requests with 503, waits for running ones, and closes what `createSyncServer` opened:
   * the store and the own listener, not the application's client. May be called again.
   */
  close(): Promise<void>;
}

/**
 * Opens the store, verifies it (or creates what is missing, with `auto_init`) and gives the server.
 * Throws `ConfigError` for options that cannot be used, `SetupError` for a store that was not
 * initialised, and `StoreError` for one that cannot be reached or used.
 */
export async function createSyncServer(options: SyncServerOptions): Promise<SyncServer> {
  const { auth, client, logger: wanted, env, operational_paths, onFatal, ...keys } = options;
  const own = isOwnAuth(auth) ? auth : undefined;
  const config = configOf(
    { ...keys, ...(own === undefined ? { auth } : {}) },
    { client, env, own },
  );
  const logger = await openLogger(wanted, config);
  const product = await openProduct(config, {
    logger,
    client,
    ...(own === undefined ? {} : { access: createOwnAccess(own as OwnAuth) }),
    onFatal: (error) => {
      logger.error('store.failed', 'the store can write no more', { err: error });
      product.stopAccepting();
      onFatal?.(error);
    },
  });
  return serverOver(product, { config, logger, operational: operational_paths === true });
}

function isOwnAuth(auth: SyncServerOptions['auth']): auth is SyncServerAuth {
  return typeof (auth as { authenticate?: unknown } | undefined)?.authenticate === 'function';
}

/** With a client its address stands for the connection string, which messages then name. */
const SHARED_CLIENT = 'mongodb://the-client-of-the-application';

function configOf(
  keys: Readonly<Record<string, unknown>>,
  given: {
    readonly client: SharedClient | undefined;
    readonly env: Environment | undefined;
    readonly own: SyncServerAuth | undefined;
  },
): Config {
  const { client, env, own } = given;
  if (client !== undefined && keys['mongodb_uri'] !== undefined) {
    throw fault('mongodb_uri', 'give client or mongodb_uri, not both');
  }
  const place = client === undefined ? {} : { store: 'mongo', mongodb_uri: SHARED_CLIENT };
  const loaded = configFromOptions({ ...keys, ...place }, { cwd: process.cwd(), env });
  if (own !== undefined) return loaded.config;
  if (loaded.config.auth.mode === 'none') {
    throw fault(
      'auth.mode',
      'is refused here: the server cannot see who reaches the application',
      "auth: { authenticate: () => ({ actor_id: 'dev', scope_ids: ['default'] }) }",
    );
  }
  checkServable(loaded);
  return loaded.config;
}

function fault(key: string, message: string, example?: string): ConfigError {
  return new ConfigError([
    { where: 'options', key, message, ...(example === undefined ? {} : { example }) },
  ]);
}

function openLogger(wanted: SyncServerOptions['logger'], config: Config): Promise<Logger> | Logger {
  if (typeof wanted === 'object') return loggerOver(wanted);
  return createLogger({
    level: wanted ?? config.log_level,
    format: 'json',
    destination: process.stderr,
  });
}

function serverOver(
  product: Product,
  of: { readonly config: Config; readonly logger: Logger; readonly operational: boolean },
): SyncServer {
  const { config, operational } = of;
  const app = mountedApp(product, { config, operational });
  let listening: Promise<RunningProduct> | undefined;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    product.stopAccepting();
    const running = await listening?.catch(() => undefined);
    await (running ?? product).close();
  };
  return {
    app,
    fetch: async (request) => app.fetch(request),
    handler: createListener(app),
    handleUpgrade: product.streams.handleUpgrade,
    withScopeWrite: (scope_id, write, { actor_id } = {}) =>
      product.engine.withScopeWrite({
        scope_id,
        actor_id,
        // The store that gives sessions gives those of its driver.
        write: (writer) => write(writer as ScopeWrite),
      }),
    buildSyncMetadata: (request) => product.engine.buildSyncMetadata(request),
    recordServerChange: (change) => product.engine.recordServerChange(change),
    async listen() {
      listening ??= listenWith(product, { ...of, embedded: true });
      try {
        const { url, address, port } = await listening;
        return { url, address, port };
      } catch (error) {
        listening = undefined;
        throw error;
      }
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** The paths of somebody else's application are left alone: `/` is theirs, and `/healthz` may be. */
function mountedApp(
  { app_options }: Product,
  { config, operational }: { readonly config: Config; readonly operational: boolean },
): SyncApp {
  const isWanted = (path: string) => path.startsWith('/sync/') || (operational && path !== '/');
  // Who reaches the application is not known here: without a token the page is for nobody.
  const token = config.metrics.token ?? nodeSystem.crypto.randomHex(METRICS_TOKEN_BYTES);
  const metrics = { ...app_options.metrics, token };
  return createApp({ ...app_options, metrics }, isWanted);
}

const METRICS_TOKEN_BYTES = 32;
