/** An engine whose capture runs against a real change stream, and the application beside it. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Collection, Document } from 'mongodb';
import type { Catalogue } from '../../src/core/collections.ts';
import { SyncEngine } from '../../src/core/engine.ts';
import type { Adoption } from '../../src/core/foreign/adoption.ts';
import type { EngineEvent } from '../../src/core/ports/telemetry.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { LIMITS } from '../../src/protocol/pure/limits.ts';
import { catalogue, policy } from '../support/engine/records.ts';
import { openWatched, type WatchedOptions, type WatchedStore } from './mongo-world.ts';

/** Tasks of teams, looked at. */
export const CAPTURED = catalogue(policy('tasks', { scope_field: ['team'], capture: true }));
const DEFAULTS = Object.fromEntries(
  Object.entries(LIMITS).map(([name, limit]) => [name, limit.default]),
) as Record<keyof typeof LIMITS, number>;
const WAIT_MS = 20_000;

/** What a test works with. */
export interface CaptureWorld {
  readonly watched: WatchedStore;
  readonly tasks: Collection<Document>;
  readonly events: EngineEvent[];
  readonly engine: SyncEngine;
  /** Rows of the oplog, in commit order. */
  rows(): Promise<Document[]>;
  /** Starts a worker; returns how to stop it. */
  capture(on?: SyncEngine): () => Promise<void>;
  another(): Promise<SyncEngine>;
}

/** Opens a world; it is closed when the test ends. */
export async function captureWorld(
  t: TestContext,
  policies: Catalogue = CAPTURED,
  options: WatchedOptions = {},
): Promise<CaptureWorld> {
  const watched = await openWatched(options);
  const events: EngineEvent[] = [];
  const stops: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const stop of stops) await stop();
    await watched.close();
  });
  const engineOn = async ({ store }: WatchedStore): Promise<SyncEngine> => {
    const meta = await store.readMeta();
    assert.ok(meta !== null);
    return new SyncEngine({
      store,
      system: nodeSystem,
      telemetry: { emit: (event) => events.push(event) },
      access: { authorize: () => true },
      catalogue: policies,
      limits: DEFAULTS,
      meta,
      push_on_reject: 'partial',
      receipt_lifetime_ms: 86_400_000,
      node_prefix: '',
      app_name: 'test',
      server_version: '0.0.0',
    });
  };
  const engine = await engineOn(watched);
  return {
    watched,
    events,
    engine,
    tasks: watched.db.collection('tasks'),
    rows: () => watched.db.collection('sync_oplog').find().sort({ scope_id: 1, seq: 1 }).toArray(),
    another: async () => engineOn(await watched.another()),
    capture(on = engine) {
      const stop = new AbortController();
      const { signal } = stop;
      const options = { collections: ['tasks'], rescan_ms: 100, signal };
      const running = (on.adoption as Adoption).capture(options);
      const end = async (): Promise<void> => {
        stop.abort();
        await running;
      };
      stops.push(end);
      return end;
    },
  };
}

/** Waits for a state of the database, and fails with what is there instead. */
export async function until(
  what: string,
  isTrue: () => Promise<boolean>,
  seen: () => Promise<unknown>,
) {
  const end = performance.now() + WAIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) assert.fail(`${what}: ${JSON.stringify(await seen())}`);
    await nodeSystem.clock.sleep(20);
  }
}

/** Whether a capture follows its stream. */
export function followed(events: readonly EngineEvent[], times = 1): boolean {
  const states = events.filter((one) => one.event === 'capture.state');
  return states.filter(({ state }) => state === 'following').length >= times;
}

/** A filter by id. */
export const id = (text: string): Document => ({ _id: text as never });
