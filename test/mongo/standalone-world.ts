/** An engine over a standalone MongoDB without transactions, and the pushes of its crash tests. */

import type { CollectionPolicy } from '../../src/core/collections.ts';
import type { RequestContext } from '../../src/core/context.ts';
import { SyncEngine } from '../../src/core/engine.ts';
import type { SyncStore, WantedLayout } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import type { PushRequest } from '../../src/protocol/push.ts';
import { createMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import type { Connection } from '../../src/storage/mongo/topology.ts';
import { CONTRACT_LAYOUT } from '../contract/contract-world.ts';

const DAY_MS = 86_400_000;
const LIMITS = {
  push_max_changes: 500,
  max_document_bytes: 1_048_576,
  pull_default_limit: 500,
  pull_max_limit: 1_000,
  pull_max_bytes: 8_388_608,
  full_default_limit: 1_000,
  full_max_limit: 5_000,
  max_clock_drift_ms: 60_000,
};

/** The one scope of these tests. */
export const SCOPE = 'north';
/** Collections of these tests; `tasks` leaves traces. */
export const COLLECTIONS = ['tasks', 'notes'] as const;
/** The layout of these tests. */
export const LAYOUT: WantedLayout = {
  ...CONTRACT_LAYOUT,
  collections: COLLECTIONS.map((name) => ({ name, id_type: 'string' })),
};
/** Time of a database whose other processes all look dead. */
export const LATER = { $add: ['$$NOW', 10_000] };

/** A store of this process over the connection. */
export function openStandalone(
  connection: Connection,
  now_expression: unknown = '$$NOW',
): Promise<SyncStore> {
  return createMongoStore(connection, {
    node_id: nodeSystem.crypto.randomBase36(8),
    clock: nodeSystem.clock,
    collections: COLLECTIONS.map((name) => ({ name, id_type: 'string' })),
    now_expression,
  });
}

/** An engine for everybody over a store that was set up. */
export async function engineOver(store: SyncStore): Promise<SyncEngine> {
  const meta = await store.readMeta();
  if (meta === null) throw new Error('the store was not set up');
  return new SyncEngine({
    store,
    system: nodeSystem,
    telemetry: { emit: () => {} },
    access: { authorize: () => true },
    catalogue: new Map(COLLECTIONS.map((name) => [name, policy(name)])),
    limits: LIMITS,
    meta,
    push_on_reject: 'partial',
    receipt_lifetime_ms: 60 * DAY_MS,
    node_prefix: '',
    app_name: 'test',
    server_version: '0.0.0',
  });
}

/** Who pushes. */
export function contextOf(request_id: string): RequestContext {
  const identity = { actor_id: 'actor', scope_ids: [SCOPE] };
  return { identity, scope_id: SCOPE, request_id };
}

/** Pushes with ids, and gives back the results. */
export async function push(engine: SyncEngine, request: PushRequest) {
  return (await engine.push(contextOf(request.client_id), request)).body.results;
}

function policy(name: string): CollectionPolicy {
  return {
    name,
    id_type: 'string',
    resolver: 'lww',
    delete_policy: 'resurrect_on_update',
    scope_field: null,
    scope: null,
    capture: name === 'tasks',
  };
}
