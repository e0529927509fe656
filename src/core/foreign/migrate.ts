/**
 * The story of an adoption: versions first, without rows; then one barrier row per scope that got some,
 * so that clients resync; then a last comparison whose findings leave rows. Each batch is durable before
 * the next, and a run that was killed goes on behind its last one [MI-3].
 */

import type { EngineCore } from '../parts.ts';
import type { MigrationCounts, MigrationRecord } from '../ports/foreign.ts';
import {
  type CompareOptions,
  type CompareStep,
  compareCollection,
  compareTraces,
  foreignOf,
  markKey,
} from './compare.ts';
import { resetKey, writeResets } from './write-resets.ts';

/** How a collection is adopted. */
export interface MigrateOptions {
  readonly batch_size: number;
  /** Documents over this size get no version, bytes. */
  readonly max_bytes: number;
  /** Forgets an earlier run's place; documents that have a version keep it. */
  readonly restart: boolean;
  /** Asked before each batch: false ends the run where it can go on later. */
  mayGoOn(): boolean;
}

/** What happened in one step. `counts` are those of the adoption; a finished one starts anew. */
export interface MigrateStep {
  readonly phase: 'stamping' | 'barriers' | 'comparing';
  readonly counts: MigrationCounts;
  /** Documents scanned, or scopes announced to, in this phase by this process. */
  readonly done: number;
  /** First ids of documents that the database refused to have stamped. */
  readonly refused?: readonly string[];
}

const NO_COUNTS: MigrationCounts = { scanned: 0, stamped: 0, rows: 0, skipped: 0 };
const RUN_BYTES = 8;
const SCOPES_PAGE = 500;
/** Scopes between two looks at whether to go on. */
const TOLD_AT_ONCE = 20;
/** Part of the lifetime of receipts in which no mark can be gone, however clocks differ. */
const MARKS_TRUSTED = 0.5;

/** Adopts a collection. Ends early, resumable, when `mayGoOn` says no. */
export async function* migrateCollection(
  core: EngineCore,
  collection: string,
  options: MigrateOptions,
): AsyncGenerator<MigrateStep, MigrationRecord> {
  let record = await startRecord(core, collection, options);
  if (record.state === 'stamping') {
    record = yield* stamp(core, record, options);
    if (record.state === 'stamping') return record;
  }
  // Also where it is done: a process that was paused may have stamped behind another one's last look.
  if (!(yield* announce(core, record, options))) return record;
  if (record.state !== 'done') record = await save(core, { ...record, state: 'done' });
  return yield* compareLast(core, record, options);
}

async function startRecord(
  core: EngineCore,
  collection: string,
  { restart }: MigrateOptions,
): Promise<MigrationRecord> {
  const known = await foreignOf(core).readMigration(collection);
  // A finished one stays finished: what is new since then leaves rows, and nobody has to resync.
  if (known?.state === 'done') return { ...known, counts: NO_COUNTS };
  if (known !== null && !(restart && known.state === 'stamping')) return known;
  const run = known?.run ?? core.system.crypto.randomHex(RUN_BYTES);
  const started_ms = known?.started_ms ?? core.system.clock.now();
  const fresh = { state: 'stamping', position: null, counts: NO_COUNTS } as const;
  return save(core, { collection, run, started_ms, ...fresh });
}

async function save(core: EngineCore, record: MigrationRecord): Promise<MigrationRecord> {
  await foreignOf(core).writeMigration(record);
  return record;
}

async function* stamp(
  core: EngineCore,
  started: MigrationRecord,
  options: MigrateOptions,
): AsyncGenerator<MigrateStep, MigrationRecord> {
  let record = started;
  let scanned = 0;
  const { position, run } = record;
  const how = { mode: 'stamps', run } as const;
  for await (const step of compareCollection(core, record.collection, {
    ...compareOptions(options),
    ...how,
    position,
  })) {
    const counts = add(record.counts, step);
    record = await save(core, { ...record, counts, position: step.position });
    scanned += step.scanned;
    yield { phase: 'stamping', counts, done: scanned };
    if (!options.mayGoOn()) return record;
  }
  return save(core, { ...record, state: 'barriers', position: null });
}

