/** `import`: documents of a file enter through the engine, as if the application had written them. */

import { type Stats, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { withEngine } from '../../compose-store.ts';
import type { Config } from '../../config/finish-config.ts';
import { nodeSystem } from '../../node-system.ts';
import { isIdentityText } from '../../protocol/pure/ids.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { usageError } from '../failure.ts';
import { CSV_TYPES, type CsvTypes } from '../import/parse-csv.ts';
import { type Format, FORMATS, readRecords } from '../import/read-records.ts';
import { RejectFile } from '../import/reject-file.ts';
import { type ImportCounts, runImport } from '../import/run-import.ts';
import {
  type BatchWriter,
  checkingWriter,
  engineWriter,
  type ImportTarget,
} from '../import/write-batch.ts';
import type { Invocation } from '../invocation.ts';
import { createProgress } from '../progress.ts';

/** Arguments and flags of `import`. */
export interface ImportFlags {
  readonly collection: string;
  readonly file: string;
  readonly scope?: string;
  readonly format?: string;
  readonly idField?: string;
  readonly csvTypes?: string;
  readonly batch?: string;
  readonly rejects?: string;
  readonly dryRun?: boolean;
  readonly allowRejects?: boolean;
}

/** Exits 4 when a record was refused, unless that is allowed; 130 when it was interrupted. */
export async function run(invocation: Invocation, flags: ImportFlags): Promise<ExitCode> {
  const { config } = await invocation.loadConfig();
  const job = readJob(invocation, flags, config);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const work = (write: BatchWriter) => importFile(invocation, job, { write, signal: stop.signal });
  const counts =
    flags.dryRun === true
      ? await work(checkingWriter(config, job.target))
      : await withEngine(config, (engine) => work(engineWriter(engine, job.target)));
  const stopped = stop.signal.aborted;
  const allowed = flags.allowRejects === true;
  await report(invocation, { job, counts, dryRun: flags.dryRun === true, stopped, allowed });
  if (stopped) return EXIT.interrupted;
  return counts.rejected > 0 && !allowed ? EXIT.verification : EXIT.ok;
}

interface Job {
  readonly target: ImportTarget;
  readonly path: string;
  readonly bytes: number;
  readonly format: Format;
  readonly id_field: string | undefined;
  readonly csv_types: CsvTypes;
  readonly batch: number;
  readonly rejects: string;
}

async function importFile(
  { output }: Invocation,
  job: Job,
  { write, signal }: { readonly write: BatchWriter; readonly signal: AbortSignal },
): Promise<ImportCounts> {
  const { target, path, bytes, batch } = job;
  const rejects = await RejectFile.prepare(job.rejects);
  const progress = createProgress(output, {
    label: `import ${target.collection}`,
    unit: 'documents',
    total: null,
    clock: nodeSystem.clock,
  });
  try {
    const records = readRecords(path, job);
    return await runImport({
      ...{ records, write, batch, bytes, rejects, progress, output, signal },
      rejects_path: job.rejects,
    });
  } finally {
    progress.end();
    await rejects.close();
  }
}

async function report(
  { output }: Invocation,
  done: {
    readonly job: Job;
    readonly counts: ImportCounts;
    readonly dryRun: boolean;
    readonly stopped: boolean;
    readonly allowed: boolean;
  },
): Promise<void> {
  const { job, counts, dryRun, stopped, allowed } = done;
  const rejects_file = counts.rejected > 0 ? job.rejects : null;
  if (output.json) {
    const { collection, scope_id } = job.target;
    const event = stopped ? 'stopped' : 'done';
    await output.jsonLine({
      event,
      collection,
      scope_id,
      dry_run: dryRun,
      ...counts,
      rejects_file,
    });
  }
  const named = Object.entries(counts).filter(([name, count]) => name === 'read' || count > 0);
  const text = named.map(([name, count]) => `${count} ${name}`).join(', ');
  output.info(`${dryRun ? 'dry run, nothing was written' : stopped ? 'stopped' : 'done'}: ${text}`);
  if (stopped && !dryRun) output.info('the same command goes on where it stopped');
  if (counts.rejected === 0) return;
  if (allowed) {
    output.warn(`refused records are in ${job.rejects}`);
    return;
  }
  output.error(`error: ${counts.rejected} of ${counts.read} records were refused (rejected)`);
  output.error(`fix: correct them; they are in ${job.rejects} with line, code and text`);
}

function readJob({ cwd }: Invocation, flags: ImportFlags, config: Config): Job {
  const path = resolve(cwd, flags.file);
  const rejects = resolve(cwd, flags.rejects ?? `${flags.file}.rejects.ndjson`);
  if (rejects === path) throw usageError('--rejects names the file itself', 'name another file');
  const format = formatOf(flags);
  if (flags.csvTypes !== undefined && format !== 'csv') {
    throw usageError('--csv-types is for CSV files', 'leave it out');
  }
  return {
    target: { ...targetOf(flags, config), file_name: basename(path) },
    path,
    bytes: sizeOf(path, flags.file),
    format,
    id_field: flags.idField,
    csv_types: csvTypesOf(flags.csvTypes),
    batch: batchOf(flags.batch, config.push_max_changes),
    rejects,
  };
}

function targetOf({ collection, scope }: ImportFlags, config: Config) {
  const known = config.collections.find(({ name }) => name === collection);
  if (known === undefined) {
    const names = config.collections.map(({ name }) => name).join(', ');
    throw usageError(`the collection "${collection}" is not configured`, `known are ${names}`);
  }
  const scope_id = scope ?? known.scope;
  if (!isIdentityText(scope_id)) {
    throw usageError('the scope of the documents is missing', 'name it with --scope <id>');
  }
  if (known.scope !== undefined && known.scope !== scope_id) {
    throw usageError(
      `documents of "${collection}" belong to the scope "${known.scope}"`,
      'leave --scope out',
    );
  }
  return { collection, scope_id };
}

function formatOf({ file, format }: ImportFlags): Format {
  const ending = /\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? '';
  const name = format ?? (ending === 'jsonl' ? 'ndjson' : ending);
  const found = FORMATS.find((known) => known === name);
  if (found !== undefined) return found;
  const what = format === undefined ? `the ending of "${file}"` : `"${format}"`;
  throw usageError(`${what} is no known format`, `give --format with one of ${FORMATS.join(', ')}`);
}

function sizeOf(path: string, shown: string): number {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'not readable';
    throw usageError(`cannot read "${shown}" (${reason})`, 'give the path of a file');
  }
  if (!stats.isFile()) throw usageError(`"${shown}" is no file`, 'give the path of a file');
  return stats.size;
}

function csvTypesOf(text: string | undefined): CsvTypes {
  if (text === 'infer') return 'infer';
  const named = (text ?? '').split(',').filter((part) => part !== '');
  return new Map(
    named.map((part) => {
      const [, name, type] = /^(.+):(\w+)$/.exec(part) ?? [];
      const known = CSV_TYPES.find((one) => one === type);
      if (name !== undefined && known !== undefined) return [name, known];
      const hint = `for example: --csv-types price:number,done:boolean (${CSV_TYPES.join(', ')}), or infer`;
      throw usageError(`--csv-types has "${part}"`, hint);
    }),
  );
}

function batchOf(text: string | undefined, max: number): number {
  if (text === undefined) return max;
  const batch = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0;
  if (batch >= 1 && batch <= max) return batch;
  throw usageError(`--batch "${text}" is no number from 1 to ${max}`, 'for example: --batch 100');
}
