/** Several processes, one scope: callers in closed loop, pullers beside them, and what came of it. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Acknowledged } from './history-oracle.ts';
import type { Seeded } from './seeded.ts';
import { type Caller, HttpFailure, pull, push, type WireChange, ZERO_HLC } from './wire.ts';

/** Between two pulls of one puller, ms: the database of the tests takes long for a range of a log. */
const IDLE_MS = 250;

/** Who takes part. */
export interface RaceOptions {
  readonly callers: readonly Caller[];
  readonly pullers: readonly Caller[];
  readonly random: Seeded;
  /** Committed rows to reach. */
  readonly rows: number;
  /** Ends the race even when the rows are not reached, ms. */
  readonly limit_ms: number;
}

/** What a race left behind. */
export interface RaceOutcome {
  readonly acknowledged: readonly Acknowledged[];
  /** Versions in the order each puller got them. */
  readonly delivered: readonly (readonly string[])[];
  /** Bundles that a page showed without their end. */
  readonly torn: number;
  /** Answers that demanded a full resync. */
  readonly stale: number;
  /** Requests that were answered with 5xx and sent again. */
  readonly retried: number;
  readonly ms: number;
}

interface Race {
  readonly options: RaceOptions;
  readonly acknowledged: Acknowledged[];
  readonly started: number;
  torn: number;
  stale: number;
  retried: number;
  /** Head that the last answered push named: pullers end there or above. */
  head: string;
  over: boolean;
}

/** Runs callers and pullers until the rows are committed and the pullers have caught up. */
export async function runRace(options: RaceOptions): Promise<RaceOutcome> {
  const started = performance.now();
  const race: Race = {
    ...{ options, acknowledged: [], started },
    ...{ torn: 0, stale: 0, retried: 0, head: ZERO_HLC, over: false },
  };
  const pulling = options.pullers.map((puller) => pullOn(race, puller));
  await Promise.all(options.callers.map((caller) => pushOn(race, caller)));
  const ms = performance.now() - started;
  race.over = true;
  const delivered = await Promise.all(pulling);
  const { acknowledged, torn, stale, retried } = race;
  return { acknowledged, delivered, torn, stale, retried, ms };
}

async function pushOn(race: Race, caller: Caller): Promise<void> {
  const { rows, limit_ms, random } = race.options;
  let own: { doc_id: string; version: string } | undefined;
  while (race.acknowledged.length < rows && performance.now() - race.started < limit_ms) {
    const changes = Array.from({ length: random.chance(0.1) ? 3 : 1 }, () => newDocument(random));
    if (own !== undefined && random.chance(0.2)) {
      changes.push({ ...newDocument(random), doc_id: own.doc_id, parent_version: own.version });
    }
    const answer = await push(caller, changes).catch((error: unknown) => {
      if (!(error instanceof HttpFailure) || error.status < 500) throw error;
    });
    if (answer === undefined) {
      race.retried += 1;
      continue;
    }
    for (const [i, { mutation_id, new_version }] of answer.results.entries()) {
      if (new_version === null) throw new Error(`refused: ${JSON.stringify(answer.results[i])}`);
      race.acknowledged.push({ mutation_id, version: new_version });
      own = { doc_id: (changes[i] as WireChange).doc_id, version: new_version };
    }
    if (answer.head > race.head) race.head = answer.head;
  }
}

function newDocument(random: Seeded): WireChange {
  const [doc_id, mutation_id] = [random.uuid(), random.uuid()];
  const data = { n: random.int(0, 1_000), text: random.uuid() };
  return {
    collection: 'tasks',
    operation: 'upsert',
    doc_id,
    data,
    parent_version: null,
    mutation_id,
  };
}

/** After the race a puller goes on until it is told that nothing is left. */
async function pullOn(race: Race, puller: Caller): Promise<string[]> {
  const versions: string[] = [];
  for (let since = ZERO_HLC; ; ) {
    const wasOver = race.over;
    const page = await pull(puller, since);
    if (page.changes === undefined) {
      race.stale += 1;
      if (wasOver) return versions;
      await pause(IDLE_MS);
      continue;
    }
    for (const { version } of page.changes) versions.push(version);
    if (page.changes.at(-1)?.bundle_end === false) race.torn += 1;
    since = page.last_seq;
    if (page.has_more) continue;
    if (wasOver) return versions;
    await pause(IDLE_MS);
  }
}
