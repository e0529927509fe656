/** A whole server over a store: engine, token check, HTTP, on a free port. */

import type { Catalogue, CollectionPolicy } from '../../../src/core/collections.ts';
import { SyncEngine } from '../../../src/core/engine.ts';
import type { EngineOptions } from '../../../src/core/parts.ts';
import { StoreError, type StoreErrorKind, type SyncStore } from '../../../src/core/ports/store.ts';
import type { EngineEvent } from '../../../src/core/ports/telemetry.ts';
import { createJwtAccess } from '../../../src/auth/jwt.ts';
import { type AppOptions, createApp } from '../../../src/http/app.ts';
import type { FinishedRequest } from '../../../src/http/request-log.ts';
import { type RunningServer, type ServerSettings, startServer } from '../../../src/http/server.ts';
import { StreamServer } from '../../../src/http/stream/stream-server.ts';
import { nodeSystem } from '../../../src/node-system.ts';
import { rawToken, TEST_SECRET } from '../../auth/raw-token.ts';
import { freshAdmission } from './admission.ts';
import { SERVER_TOKEN } from './fake-app.ts';
import type { StoreKind, TestStore } from './stores.ts';

/** Fixed parties of the tokens. */
export const ISSUER = 'https://login.example.org';
export const AUDIENCE = 'sync';
const RECEIPT_LIFETIME_SECONDS = 60 * 86_400;
const LIMITS = {
  push_max_changes: 500,
  max_document_bytes: 1_048_576,
  max_body_bytes: 8_388_608,
  pull_default_limit: 500,
  pull_max_limit: 1_000,
  pull_max_bytes: 8_388_608,
  full_default_limit: 1_000,
  full_max_limit: 5_000,
  max_clock_drift_ms: 60_000,
};

/** `hidden` is configured and permitted to nobody; `owned` is stamped with the scope. */
export const POLICIES: readonly CollectionPolicy[] = [
  policy('tasks'),
  policy('notes'),
  policy('hidden'),
  policy('objects', { id_type: 'objectid' }),
  policy('owned', { scope_field: ['meta', 'tenant'] }),
  policy('shared', { scope: 's2' }),
  policy('strict', { delete_policy: 'reject_update', resolver: 'server_wins' }),
  policy('final', { delete_policy: 'delete_wins' }),
];

/** A server and everything around it. */
export interface World {
  readonly kind: StoreKind['name'];
  readonly url: string;
  readonly port: number;
  readonly engine: SyncEngine;
  readonly opened: TestStore;
  readonly events: EngineEvent[];
  readonly finished: FinishedRequest[];
  /** While set, every commit fails with a store error of this kind. */
  failCommits: StoreErrorKind | undefined;
  close(): Promise<void>;
}

/** Time limits of sockets for tests that meet them, ms. */
const SHORT = { headers: 200, request: 300, idle: 2_000 };
/** For tests that never meet one, however busy the machine is. */
export const PATIENT = {};

