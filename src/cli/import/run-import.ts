/** Takes the records of a file to a writer in batches, keeps what is refused, and counts. */

import type { Output } from '../output.ts';
import type { Progress } from '../progress.ts';
import type { FileRecord } from './read-records.ts';
import type { RejectFile } from './reject-file.ts';
import type { BatchWriter, DocumentRecord, Written } from './write-batch.ts';

/** Text of one batch, bytes: a push is stored as one bundle, whose size is limited. */
const BATCH_BYTES_MAX = 4_194_304;
/** Refused lines that are told to people; all are in the reject file. */
const TOLD_MAX = 10;

/** One import. */
export interface ImportRun {
  readonly records: AsyncIterable<FileRecord>;
  readonly write: BatchWriter;
  readonly batch: number;
  /** Size of the file, for the part that is done. */
  readonly bytes: number;
  readonly rejects: RejectFile;
  readonly rejects_path: string;
  readonly progress: Progress;
  readonly output: Pick<Output, 'warn'>;
  /** Aborted by somebody who wants to stop: the running batch is finished. */
  readonly signal: AbortSignal;
}

/** How many records ended how. */
export interface ImportCounts {
  read: number;
  imported: number;
  replaced: number;
  unchanged: number;
  repeated: number;
  rejected: number;
}

/** Imports until the end of the file or until the signal. */
export async function runImport(run: ImportRun): Promise<ImportCounts> {
  const counts = { read: 0, imported: 0, replaced: 0, unchanged: 0, repeated: 0, rejected: 0 };
  for await (const batch of batches(run.records, run.batch)) {
    if (run.signal.aborted) break;
    await take(run, batch, counts);
    await run.progress.update({
      done: counts.read,
      part: run.bytes === 0 ? 1 : (batch.at(-1)?.end ?? 0) / run.bytes,
      counts: { rejected: counts.rejected },
    });
  }
  run.progress.end();
  return counts;
}

async function* batches(
  records: AsyncIterable<FileRecord>,
  size: number,
): AsyncGenerator<FileRecord[]> {
  let batch: FileRecord[] = [];
  let bytes = 0;
  for await (const record of records) {
    if (batch.length > 0 && bytes + record.text.length > BATCH_BYTES_MAX) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(record);
    bytes += record.text.length;
    if (batch.length < size) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** Refused records are kept in the order of their lines, whoever refused them. */
async function take(
  run: ImportRun,
  batch: readonly FileRecord[],
  counts: ImportCounts,
): Promise<void> {
  const documents = batch.filter((one): one is DocumentRecord => one.kind === 'document');
  const written = documents.length === 0 ? [] : await run.write(documents);
  const answers = new Map<FileRecord, Written>(
    documents.map((record, index) => [record, written[index] as Written]),
  );
  for (const record of batch) {
    counts.read += 1;
    const answer = record.kind === 'refused' ? record.fault : (answers.get(record) as Written);
    if (typeof answer === 'string') {
      counts[answer] += 1;
      continue;
    }
    counts.rejected += 1;
    const { line, text } = record;
    await run.rejects.add({ line, text, ...answer });
    tell(run, counts.rejected, `line ${line}: ${answer.message} (${answer.code})`);
  }
}

function tell({ output, rejects_path }: ImportRun, rejected: number, text: string): void {
  if (rejected <= TOLD_MAX) output.warn(text);
  else if (rejected === TOLD_MAX + 1) output.warn(`further refused lines are in ${rejects_path}`);
}
