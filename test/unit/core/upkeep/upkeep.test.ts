import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreMeta } from '../../../../src/core/ports/history.ts';
import type { LayoutCheck, WantedLayout } from '../../../../src/core/ports/store.ts';
import {
  countInvisible,
  ensureLayout,
  requireSetup,
  SetupError,
  type SetupStore,
} from '../../../../src/core/upkeep/layout.ts';
import { createReadiness, LAYOUT_TRUSTED_MS } from '../../../../src/core/upkeep/readiness.ts';
import { expiryBounds, runRetention } from '../../../../src/core/upkeep/retention.ts';
import { SCHEMA_LEVEL } from '../../../../src/protocol/version.ts';

const wanted = { catalogue_hash: 'h' } as WantedLayout;
const meta = (schema_level = SCHEMA_LEVEL): StoreMeta => ({
  schema_level,
  epoch: 'e',
  cursor_key: 'k',
  catalogue_hash: 'h',
});

/** A store whose setup adds what is missing, unless `broken`. */
function setupStore(state: { meta: StoreMeta | null; missing: string[]; broken?: boolean }) {
  const calls: string[] = [];
  const store: SetupStore = {
    readMeta: async () => state.meta,
    checkLayout: async (): Promise<LayoutCheck[]> => [
      { name: 'present', ok: true, detail: '' },
      ...state.missing.map((name) => ({ name, ok: false, detail: 'is missing' })),
    ],
    applySetup: async () => {
      calls.push('applySetup');
      state.meta ??= meta();
      if (state.broken !== true) state.missing.length = 0;
      return [];
    },
  };
  return { store, calls };
}

const faultOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof SetupError ? [error.fault, error.findings] : error),
  );

test('[UP-1] a complete store of this level is served as it is', async () => {
  const { store, calls } = setupStore({ meta: meta(), missing: [] });
  assert.deepEqual(await ensureLayout(store, wanted, true), meta());
  assert.deepEqual(calls, []);
});

test('[UP-1] what is missing is named, and made only with permission', async () => {
  const empty = setupStore({ meta: null, missing: [] });
  assert.deepEqual(await faultOf(ensureLayout(empty.store, wanted, false)), [
    'not_initialised',
    [],
  ]);
  const partial = setupStore({ meta: meta(), missing: ['an index'] });
  assert.deepEqual(await faultOf(ensureLayout(partial.store, wanted, false)), [
    'layout_incomplete',
    ['an index: is missing'],
  ]);
  assert.deepEqual([...empty.calls, ...partial.calls], []);
  await ensureLayout(empty.store, wanted, true);
  await ensureLayout(partial.store, wanted, true);
  assert.deepEqual([empty.calls, partial.calls], [['applySetup'], ['applySetup']]);
});

test('[EP-4] a changed configuration is taken over with permission, so that barriers of added collections are owed', async () => {
  const changed = { ...wanted, catalogue_hash: 'another' };
  const permitted = setupStore({ meta: meta(), missing: [] });
  await ensureLayout(permitted.store, changed, true);
  assert.deepEqual(permitted.calls, ['applySetup']);
  const forbidden = setupStore({ meta: meta(), missing: [] });
  assert.deepEqual(await ensureLayout(forbidden.store, changed, false), meta());
  assert.deepEqual(forbidden.calls, []);
});

test('[UP-1] a layout that is still incomplete after setting up is not served', async () => {
  const { store } = setupStore({ meta: null, missing: ['an index'], broken: true });
  assert.deepEqual(await faultOf(ensureLayout(store, wanted, true)), [
    'layout_incomplete',
    ['an index: is missing'],
  ]);
});

