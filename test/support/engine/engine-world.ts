/** An engine over the store in memory, with its clock, its events, and callers. */

import type { RequestContext } from '../../../src/core/context.ts';
import { SyncEngine } from '../../../src/core/engine.ts';
import { HybridClock } from '../../../src/core/hybrid-clock.ts';
import type { EngineCore, EngineLimits, EngineOptions } from '../../../src/core/parts.ts';
import type { EngineEvent } from '../../../src/core/ports/telemetry.ts';
import type { Change } from '../../../src/protocol/change.ts';
import type { PullQuery } from '../../../src/protocol/pull.ts';
import { type Hlc, ZERO_HLC } from '../../../src/protocol/pure/hlc.ts';
import { CATALOGUE, change, DRIFT_MS, LIFETIME_MS } from './deciding.ts';
import { FakeStore } from './fake-store.ts';
import { FakeClock, fakeSystem } from './fake-system.ts';
import { ACTOR, CLIENT, SCOPE } from './records.ts';

/** Everything around one engine. */
export interface World {
  readonly clock: FakeClock;
  readonly store: FakeStore;
  readonly events: EngineEvent[];
  readonly core: EngineCore;
  readonly engine: SyncEngine;
}

export const LIMITS: EngineLimits = {
  push_max_changes: 500,
  max_document_bytes: 1_048_576,
  pull_default_limit: 500,
  pull_max_limit: 1_000,
  pull_max_bytes: 8_388_608,
  full_default_limit: 1_000,
  full_max_limit: 5_000,
  max_clock_drift_ms: DRIFT_MS,
};

/** A world at noon; `options` replace parts of the engine. */
export function world(options: Partial<EngineOptions> = {}): World {
  const clock = new FakeClock();
  const store = new FakeStore(clock);
  const events: EngineEvent[] = [];
  const core: EngineOptions = {
    store: store.asStore(),
    system: fakeSystem(clock),
    telemetry: { emit: (event) => events.push(event) },
    access: { authorize: (_identity, collection) => collection !== 'forbidden' },
    catalogue: CATALOGUE,
    limits: LIMITS,
    meta: { schema_level: 1, epoch: 'epoch-1', cursor_key: 'ab'.repeat(32), catalogue_hash: '' },
    push_on_reject: 'partial',
    receipt_lifetime_ms: LIFETIME_MS,
    node_prefix: 'test',
    app_name: 'tests',
    server_version: '0.0.0',
    ...options,
  };
  const hybridClock = new HybridClock(core.system, core.node_prefix);
  return { clock, store, events, core: { ...core, hybridClock }, engine: new SyncEngine(core) };
}

/** A request of the usual actor. */
export function request(fields: Partial<RequestContext> = {}): RequestContext {
  return {
    identity: { actor_id: ACTOR, scope_ids: [SCOPE] },
    scope_id: SCOPE,
    request_id: 'request-1',
    ...fields,
  };
}

/** Pushes changes of `tasks` through the engine. */
export async function pushTo(
  { engine }: World,
  changes: readonly Partial<Change>[],
  fields: Partial<RequestContext> & { atomic?: 'partial' | 'bundle'; client_id?: string } = {},
) {
  const { atomic, client_id = CLIENT, ...context } = fields;
  const answer = await engine.push(request(context), {
    client_id,
    changes: changes.map((one) => change(one)),
    ...(atomic === undefined ? {} : { atomic }),
  });
  return answer.body;
}

/** Pushes one document per name, each as a bundle of its own; names in one array share a bundle. */
export async function fill(over: World, bundles: readonly (readonly string[])[]): Promise<void> {
  for (const ids of bundles) {
    await pushTo(
      over,
      ids.map((id) => {
        const [collection, doc_id] = id.split('/') as [string, string];
        return { collection, doc_id, data: { id } };
      }),
    );
    over.clock.pass(1_000);
  }
}

/** A query of a pull from the beginning. */
export function pullQuery(fields: Partial<PullQuery> = {}): PullQuery {
  return { since: ZERO_HLC, collections: undefined, limit: 500, ...fields };
}

/** Version of a scope's row by its `seq`. */
export function versionOf({ store }: World, seq: number): Hlc {
  const row = store.rows.find((one) => one.seq === seq && one.scope_id === SCOPE);
  if (row === undefined) throw new Error(`there is no row ${seq}`);
  return row.version;
}
