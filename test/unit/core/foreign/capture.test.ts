/** The capture worker over a feed in memory: its place is saved behind work, and nothing is skipped. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCapture } from '../../../../src/core/foreign/capture.ts';
import type { FeedBatch, ForeignStore } from '../../../../src/core/ports/foreign.ts';
import { StoreError, type SyncStore } from '../../../../src/core/ports/store.ts';
import type { EngineEvent } from '../../../../src/core/ports/telemetry.ts';
import { world } from '../../../support/engine/engine-world.ts';
import { catalogue, document, hlc, policy } from '../../../support/engine/records.ts';

const CATALOGUE = catalogue(policy('tasks', { capture: true }));
const KEY = { collection: 'tasks', doc_id: 't1' };

function batch(token: string, fields: Partial<FeedBatch> = {}): FeedBatch {
  return { keys: [KEY], whole: [], drained: true, token, ...fields };
}

/** Runs a worker until `calls` calls of the port were made; `over` replaces parts of the port. */
async function run(
  over: (log: string[]) => Partial<ForeignStore>,
  calls: number,
): Promise<{ log: string[]; rows: number; events: readonly EngineEvent[] }> {
  const stop = new AbortController();
  const log: string[] = [];
  const noted = new Proxy(log, {
    set(target, key, value) {
      Reflect.set(target, key, value);
      if (target.length >= calls) stop.abort();
      return true;
    },
  });
  const own = world({ catalogue: CATALOGUE });
  own.clock.sleep = async (ms: number) => own.clock.pass(ms);
  const changed = { ...document(hlc(-10_000)), data: { title: 'other' } };
  own.store.documents.set('tasks\u0000t1', changed);
  const foreign = {
    readFeedPlace: async () => ({ token: null, compared: [] }),
    saveFeedToken: async (_: unknown, token: string | null) => {
      noted.push(`save ${token}`);
    },
    openFeed: async () => ({ next: async () => batch('1'), close: async () => undefined }),
    findTraces: async () => [],
    async *findDocuments() {
      yield { document: changed, bytes: 100 };
    },
    async *scan() {
      noted.push('scan');
      yield* [];
    },
    async *scanTraces() {
      noted.push('scan traces');
      yield* [];
    },
    ...over(noted),
  } as unknown as ForeignStore;
  const store: SyncStore = Object.assign(own.core.store, { foreign });
  const options = { collections: ['tasks'], rescan_ms: 1_000, signal: stop.signal };
  await runCapture({ ...own.core, store }, options);
  return { log, rows: own.store.rows.length, events: own.events };
}

test('[FW-8] the place is saved behind work that is done, and a batch that failed comes again', async () => {
  let looks = 0;
  const { log, rows } = await run(
    (noted) => ({
      async findTraces() {
        looks += 1;
        noted.push(`look ${looks}`);
        if (looks === 1) throw new StoreError('unavailable', 'gone');
        return [];
      },
    }),
    7,
  );
  assert.deepEqual(log.slice(0, 7), [
    ...['scan', 'scan traces', 'look 1'],
    ...['scan', 'scan traces', 'look 2', 'save 1'],
  ]);
  assert.equal(rows, 1);
});

test('[FW-8] a comparison that was cut off is no place to go on from', async () => {
  let scans = 0;
  const { log } = await run(
    (noted) => ({
      async *scanTraces() {
        scans += 1;
        noted.push(`scan traces ${scans}`);
        if (scans === 1) throw new StoreError('unavailable', 'a scan was cut off');
        yield* [];
      },
    }),
    5,
  );
  assert.deepEqual(log.slice(0, 5), ['scan', 'scan traces 1', 'scan', 'scan traces 2', 'save 1']);
});

test('[FW-8] a place that the database has forgotten is given up, and everything is compared', async () => {
  let token: string | null = 'old';
  const { log } = await run(
    (noted) => ({
      readFeedPlace: async () => ({ token, compared: ['tasks'] }),
      async saveFeedToken(_, next) {
        token = next;
        noted.push(`save ${next}`);
      },
      async openFeed(_, from) {
        if (from === 'old') throw new StoreError('history_lost', 'too old');
        return { next: async () => batch('new'), close: async () => undefined };
      },
    }),
    4,
  );
  assert.deepEqual(log.slice(0, 4), ['save null', 'scan', 'scan traces', 'save new']);
});

test('[FW-8] without a feed whole collections are compared again and again', async () => {
  const { log } = await run(
    () => ({
      async openFeed() {
        throw new StoreError('unsupported', 'no streams here');
      },
    }),
    6,
  );
  const round = ['scan', 'scan traces', 'save null'];
  assert.deepEqual(log.slice(0, 6), [...round, ...round]);
});

test('[FW-12] a collection that was replaced is compared before the place is saved', async () => {
  const { log } = await run(
    () => ({
      readFeedPlace: async () => ({ token: 'here', compared: ['tasks'] }),
      async openFeed() {
        const whole = ['tasks', 'unknown'];
        return { next: async () => batch('2', { keys: [], whole }), close: async () => undefined };
      },
    }),
    3,
  );
  assert.deepEqual(log.slice(0, 3), ['scan', 'scan traces', 'save 2']);
});

test('[FW-8] a worker without a feed compares again and again, and says so once', async () => {
  const noFeed = { openFeed: () => Promise.reject(new StoreError('unsupported', 'no stream')) };
  const { log, events } = await run(() => noFeed, 9);
  assert.ok(log.filter((call) => call === 'scan').length >= 3);
  const states = events.filter(({ event }) => event === 'capture.state');
  assert.equal(states.length, 1);
});
