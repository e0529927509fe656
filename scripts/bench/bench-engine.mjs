/** An engine over a store, without HTTP. */

import { SyncEngine } from '../../src/core/engine.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { LIMITS } from '../../src/protocol/pure/limits.ts';

const DAY_SECONDS = 86_400;

/** The layout of one collection `tasks`. */
export function benchLayout() {
  return {
    collections: [{ name: 'tasks', id_type: 'string' }],
    oplog_ttl_seconds: 30 * DAY_SECONDS,
    receipt_ttl_seconds: 60 * DAY_SECONDS,
    tombstone_ttl_seconds: 60 * DAY_SECONDS,
    conflict_ttl_seconds: 60 * DAY_SECONDS,
    catalogue_hash: 'bench',
    new_epoch: 'bench',
    new_cursor_key: nodeSystem.crypto.randomHex(32),
  };
}

/** An engine whose calls take a context made by `engine.context(scope)`; `policy` changes its collection. */
export async function createBenchEngine(store, policy = {}) {
  const limits = Object.fromEntries(Object.entries(LIMITS).map(([key, { max }]) => [key, max]));
  const engine = new SyncEngine({
    store,
    system: nodeSystem,
    telemetry: { emit() {} },
    access: { authorize: () => true },
    catalogue: new Map([
      [
        'tasks',
        {
          name: 'tasks',
          id_type: 'string',
          resolver: 'lww',
          delete_policy: 'resurrect_on_update',
          scope_field: null,
          scope: null,
          capture: false,
          ...policy,
        },
      ],
    ]),
    limits,
    meta: await store.readMeta(),
    push_on_reject: 'partial',
    receipt_lifetime_ms: 60 * DAY_SECONDS * 1_000,
    node_prefix: 'b',
    app_name: 'bench',
    server_version: '0',
  });
  engine.context = (scope_id) => ({
    identity: { actor_id: 'bench', scope_ids: [scope_id] },
    scope_id,
    request_id: 'bench',
  });
  return engine;
}
