/** Servers that are killed at any moment: what was acknowledged is there, once, and work goes on. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { faultsOf, lostMutations } from '../support/process/history-oracle.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import { SteadyCallers } from '../support/process/steady-callers.ts';
import {
  embeddedPlace,
  HAS_MONGODB,
  mongoPlace,
  PrivateMongo,
  type StorePlace,
} from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';

const KILLS = 25;
/** On MongoDB as many servers work side by side, each on its own database: waiting takes the time there. */
const SIDE_BY_SIDE = 5;
const CALLERS = 32;
const SCOPES = ['north', 'south'] as const;
/** Longest time from when a process listens to its first accepted push in the slower scope, ms. */
const WRITABLE_MS = 10_000;
/** A kill comes at a random moment up to this long after the first answers, ms. */
const KILL_WITHIN_MS = 300;

/** What a run of kills showed. */
interface KillReport {
  readonly rows: number;
  readonly repeated: number;
  readonly duplicates: number;
  /** Times from when each process listened to its first accepted push in the slower scope, ms. */
  readonly writable_ms: readonly number[];
}

describe('embedded: kill -9', () => {
  test('[PU-7] [PR-3] 25 kills of serve: acknowledged pushes are there once, the chain holds (invariants 1, 2, 3, 7, 9, 25)', async (t) => {
    const random = randomOf(t);
    const judge = await killRepeatedly(t, embeddedPlace(t), { random, kills: KILLS });
    check(t, [await judge()]);
  });
});

describe('mongo: kill -9', { skip: !HAS_MONGODB }, () => {
  test('[PU-16] [PR-4] 25 kills of serve: no scope stays blocked, nothing is lost or doubled (invariants 1, 2, 3, 7, 9, 25)', async (t) => {
    const mongo = await PrivateMongo.start(t);
    const random = randomOf(t);
    const judges = await Promise.all(
      Array.from({ length: SIDE_BY_SIDE }, async () => {
        const place = await mongoPlace(t, mongo);
        const options = { random: seeded(random.int(0, 2 ** 31)), kills: KILLS / SIDE_BY_SIDE };
        return killRepeatedly(t, place, options);
      }),
    );
    const reports: KillReport[] = [];
    for (const judge of judges) reports.push(await judge());
    check(t, reports);
  });

  test('[PU-10] [PR-5] the database itself is killed: every acknowledged push is on disk (invariants 1, 2, 3, 7, 9)', async (t) => {
    const mongo = await PrivateMongo.start(t);
    const place = await mongoPlace(t, mongo);
    const random = randomOf(t);
    const { server, callers } = await begin(t, place, random);
    await callers.answers(CALLERS);
    for (let kill = 0; kill < 2; kill += 1) {
      await pause(random.int(0, KILL_WITHIN_MS));
      await mongo.kill();
      await mongo.startAgain();
      await callers.answers(CALLERS);
    }
    await callers.finish();
    await server.stop();
    await judge(t, place, callers);
  });
});

function randomOf(t: TestContext): Seeded {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  return random;
}

async function begin(
  t: TestContext,
  place: StorePlace,
  random: Seeded,
): Promise<{ server: ServerProcess; callers: SteadyCallers; restart(): Promise<void> }> {
  const cwd = scratchFolder(t);
  const store = place.settings;
  const run = { server: await ServerProcess.start({ store, cwd }) };
  const { port, url } = run.server;
  t.after(() => run.server.kill());
  const tokens = new Map(
    await Promise.all(SCOPES.map(async (one) => [one, await tokenFor('actor', one)] as const)),
  );
  const callers = new SteadyCallers({
    target: { url },
    random,
    callers: Array.from({ length: CALLERS }, (_, i) => {
      const scope_id = SCOPES[i % SCOPES.length] as string;
      return { scope_id, token: tokens.get(scope_id as 'north') as string };
    }),
  });
  t.after(() => callers.abandon());
  return {
    get server() {
      return run.server;
    },
    callers,
    restart: async () => {
      run.server = await ServerProcess.start({ store, cwd, port });
    },
  };
}

/** Gives how to look at what came of it: later, because a look is work for a database that others share. */
async function killRepeatedly(
  t: TestContext,
  place: StorePlace,
  { random, kills }: { random: Seeded; kills: number },
): Promise<() => Promise<KillReport>> {
  const run = await begin(t, place, random);
  const writable_ms: number[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    await run.callers.answers(random.int(1, CALLERS));
    await pause(random.int(0, KILL_WITHIN_MS));
    await run.server.kill();
    const started = performance.now();
    const first = run.callers.answersEverywhere();
    await run.restart();
    const listening = performance.now();
    await first;
    const ms = Math.round(performance.now() - listening);
    const start_ms = Math.round(listening - started);
    const when = `after kill ${kill + 1}, whose server listened again after ${start_ms} ms`;
    assert.ok(ms <= WRITABLE_MS, `a scope was blocked for ${ms} ms ${when}`);
    writable_ms.push(ms);
  }
  await run.callers.finish();
  await run.server.stop();
  const duplicates = run.callers.answered.filter(({ duplicate }) => duplicate).length;
  const { repeated } = run.callers;
  return async () => ({
    rows: await judge(t, place, run.callers),
    ...{ repeated, duplicates, writable_ms },
  });
}

/** Looks at the store itself. Returns the number of rows. */
async function judge(t: TestContext, place: StorePlace, callers: SteadyCallers): Promise<number> {
  const state = await place.read();
  assert.equal(await place.integrity(), 'ok');
  assert.deepEqual(faultsOf(state), []);
  assert.deepEqual(lostMutations(state.rows, callers.answered), []);
  assert.equal(state.rows.length, callers.answered.length, 'rows that nobody was answered for');
  assert.equal(state.receipts.length, state.rows.length, 'answers are stored once per mutation');
  assert.deepEqual(
    SCOPES.map((scope) => state.rows.some((row) => row.scope_id === scope && row.seq === 1)),
    SCOPES.map(() => true),
  );
  t.diagnostic(`${state.rows.length} rows, ${callers.repeated} pushes sent again`);
  return state.rows.length;
}

function check(t: TestContext, reports: readonly KillReport[]): void {
  const writable = reports.flatMap((one) => one.writable_ms).sort((a, b) => a - b);
  const duplicates = reports.reduce((sum, one) => sum + one.duplicates, 0);
  t.diagnostic(`${writable.length} kills, ${duplicates} repeats of stored pushes`);
  t.diagnostic(`first accepted push ${writable[0]} to ${writable.at(-1)} ms after listening`);
  assert.equal(writable.length, KILLS);
  assert.ok(duplicates > 0, 'no kill fell between a commit and its answer: kill more often');
}
