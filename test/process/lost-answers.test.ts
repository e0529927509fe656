/** Pushes whose answer never arrives: the repeat gets the stored answer, from whichever process. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { type CuttingProxy, startCuttingProxy } from '../support/process/cutting-proxy.ts';
import { faultsOf } from '../support/process/history-oracle.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import {
  embeddedPlace,
  HAS_MONGODB,
  mongoPlace,
  type StorePlace,
} from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { type Caller, push, type WireAnswer, type WireChange } from '../support/process/wire.ts';

const PUSHES = 1_000;
const CALLERS = 32;
/** Every so many pushes also hold an edit that loses its conflict: an effect without a row. */
const LOSER_EVERY = 5;
const LOSERS = PUSHES / LOSER_EVERY;
const SEED_BATCH = 100;
const DAY_MS = 86_400_000;
const SCOPE = 'cut';

interface LostPush {
  readonly client_id: string;
  readonly changes: readonly WireChange[];
}

describe('embedded: lost answers', () => {
  test('[PU-7] [PR-6] 1,000 cut answers, half of them repeated after a restart (invariants 7, 9)', async (t) => {
    const place = embeddedPlace(t);
    const cwd = scratchFolder(t);
    await loseAndRepeat(t, place, {
      cwd,
      next: async (server) => {
        await server.kill();
        return ServerProcess.start({ store: place.settings, cwd });
      },
    });
  });
});

describe('mongo: lost answers', { skip: !HAS_MONGODB }, () => {
  test('[PU-7] [PR-7] 1,000 cut answers, half of them repeated to another process (invariants 7, 9)', async (t) => {
    const place = await mongoPlace(t);
    const cwd = scratchFolder(t);
    const next = () => ServerProcess.start({ store: place.settings, cwd });
    await loseAndRepeat(t, place, { cwd, next });
  });
});

interface Choreography {
  readonly cwd: string;
  /** The process that the second half is repeated to. */
  next(server: ServerProcess): Promise<ServerProcess>;
}

async function loseAndRepeat(
  t: TestContext,
  place: StorePlace,
  { cwd, next }: Choreography,
): Promise<void> {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const servers: ServerProcess[] = [];
  t.after(() => Promise.all(servers.map((server) => server.kill())));
  const first = await ServerProcess.start({ store: place.settings, cwd });
  servers.push(first);
  const token = await tokenFor('actor', SCOPE);
  const settled = await settle({ url: first.url, token, client_id: 'settler' }, random);
  const proxy = await startCuttingProxy(t, first.port);
  const pushes = drawPushes(random, settled);

  const halves = [pushes.slice(0, PUSHES / 2), pushes.slice(PUSHES / 2)] as const;
  const lost = await lose(pushes, { url: proxy.url, token }, proxy);
  const before = await place.read();
  const repeated = await repeat(halves[0], { url: first.url, token });
  servers.push(await next(first));
  const there = (servers.at(-1) as ServerProcess).url;
  for (const [id, answer] of await repeat(halves[1], { url: there, token }))
    repeated.set(id, answer);

  compareAnswers(lost, repeated);
  const state = await place.read();
  assert.deepEqual(faultsOf(state), []);
  assert.equal(before.rows.length, PUSHES + LOSERS, 'one row per cut push and settled document');
  assert.deepEqual(state.rows, before.rows, 'a repeat wrote a row');
  assert.deepEqual(state.receipts.length, before.receipts.length, 'a repeat left another receipt');
}

/** Documents that the losing edits meet. */
async function settle(caller: Caller, random: Seeded): Promise<string[]> {
  const ids = Array.from({ length: LOSERS }, () => random.uuid());
  for (let from = 0; from < LOSERS; from += SEED_BATCH) {
    const batch = ids.slice(from, from + SEED_BATCH);
    await push(
      caller,
      batch.map((doc_id) => change(random, doc_id)),
    );
  }
  return ids;
}

function drawPushes(random: Seeded, settled: readonly string[]): LostPush[] {
  return Array.from({ length: PUSHES }, (_, i) => {
    const created = change(random, random.uuid());
    const loser = settled[i / LOSER_EVERY];
    const yesterday = new Date(Date.now() - DAY_MS).toISOString().replace(/[-:]/g, '');
    const old = { change_version: `${yesterday}-0000-late` };
    const changes =
      loser === undefined ? [created] : [created, { ...change(random, loser), ...old }];
    return { client_id: `cut-${i % CALLERS}`, changes };
  });
}

function change(random: Seeded, doc_id: string): WireChange {
  return {
    ...{ collection: 'tasks', operation: 'upsert', doc_id, parent_version: null },
    data: { n: random.int(0, 1_000), text: random.uuid() },
    mutation_id: random.uuid(),
  } as WireChange;
}

type Target = Pick<Caller, 'url' | 'token'>;

/** Sends every push; each must fail. Returns what the server had answered, by first mutation. */
async function lose(
  pushes: readonly LostPush[],
  target: Target,
  proxy: CuttingProxy,
): Promise<Map<string, WireAnswer>> {
  await inParallel(pushes, async (one) => {
    await assert.rejects(push({ ...target, client_id: one.client_id }, one.changes), TypeError);
  });
  assert.equal(proxy.kept.length, PUSHES);
  return new Map(
    proxy.kept.map((body) => {
      const answer = JSON.parse(body) as WireAnswer;
      return [answer.results[0]?.mutation_id as string, answer];
    }),
  );
}

async function repeat(
  pushes: readonly LostPush[],
  target: Target,
): Promise<Map<string, WireAnswer>> {
  const answers = new Map<string, WireAnswer>();
  await inParallel(pushes, async ({ client_id, changes }) => {
    const answer = await push({ ...target, client_id }, changes);
    answers.set(changes[0]?.mutation_id as string, answer);
  });
  return answers;
}

async function inParallel(
  pushes: readonly LostPush[],
  work: (one: LostPush) => Promise<void>,
): Promise<void> {
  const left = [...pushes];
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) await work(one);
    }),
  );
}

/** The repeat says `duplicate: true` and is otherwise what the caller never got. */
function compareAnswers(
  lost: ReadonlyMap<string, WireAnswer>,
  repeated: ReadonlyMap<string, WireAnswer>,
): void {
  assert.equal(repeated.size, PUSHES);
  let withoutRow = 0;
  for (const [id, { results }] of repeated) {
    const expected = lost.get(id)?.results.map((result) => ({ ...result, duplicate: true }));
    assert.deepEqual(results, expected);
    withoutRow += results.filter(({ new_version }) => new_version === null).length;
  }
  assert.equal(withoutRow, LOSERS);
}
