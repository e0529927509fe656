/**
 * A server process with hooks: composed like the real one, from the same environment, but the
 * database's time can be skewed, a fault can be planted, and the log can be pruned from outside.
 * Argument: the hooks and the port as JSON.
 */

import process from 'node:process';
import { createAccess } from '../../src/compose-access.ts';
import { catalogueOf, wantedLayout } from '../../src/config/engine-settings.ts';
import type { Config } from '../../src/config/finish-config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { SyncEngine } from '../../src/core/engine.ts';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { ensureLayout } from '../../src/core/upkeep/layout.ts';
import { createApp } from '../../src/http/app.ts';
import type { AppOptions } from '../../src/http/route.ts';
import { startServer } from '../../src/http/server.ts';
import { StreamServer } from '../../src/http/stream/stream-server.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { openEmbeddedStore } from '../../src/storage/embedded/embedded-store.ts';
import { createMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { withMutant } from '../support/process/mutants.ts';
import type { ServerHooks } from '../support/process/server-hooks.ts';
import { freshAdmission } from '../http/support/admission.ts';

const DAY_MS = 86_400_000;
const DRAIN_MS = 5_000;
const NODE_ID_LENGTH = 8;
const { clock, crypto } = nodeSystem;

const { port, ...hooks } = JSON.parse(process.argv[2] ?? '{}') as ServerHooks & { port: number };
const { config } = await loadConfig({ cwd: process.cwd(), env: process.env });
const store = await openStore(config);
const meta = await ensureLayout(store, wantedLayout(config, crypto), true);
const access = await createAccess(config);
const engine = new SyncEngine({
  store,
  system: nodeSystem,
  telemetry: { emit() {} },
  access,
  catalogue: catalogueOf(config),
  limits: config,
  meta,
  push_on_reject: config.push_on_reject,
  receipt_lifetime_ms: config.receipt_ttl_days * DAY_MS,
  node_prefix: config.hlc_node_id,
  app_name: 'offline-sync',
  server_version: 'test',
});
const { stream } = hooks;
engine.live.start();
const app_options: AppOptions = {
  engine,
  live: engine.live,
  admission: freshAdmission(stream),
  access,
  limits: config,
  cors: [],
  readiness: async () => ({ ready: true, checks: [] }),
  metrics: { text: async () => ({ body: '', type: 'text/plain' }), token: null },
  requestLog: {
    finished({ status, cause }) {
      if (status === 500) process.stderr.write(`${String((cause as Error)?.stack ?? cause)}\n`);
    },
  },
  clock,
  crypto,
};
const streams = new StreamServer({
  ...app_options,
  stream: {
    ...{ token_in_query: false, buffer_bytes: config.stream.buffer_bytes },
    log: { open() {}, closed() {} },
    ...(stream === undefined ? {} : { times: stream }),
  },
});
const app = createApp(app_options);
const server = await startServer(app, { host: '127.0.0.1', port, drain_ms: DRAIN_MS, streams });
process.on('message', onMessage);
process.once('SIGTERM', async () => {
  await server.close();
  await engine.drain();
  await store.close();
  process.exit(0);
});
// A test that was killed leaves no server behind.
process.once('disconnect', () => process.exit(1));
const url = `http://127.0.0.1:${server.port}`;
process.stdout.write(`${JSON.stringify({ event: 'listening', url })}\n`);

async function onMessage(message: {
  call: number;
  prune: { scope_id: string; seq: number };
}): Promise<void> {
  const { call, prune } = message;
  try {
    process.send?.({ call, pruned: await store.prune(prune.scope_id, prune.seq) });
  } catch (error) {
    process.send?.({ call, error: String(error) });
  }
}

async function openStore({
  store: kind,
  data_dir,
  mongodb_uri,
  database_name,
  collections,
}: Config): Promise<SyncStore> {
  if (kind === 'embedded') {
    return openEmbeddedStore({ data_dir, mode: 'write', clock, onFatal: () => process.exit(1) });
  }
  const connection = await connect(mongodb_uri as string, database_name as string);
  return createMongoStore(withMutant(connection, hooks.mutant), {
    node_id: crypto.randomBase36(NODE_ID_LENGTH),
    collections: collections.map(({ name, id_type }) => ({ name, id_type })),
    clock,
    ...(hooks.skew_ms === undefined ? {} : { now_expression: skewedNow(hooks.skew_ms) }),
  });
}

/** Half of the skew is this process's own, the other half is drawn by the database each time. */
function skewedNow(skew_ms: number): unknown {
  const own = Math.round((Math.random() - 0.5) * skew_ms);
  const drawn = { $toLong: { $multiply: [{ $subtract: [{ $rand: {} }, 0.5] }, skew_ms] } };
  return { $add: ['$$NOW', own, drawn] };
}