/** Starts a server on a store of this kind. Sockets have short time limits unless others are given. */
export async function startWorld(
  kind: StoreKind,
  more: Partial<Pick<EngineOptions, 'push_enabled'>> = {},
  timeouts: ServerSettings['timeouts'] = SHORT,
): Promise<World> {
  const wanted = POLICIES.map(({ name, id_type }) => ({ name, id_type }));
  const opened = await kind.open(wanted);
  const { store } = opened;
  await store.applySetup({
    collections: wanted,
    oplog_ttl_seconds: RECEIPT_LIFETIME_SECONDS,
    receipt_ttl_seconds: RECEIPT_LIFETIME_SECONDS,
    tombstone_ttl_seconds: RECEIPT_LIFETIME_SECONDS,
    conflict_ttl_seconds: RECEIPT_LIFETIME_SECONDS,
    catalogue_hash: 'c1',
    new_epoch: 'epoch-1',
    new_cursor_key: 'ab'.repeat(32),
  });
  const meta = await store.readMeta();
  if (meta === null) throw new Error('the store was not set up');
  const events: EngineEvent[] = [];
  const finished: FinishedRequest[] = [];
  const access = createJwtAccess({
    secret: TEST_SECRET,
    algorithms: ['HS256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    scope_id_field: 'scopes',
    clock: nodeSystem.clock,
    authorize: (_, collection) => collection !== 'hidden',
  });
  const failing: { kind: StoreErrorKind | undefined } = { kind: undefined };
  const engine = new SyncEngine({
    store: failOnDemand(store, failing),
    system: nodeSystem,
    telemetry: { emit: (event) => events.push(event) },
    access,
    catalogue: new Map(POLICIES.map((one) => [one.name, one])) satisfies Catalogue,
    limits: LIMITS,
    meta,
    push_on_reject: 'partial',
    receipt_lifetime_ms: RECEIPT_LIFETIME_SECONDS * 1_000,
    node_prefix: '',
    app_name: 'test',
    server_version: '0.0.0',
    ...more,
  });
  engine.live.start();
  const server = await serve({ engine, access, finished, timeouts });
  return {
    kind: kind.name,
    url: `http://127.0.0.1:${server.port}`,
    port: server.port,
    engine,
    opened,
    events,
    finished,
    get failCommits() {
      return failing.kind;
    },
    set failCommits(kind) {
      failing.kind = kind;
    },
    async close() {
      await engine.live.drain();
      await server.close(0);
      await opened.close();
    },
  };
}

/** Short ones, because bad inputs wait for them. */
const STREAM_TIMES = { subscribe: 200, ping: 100, sweep: 20 };

function failOnDemand(store: SyncStore, failing: { kind: StoreErrorKind | undefined }): SyncStore {
  return new Proxy(store, {
    get(target, name) {
      const { kind } = failing;
      if (name === 'commitGroup' && kind !== undefined) {
        return () => Promise.reject(new StoreError(kind, 'mongodb://root:pw@db.internal is down'));
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function serve(parts: {
  engine: SyncEngine;
  access: ReturnType<typeof createJwtAccess>;
  finished: FinishedRequest[];
  timeouts: ServerSettings['timeouts'];
}): Promise<RunningServer> {
  const { engine, access, finished, timeouts } = parts;
  const admission = freshAdmission();
  const options: AppOptions = {
    engine,
    live: engine.live,
    access,
    admission,
    limits: LIMITS,
    cors: ['https://app.example.org'],
    readiness: async () => ({ ready: true, checks: [] }),
    metrics: { text: async () => ({ body: '', type: 'text/plain' }), token: 'metrics' },
    server_token: SERVER_TOKEN,
    requestLog: { finished: (request) => finished.push(request) },
    clock: nodeSystem.clock,
    crypto: nodeSystem.crypto,
  };
  const log = { open: () => {}, closed: () => {} };
  const stream = { token_in_query: false, buffer_bytes: 1_048_576, log, times: STREAM_TIMES };
  const streams = new StreamServer({ ...options, stream });
  return startServer(createApp(options), {
    streams,
    host: '127.0.0.1',
    port: 0,
    drain_ms: 1_000,
    ...(timeouts === undefined ? {} : { timeouts }),
  });
}

/** Claims of a good token, with changes; undefined takes a claim out. */
export function claims(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const now = Math.floor(nodeSystem.clock.now() / 1000);
  const good = { sub: 'ann', scopes: 's1', iss: ISSUER, aud: AUDIENCE, iat: now, exp: now + 3_600 };
  return { ...good, ...changes };
}

/** An `Authorization` header for claims as `claims` makes them. */
export function bearer(changes: Readonly<Record<string, unknown>> = {}): string {
  return `Bearer ${rawToken({ payload: claims(changes) })}`;
}

function policy(name: string, changes: Partial<CollectionPolicy> = {}): CollectionPolicy {
  return {
    name,
    id_type: 'string',
    resolver: 'lww',
    delete_policy: 'resurrect_on_update',
    scope_field: null,
    scope: null,
    capture: false,
    ...changes,
  };
}