/** What arrived meanwhile behind the first pass, or changed, leaves rows: clients know the rest. */
async function* compareLast(
  core: EngineCore,
  started: MigrationRecord,
  options: MigrateOptions,
): AsyncGenerator<MigrateStep, MigrationRecord> {
  let found = NO_COUNTS;
  let record = started;
  for await (const step of compareCollection(core, record.collection, {
    ...compareOptions(options),
    mode: 'rows',
  })) {
    found = add(found, step);
    const { rows, skipped, scanned } = found;
    // This pass meets everything that was skipped before once more.
    const counts = { ...started.counts, rows: started.counts.rows + rows, skipped };
    record = { ...record, counts };
    yield { phase: 'comparing', counts, done: scanned, refused: step.refused };
    if (!options.mayGoOn()) break;
  }
  if (core.catalogue.get(record.collection)?.capture === true) {
    await compareTraces(core, record.collection, { mode: 'rows', origin: 'external' });
  }
  return save(core, record);
}

function compareOptions({ batch_size, max_bytes }: MigrateOptions): CompareOptions {
  return { mode: 'rows', origin: 'migrate', batch_size, max_bytes };
}

function add(counts: MigrationCounts, { scanned, verdicts }: CompareStep): MigrationCounts {
  const {
    stamped = 0,
    upserted = 0,
    deleted = 0,
    moved = 0,
    refused = 0,
    unavailable = 0,
  } = verdicts;
  const { other_id_type = 0, no_scope = 0, too_large = 0 } = verdicts;
  const skipped = refused + unavailable + other_id_type + no_scope + too_large;
  return {
    scanned: counts.scanned + scanned,
    stamped: counts.stamped + stamped,
    rows: counts.rows + upserted + deleted + moved,
    skipped: counts.skipped + skipped,
  };
}

/** Writes the barriers that are missing. False when it was ended before the last one. */
async function* announce(
  core: EngineCore,
  record: MigrationRecord,
  options: MigrateOptions,
): AsyncGenerator<MigrateStep, boolean> {
  const { collection, run, counts } = record;
  let done = 0;
  for await (const scopes of scopesToTell(core, record)) {
    await writeResets(core, { scopes, collections: [collection], run, origin: 'migrate' });
    done += scopes.length;
    yield { phase: 'barriers', counts, done };
    if (!options.mayGoOn()) return false;
  }
  return true;
}

/**
 * Scopes in which this adoption stamped documents, without those that have their barrier: each stamp
 * left a mark in its transaction. Marks are receipts and expire: where that may have happened,
 * every scope is told [MI-9].
 */
async function* scopesToTell(
  core: EngineCore,
  { collection, run, state, started_ms }: MigrationRecord,
): AsyncGenerator<readonly string[]> {
  const age_ms = core.system.clock.now() - started_ms;
  const all = state !== 'done' && age_ms > core.receipt_lifetime_ms * MARKS_TRUSTED;
  for (let after: string | null = null; ; ) {
    const scopes: readonly string[] = await core.store.listScopes(after, SCOPES_PAGE);
    if (scopes.length === 0) return;
    const [mark, barrier] = [markKey(collection, run, scopes), resetKey(collection, run, scopes)];
    const found = await core.store.findReceipts([mark, barrier]);
    const having = ({ mutation_id }: typeof mark) =>
      new Set(found.flatMap((one) => (one.mutation_id === mutation_id ? one.scope_id : [])));
    const [marked, told] = [having(mark), having(barrier)];
    const missing = scopes.filter((one) => (all || marked.has(one)) && !told.has(one));
    for (let at = 0; at < missing.length; at += TOLD_AT_ONCE) {
      yield missing.slice(at, at + TOLD_AT_ONCE);
    }
    after = scopes.at(-1) ?? null;
  }
}
