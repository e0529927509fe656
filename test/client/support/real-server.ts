/** The real engine behind the real HTTP layer on a free port, for reference clients of one scope. */

import {
  type ClientOptions,
  type ClientState,
  SyncClient,
} from '../../../examples/minimal-client.mjs';
import type { Catalogue, CollectionPolicy } from '../../../src/core/collections.ts';
import { SyncEngine } from '../../../src/core/engine.ts';
import type { Access } from '../../../src/core/ports/access.ts';
import type { SyncStore } from '../../../src/core/ports/store.ts';
import type { EngineEvent } from '../../../src/core/ports/telemetry.ts';
import { type AppOptions, createApp } from '../../../src/http/app.ts';
import { startServer } from '../../../src/http/server.ts';
import { StreamServer } from '../../../src/http/stream/stream-server.ts';
import { nodeSystem } from '../../../src/node-system.ts';
import { LIMITS } from '../../../src/protocol/pure/limits.ts';
import type { StoreKind } from '../../http/support/stores.ts';
import { freshAdmission } from '../../http/support/admission.ts';

/** Collections of every client of these tests. */
export const COLLECTIONS = ['notes', 'tasks'];
const SCOPE = 's1';
const LIFETIME_SECONDS = 60 * 86_400;
const DEFAULTS = Object.fromEntries(
  Object.entries(LIMITS).map(([name, limit]) => [name, limit.default]),
) as Record<keyof typeof LIMITS, number>;

/** Everybody is welcome and acts as one person in one scope. */
const ACCESS: Access = {
  authenticate: async () => ({ actor_id: 'ann', scope_ids: [SCOPE] }),
  authorize: () => true,
};

/** A server that listens. */
export interface RealServer {
  readonly url: string;
  readonly events: readonly EngineEvent[];
  connect(more?: Partial<ClientOptions>, saved?: ClientState): SyncClient;
  /** Removes the rows of the log up to its head. */
  prune(): Promise<void>;
  /** Number of rows ever committed. */
  rows(): Promise<number>;
  /** The documents of a collection as the store holds them. */
  stored(collection: string, doc_ids: readonly string[]): Promise<Record<string, unknown>>;
  /** Stops the server with its engine, and starts another one there, on the same store. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server on a store of this kind. */
export async function startRealServer(kind: StoreKind): Promise<RealServer> {
  const wanted = COLLECTIONS.map((name) => ({ name, id_type: 'string' as const }));
  const opened = await kind.open(wanted);
  const { store } = opened;
  const events: EngineEvent[] = [];
  let running = await serve(store, events, 0);
  const { port } = running;
  const url = `http://127.0.0.1:${port}`;
  const head = async () => (await store.readScope(SCOPE, null)).head?.head_seq ?? 0;
  return {
    url,
    events,
    connect: (more, saved) => new SyncClient({ url, collections: COLLECTIONS, ...more }, saved),
    prune: async () => void (await store.prune(SCOPE, await head())),
    rows: head,
    async stored(collection, doc_ids) {
      const keys = doc_ids.map((doc_id) => ({ collection, doc_id }));
      const documents = await store.readDocuments(SCOPE, keys);
      return Object.fromEntries(documents.map(({ doc_id, data }) => [doc_id, data]));
    },
    async restart() {
      await running.stop();
      running = await serve(store, events, port);
    },
    async close() {
      await running.stop();
      await opened.close();
    },
  };
}

/** One life of the server: engine, live delivery and socket. */
async function serve(
  store: SyncStore,
  events: EngineEvent[],
  port: number,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const engine = await createEngine(store, events);
  engine.live.start();
  const options: AppOptions = {
    engine,
    live: engine.live,
    admission: freshAdmission(),
    access: ACCESS,
    limits: DEFAULTS,
    cors: [],
    readiness: async () => ({ ready: true, checks: [] }),
    metrics: { text: async () => ({ body: '', type: 'text/plain' }), token: 'none' },
    requestLog: { finished: () => undefined },
    clock: nodeSystem.clock,
    crypto: nodeSystem.crypto,
  };
  const log = { open: () => undefined, closed: () => undefined };
  const stream = { token_in_query: false, buffer_bytes: 1_048_576, log };
  const streams = new StreamServer({ ...options, stream });
  const settings = { host: '127.0.0.1', port, drain_ms: 1_000, streams };
  const server = await startServer(createApp(options), settings);
  return {
    port: server.port,
    async stop() {
      await engine.drain();
      await server.close(0);
    },
  };
}

async function createEngine(store: SyncStore, events: EngineEvent[]): Promise<SyncEngine> {
  await store.applySetup({
    collections: COLLECTIONS.map((name) => ({ name, id_type: 'string' })),
    oplog_ttl_seconds: LIFETIME_SECONDS,
    receipt_ttl_seconds: LIFETIME_SECONDS,
    tombstone_ttl_seconds: LIFETIME_SECONDS,
    conflict_ttl_seconds: LIFETIME_SECONDS,
    catalogue_hash: 'c1',
    new_epoch: 'epoch-1',
    new_cursor_key: 'ab'.repeat(32),
  });
  const meta = await store.readMeta();
  if (meta === null) throw new Error('the store was not set up');
  return new SyncEngine({
    store,
    system: nodeSystem,
    telemetry: { emit: (event) => events.push(event) },
    access: ACCESS,
    catalogue: new Map(COLLECTIONS.map((name) => [name, policy(name)])) satisfies Catalogue,
    limits: DEFAULTS,
    meta,
    push_on_reject: 'partial',
    receipt_lifetime_ms: LIFETIME_SECONDS * 1_000,
    node_prefix: '',
    app_name: 'test',
    server_version: '0.0.0',
  });
}

function policy(name: string): CollectionPolicy {
  return {
    name,
    id_type: 'string',
    resolver: 'lww',
    delete_policy: 'resurrect_on_update',
    scope_field: null,
    capture: false,
    scope: null,
  };
}
