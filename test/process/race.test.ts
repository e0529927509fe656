/** Four server processes on one database, skewed clocks, one scope: commit order is what is served. */

import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { MongoClient } from 'mongodb';
import { type FreshDatabase, freshDatabase } from '../support/mongodb.ts';
import { deliveryFaults, faultsOf, lostMutations } from '../support/process/history-oracle.ts';
import { type RaceOutcome, runRace } from '../support/process/race.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, seeded } from '../support/process/seeded.ts';
import type { ServerHooks } from '../support/process/server-hooks.ts';
import { COLLECTIONS, ServerProcess } from '../support/process/server-process.ts';
import { readMongo, type StoredState } from '../support/process/stored-state.ts';
import { tokenFor } from '../support/process/tokens.ts';

const PROCESSES = 4;
const CALLERS_PER_PROCESS = 8;
const PULLERS = 3;
const ROWS = 3_000;
const ROWS_MIN = 800;
const LIMIT_MS = 60_000;
const SKEW_MS = 500;
const MUTANT_ROWS = 200;
const MUTANT_LIMIT_MS = 15_000;
const SCOPE = 'race';
const onMongo = Boolean(process.env['SYNC_TEST_MONGODB_URI']);

describe('mongo: race of processes', { skip: !onMongo }, () => {
  let database: FreshDatabase;
  before(async () => {
    database = await freshDatabase();
  });
  after(() => database.drop());

  test('[PL-1] [PR-1] four processes with skewed clocks: every row once, in order (invariants 1, 2, 3, 5, 7, 22)', async (t) => {
    const { outcome, state } = await race(t, database, { rows: ROWS, limit_ms: LIMIT_MS });
    const { acknowledged, delivered, torn, stale, retried, ms } = outcome;
    t.diagnostic(
      `${acknowledged.length} rows in ${Math.round(ms)} ms, ${retried} requests repeated`,
    );
    assert.ok(acknowledged.length >= ROWS_MIN, `only ${acknowledged.length} rows in ${ms} ms`);
    assert.deepEqual(faultsOf(state), []);
    assert.deepEqual(lostMutations(state.rows, acknowledged), []);
    assert.equal(state.rows.length, acknowledged.length);
    assert.deepEqual(
      delivered.map((versions) => deliveryFaults(state.rows, versions)),
      delivered.map(() => []),
    );
    assert.deepEqual({ torn, stale }, { torn: 0, stale: 0 });
  });

  for (const mutant of ['head_not_written', 'head_not_locked'] as const) {
    test(`[ST-1] [PR-2] the oracle names what is forked or lost with the fault ${mutant}`, async (t) => {
      const fresh = await freshDatabase();
      t.after(() => fresh.drop());
      const wish = { rows: MUTANT_ROWS, limit_ms: MUTANT_LIMIT_MS, mutant };
      const { outcome, state } = await race(t, fresh, wish);
      const faults = faultsOf(state).filter((fault) => /forked|lost/.test(fault));
      const undelivered = deliveryFaults(state.rows, outcome.delivered[0] ?? []);
      t.diagnostic(`${outcome.acknowledged.length} rows; ${faults[0]}; ${undelivered[0]}`);
      assert.ok(outcome.acknowledged.length > CALLERS_PER_PROCESS, 'the mutant wrote nothing');
      assert.ok(faults.length > 0, 'the oracle saw no fork');
      assert.ok(undelivered.length > 0, 'the oracle saw no row that was not delivered');
    });
  }
});

async function race(
  t: TestContext,
  database: FreshDatabase,
  { rows, limit_ms, ...hooks }: ServerHooks & { rows: number; limit_ms: number },
): Promise<{ outcome: RaceOutcome; state: StoredState }> {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const servers = await startServers(t, database, { skew_ms: SKEW_MS, ...hooks });
  if (hooks.mutant !== undefined) await dropOrderIndex(database);
  const token = await tokenFor('racer', SCOPE);
  const callerOf = (server: ServerProcess, client_id: string) => ({
    url: server.url,
    token,
    client_id,
  });
  const outcome = await runRace({
    ...{ random, rows, limit_ms },
    callers: servers.flatMap((server, at) =>
      Array.from({ length: CALLERS_PER_PROCESS }, (_, i) => callerOf(server, `caller-${at}-${i}`)),
    ),
    pullers: servers.slice(-PULLERS).map((server, i) => callerOf(server, `puller-${i}`)),
  });
  return { outcome, state: await readMongo(database.uri, database.name, COLLECTIONS) };
}

/** The first one sets the database up. */
async function startServers(
  t: TestContext,
  { uri, name }: FreshDatabase,
  hooks: ServerHooks,
): Promise<ServerProcess[]> {
  const store = { SYNC_STORE: 'mongo', SYNC_MONGODB_URI: uri, SYNC_DATABASE_NAME: name };
  const servers: ServerProcess[] = [];
  t.after(() => Promise.all(servers.map((server) => server.kill())));
  const cwd = scratchFolder(t);
  for (let i = 0; i < PROCESSES; i += 1) {
    servers.push(await ServerProcess.start({ store, cwd, hooks }));
  }
  return servers;
}

/** The last safety net: without it a broken store gets away with its forks. */
async function dropOrderIndex({ uri, name }: FreshDatabase): Promise<void> {
  const client = new MongoClient(uri);
  try {
    const oplog = client.db(name).collection('sync_oplog');
    const indexes = await oplog.indexes();
    const order = indexes.find(({ key }) => 'seq' in key);
    await oplog.dropIndex(order?.name as string);
  } finally {
    await client.close();
  }
}
