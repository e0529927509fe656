/** Several processes, one scope: callers in closed loop, pullers beside them, and what came of it. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Acknowledged } from './history-oracle.ts';
import type { Seeded } from './seeded.ts';
import {
  type Caller,
  HttpFailure,
  pull,
  push,
  type WireAnswer,
  type WireChange,
  ZERO_HLC,
} from './wire.ts';

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
  /** Pushes that were answered with 503 and sent again. */
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
  over: boolean;
}

/** Runs callers and pullers until the rows are committed and the pullers have caught up. */
export async function runRace(options: RaceOptions): Promise<RaceOutcome> {
  const started = performance.now();
  const race: Race = {
    ...{ options, acknowledged: [], started },
    ...{ torn: 0, stale: 0, retried: 0, over: false },
  };
  const pulling = Promise.all(options.pullers.map((puller) => pullOn(race, puller)));
  // A failed caller ends the race first; what the pullers then meet does not matter.
  pulling.catch(() => {});
  try {
    await Promise.all(options.callers.map((caller) => pushOn(race, caller)));
  } finally {
    race.over = true;
  }
  const ms = performance.now() - started;
  const delivered = await pulling;
  const { acknowledged, torn, stale, retried } = race;
  return { acknowledged, delivered, torn, stale, retried, ms };
}

async function pushOn(race: Race, caller: Caller): Promise<void> {
  const { random } = race.options;
  let own: Own | undefined;
  while (!isOver(race)) {
    const changes = drawChanges(random, own);
    own = note(race, await pushUntilAnswered(race, caller, changes), changes) ?? own;
  }
}

/** A busy scope answers 503: the same push is sent again. */
async function pushUntilAnswered(
  race: Race,
  caller: Caller,
  changes: readonly WireChange[],
): Promise<WireAnswer> {
  for (;;) {
    try {
      return await push(caller, changes);
    } catch (error) {
      if (!(error instanceof HttpFailure) || error.status !== 503) throw error;
      race.retried += 1;
    }
  }
}

function isOver({ over, acknowledged, options, started }: Race): boolean {
  if (over || acknowledged.length >= options.rows) return true;
  return performance.now() - started >= options.limit_ms;
}

interface Own {
  readonly doc_id: string;
  readonly version: string;
}

/** One new document, now and then three, now and then also an edit of an own one. */
function drawChanges(random: Seeded, own: Own | undefined): WireChange[] {
  const changes = Array.from({ length: random.chance(0.1) ? 3 : 1 }, () => newDocument(random));
  if (own === undefined || !random.chance(0.2)) return changes;
  const { doc_id, version: parent_version } = own;
  return [...changes, { ...newDocument(random), doc_id, parent_version }];
}

/** Notes an answer; the last written document comes back. */
function note(race: Race, answer: WireAnswer, changes: readonly WireChange[]): Own | undefined {
  let own: Own | undefined;
  for (const [i, result] of answer.results.entries()) {
    const { mutation_id, new_version: version } = result;
    if (version === null) throw new Error(`refused: ${JSON.stringify(result)}`);
    race.acknowledged.push({ mutation_id, version });
    own = { doc_id: (changes[i] as WireChange).doc_id, version };
  }
  return own;
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