test('[UP-2] another schema level is never served, whatever is permitted', async () => {
  for (const [level, fault] of [
    [SCHEMA_LEVEL + 1, 'schema_newer'],
    [SCHEMA_LEVEL - 1, 'schema_older'],
  ] as const) {
    const { store, calls } = setupStore({ meta: meta(level), missing: [] });
    assert.deepEqual(await faultOf(ensureLayout(store, wanted, true)), [fault, []]);
    assert.deepEqual(await faultOf(requireSetup(store)), [fault, []]);
    assert.deepEqual(calls, []);
  }
  const { store } = setupStore({ meta: null, missing: [] });
  assert.deepEqual(await faultOf(requireSetup(store)), ['not_initialised', []]);
});

test('[UP-3] collections with documents that have no version are counted', async () => {
  const counts: Record<string, number> = { a: 0, b: 3 };
  const store = { countUnmigrated: async (name: string) => counts[name] ?? 0 };
  assert.deepEqual(await countInvisible(store, ['a', 'b']), [{ collection: 'b', count: 3 }]);
});

test('[UP-4] ready = the database answers, the layout is complete, and it is not stopping', async () => {
  const state = { draining: false };
  let [answers, looks, complete, now] = [true, 0, true, 0];
  const ready = createReadiness(
    {
      layout: wanted,
      clock: { monotonic: () => now },
      store: {
        ping: async () => {
          if (!answers) throw new Error('gone');
        },
        checkLayout: async () => {
          looks += 1;
          return [{ name: 'index', ok: complete, detail: '' }];
        },
      },
    },
    state,
  );
  const failing = async () => {
    const { ready: all, checks } = await ready();
    const names = checks.filter(({ ok }) => !ok).map(({ name }) => name);
    assert.equal(all, names.length === 0);
    return names;
  };
  assert.deepEqual(await failing(), []);
  complete = false;
  assert.deepEqual(await failing(), [], 'the last look still stands');
  now = LAYOUT_TRUSTED_MS;
  assert.deepEqual(await failing(), ['layout']);
  assert.equal(looks, 2);
  answers = false;
  state.draining = true;
  assert.deepEqual(await failing(), ['database', 'layout', 'accepting']);
});

test('[UP-4] a layout that cannot be read is not ready, and is looked at again', async () => {
  let fails = true;
  const ready = createReadiness(
    {
      layout: wanted,
      clock: { monotonic: () => 0 },
      store: {
        ping: async () => {},
        checkLayout: async () => {
          if (fails) throw new Error('gone');
          return [];
        },
      },
    },
    { draining: false },
  );
  assert.equal((await ready()).ready, false);
  fails = false;
  assert.equal((await ready()).ready, true);
});

test('[UP-5] lifetimes become times; 0 days keeps tombstones for ever', () => {
  const ttl = {
    oplog_ttl_days: 1,
    receipt_ttl_days: 2,
    tombstone_ttl_days: 0,
    conflict_ttl_days: 3,
  };
  const day = 86_400_000;
  assert.deepEqual(expiryBounds(10 * day, ttl), {
    oplog_before_ms: 9 * day,
    receipts_before_ms: 8 * day,
    tombstones_before_ms: null,
    conflicts_before_ms: 7 * day,
  });
  assert.equal(
    expiryBounds(10 * day, { ...ttl, tombstone_ttl_days: 4 }).tombstones_before_ms,
    6 * day,
  );
});

test('[UP-5] pruning goes on until nothing is left, or until it is stopped', async () => {
  const slices = [500, 500, 20, 0];
  const bounds = expiryBounds(0, {
    oplog_ttl_days: 1,
    receipt_ttl_days: 1,
    tombstone_ttl_days: 1,
    conflict_ttl_days: 1,
  });
  const stop = new AbortController();
  const store = { pruneExpired: async () => slices.shift() as number };
  assert.equal(await runRetention(store, bounds, stop.signal), 1_020);
  slices.push(500, 500);
  const stopping = {
    pruneExpired: async () => {
      stop.abort();
      return slices.shift() as number;
    },
  };
  assert.equal(await runRetention(stopping, bounds, stop.signal), 500);
});
