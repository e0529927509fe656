/** `migrate`: adopts existing documents. The plan first, then batches that can be killed and resumed. */

import { withEngine, withStore } from '../../compose-store.ts';
import { catalogueOf } from '../../config/engine-settings.ts';
import type { Config } from '../../config/finish-config.ts';
import type { Adoption } from '../../core/foreign/adoption.ts';
import type { MigrationLease } from '../../core/ports/foreign.ts';
import { skippedBy, type Survey, surveyCollection } from '../../core/foreign/survey.ts';
import type { SyncStore } from '../../core/ports/store.ts';
import { requireSetup } from '../../core/upkeep/layout.ts';
import { nodeSystem } from '../../node-system.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError, usageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { createProgress, type Progress } from '../progress.ts';
import { surveyLines } from '../survey-lines.ts';

/** Flags of `migrate`. */
export interface MigrateFlags {
  readonly collection?: string;
  readonly batch?: string;
  readonly dryRun?: boolean;
  readonly allowSkipped?: boolean;
  readonly restart?: boolean;
  readonly verify?: boolean;
}

const BATCH_DEFAULT = 500;
const BATCH_MAX = 5_000;

/** Exit 4: documents that cannot be adopted, or a fault; 5: another migrate runs; 130: resumable. */
export async function run(invocation: Invocation, flags: MigrateFlags): Promise<ExitCode> {
  const batch_size = readBatch(flags.batch);
  const { config } = await invocation.loadConfig();
  const collections = readCollections(config, flags.collection);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort('interrupted'));
  process.once('SIGTERM', () => stop.abort('terminated'));
  if (config.store === 'embedded') return nothingToAdopt(invocation);
  const task: Task = { invocation, config, flags, collections, batch_size, stop };
  if (flags.verify === true) return withAdoption(task, verify);
  const { surveys, ms } = await withStore(config, 'read', (store) => plan(task, store));
  const skipped = surveys.reduce((sum, one) => sum + skippedBy(one), 0);
  if (flags.dryRun === true) return endDryRun(task, skipped);
  if (skipped > 0 && flags.allowSkipped !== true) throw cannotAdopt(skipped);
  invocation.output.info(`about ${estimate(surveys, ms)} s`);
  return withAdoption(task, (work) => withLease(work, (lease) => migrate(work, lease)));
}

interface Task {
  readonly invocation: Invocation;
  readonly config: Config;
  readonly flags: MigrateFlags;
  readonly collections: readonly string[];
  readonly batch_size: number;
  readonly stop: AbortController;
}

interface Work extends Task {
  readonly adoption: Adoption;
}

async function nothingToAdopt({ output }: Invocation): Promise<ExitCode> {
  if (output.json) await output.jsonLine({ event: 'result', adopted: [] });
  output.info(
    'nothing to adopt: the embedded store holds only what came in by push or by "offline-sync import"',
  );
  return EXIT.ok;
}

async function withAdoption(
  task: Task,
  work: (work: Work) => Promise<ExitCode>,
): Promise<ExitCode> {
  return withEngine(task.config, ({ adoption }) =>
    adoption === null ? nothingToAdopt(task.invocation) : work({ ...task, adoption }),
  );
}

/** Surveys every collection and shows what it found. `ms` is how long the reading took. */
async function plan(task: Task, store: SyncStore): Promise<{ surveys: Survey[]; ms: number }> {
  const { invocation, config, collections, flags } = task;
  const { output } = invocation;
  const { clock } = nodeSystem;
  if (flags.dryRun !== true) await requireSetup(store);
  const core = { store, catalogue: catalogueOf(config), system: nodeSystem };
  const started = clock.monotonic();
  const surveys: Survey[] = [];
  for (const collection of collections) {
    const label = `read ${collection}`;
    const total = (await store.foreign?.count(collection)) ?? null;
    const progress = createProgress(output, { label, unit: 'documents', total, clock });
    const survey = await surveyCollection(core, collection, {
      max_bytes: config.max_document_bytes,
      onBatch: (done) => progress.update({ done }),
    });
    progress.end();
    surveys.push(survey);
    if (output.json) await output.jsonLine({ event: 'plan', ...survey });
    else for (const line of surveyLines(survey)) await output.data(line);
  }
  return { surveys, ms: clock.monotonic() - started };
}

/** Writing a document takes a few times as long as reading it; a guess, and said to be one. */
function estimate(surveys: readonly Survey[], ms: number): number {
  const READ_TO_WRITE = 4;
  const documents = surveys.reduce((sum, one) => sum + one.documents, 0);
  const changes = surveys.reduce((sum, one) => sum + one.unstamped + one.changed, 0);
  const share = documents === 0 ? 0 : changes / documents;
  return Math.max(1, Math.ceil((ms * (1 + share * READ_TO_WRITE)) / 1_000));
}

function endDryRun({ invocation }: Task, skipped: number): ExitCode {
  invocation.output.info('dry run: nothing was changed');
  if (skipped === 0) return EXIT.ok;
  invocation.output.error(`${skipped} documents cannot be adopted; see the lines marked "!"`);
  return EXIT.verification;
}

function cannotAdopt(skipped: number): CommandError {
  return new CommandError({
    exit: EXIT.verification,
    code: 'documents_skipped',
    cause: `${skipped} documents cannot be adopted, and nothing was changed; see the lines marked "!"`,
    fix: 'mend the documents or the configuration, or leave them out with --allow-skipped',
  });
}

function locked(cause: string): CommandError {
  const fix = 'wait until it has ended; one that was killed frees the database after 6 s';
  return new CommandError({ exit: EXIT.conflict, code: 'locked', cause, fix });
}

async function withLease(
  work: Work,
  migrateAll: (lease: MigrationLease) => Promise<ExitCode>,
): Promise<ExitCode> {
  const lease = await work.adoption.acquireLease();
  if (lease === null) throw locked('another migrate works on this database');
  try {
    return await migrateAll(lease);
  } finally {
    await lease.release();
  }
}

const REFUSED =
  'a validator or a unique index refused the fields _sync_*; these documents are as before: allow the fields, then run migrate again';

async function migrate(work: Work, lease: MigrationLease): Promise<ExitCode> {
  const { invocation, collections, stop } = work;
  const { output } = invocation;
  let skipped = 0;
  for (const collection of collections) {
    const counts = await migrateOne(work, collection, lease);
    if (stop.signal.aborted) return interrupted(work);
    if (!lease.held) throw locked('another migrate took over while this process was paused');
    skipped += counts.skipped;
    if (output.json) await output.jsonLine({ event: 'result', collection, ...counts });
    else {
      await output.data(
        `${collection}: ${counts.stamped} got a version, ${counts.rows} left a row, ${counts.skipped} skipped`,
      );
      for (const id of counts.refused)
        await output.data(`! the database refused ${collection}/${id}`);
    }
    if (counts.refused.length > 0) output.error(REFUSED);
  }
  output.info('next: offline-sync serve   (check: offline-sync migrate --verify)');
  return skipped > 0 && work.flags.allowSkipped !== true ? EXIT.verification : EXIT.ok;
}

/** Ids of refused documents that are named. */
const REFUSED_SHOWN = 10;

const PHASES = { stamping: 'migrate', barriers: 'announce', comparing: 'compare' } as const;

async function migrateOne(work: Work, collection: string, lease: MigrationLease) {
  const { invocation, config, adoption, batch_size, flags, stop } = work;
  const { clock } = nodeSystem;
  const documents = { unit: 'documents', total: await adoption.count(collection) };
  const refused: string[] = [];
  const steps = adoption.migrate(collection, {
    batch_size,
    max_bytes: config.max_document_bytes,
    restart: flags.restart === true,
    mayGoOn: () => !stop.signal.aborted && lease.held,
  });
  let phase: keyof typeof PHASES | undefined;
  let progress: Progress | undefined;
  for (;;) {
    const { done, value } = await steps.next();
    if (done === true) {
      progress?.end();
      return { ...value.counts, refused: refused.slice(0, REFUSED_SHOWN) };
    }
    if (value.phase !== phase) {
      progress?.end();
      phase = value.phase;
      const label = `${PHASES[phase]} ${collection}`;
      const what = phase === 'barriers' ? { unit: 'scopes', total: null } : documents;
      progress = createProgress(invocation.output, { label, ...what, clock });
    }
    refused.push(...(value.refused ?? []));
    const { stamped, rows, skipped } = value.counts;
    await progress?.update({ done: value.done, counts: { stamped, rows, skipped } });
  }
}

function interrupted({ invocation, flags, stop }: Work): ExitCode {
  const names = flags.collection === undefined ? '' : ` --collection ${flags.collection}`;
  invocation.output.error(`stopped; go on with: offline-sync migrate${names}`);
  return stop.signal.reason === 'interrupted' ? EXIT.interrupted : EXIT.ok;
}

async function verify(work: Work): Promise<ExitCode> {
  const { invocation, adoption, collections } = work;
  const { output } = invocation;
  const { clock } = nodeSystem;
  const unit = 'documents and rows';
  const progress = createProgress(output, { label: 'verify', unit, total: null, clock });
  const report = await adoption.verify(collections, (done) => progress.update({ done }));
  progress.end();
  if (output.json) await output.jsonLine({ event: 'result', ...report });
  else for (const { fault, place } of report.findings) await output.data(`! ${fault}  ${place}`);
  const { documents, scopes, rows, faults } = report;
  const read = `${documents} documents, ${scopes} scopes and ${rows} rows`;
  if (faults === 0) {
    output.info(`verified: ${read} are as they must be`);
    return EXIT.ok;
  }
  throw new CommandError({
    exit: EXIT.verification,
    code: 'verification_failed',
    cause: `${faults} faults in ${read}`,
    fix: 'run: offline-sync migrate (it takes over what other programs wrote), then verify again',
  });
}

function readBatch(text: string | undefined): number {
  if (text === undefined) return BATCH_DEFAULT;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= BATCH_MAX) return number;
  throw usageError(
    `--batch "${text}" is no whole number from 1 to ${BATCH_MAX}`,
    'for example: --batch 500',
  );
}

function readCollections(config: Config, text: string | undefined): readonly string[] {
  const known = config.collections.map(({ name }) => name);
  if (text === undefined) return known;
  const wanted = [...new Set(text.split(',').filter((name) => name !== ''))];
  const unknown = wanted.find((name) => !known.includes(name));
  if (wanted.length > 0 && unknown === undefined) return wanted;
  throw usageError(
    `--collection "${unknown ?? text}" is not configured`,
    `known are ${known.join(', ')}`,
  );
}
