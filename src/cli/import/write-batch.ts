/** Writes documents through the engine, or judges them for a dry run. */

import { changeChecker } from '../../compose-store.ts';
import type { Config } from '../../config/finish-config.ts';
import type { SyncEngine } from '../../core/engine.ts';
import type { ChangeResult } from '../../protocol/change.ts';
import { SyncError } from '../../protocol/errors.ts';
import { nodeSystem } from '../../node-system.ts';
import { EXIT } from '../exit-codes.ts';
import { CommandError } from '../failure.ts';
import type { FileRecord } from './read-records.ts';
import type { RecordFault } from './record-bytes.ts';

/** Who the rows of an import say acted, and the client id that its receipts are kept under. */
export const IMPORT_NAME = 'import';

/** Where documents go. */
export interface ImportTarget {
  readonly collection: string;
  readonly scope_id: string;
  /** Name of the file: a part of what makes its lines known again. */
  readonly file_name: string;
}

/** A record that holds a document. */
export type DocumentRecord = Extract<FileRecord, { readonly kind: 'document' }>;

/** What became of a document: refused with its reason, or counted under a name. */
export type Written = RecordFault | 'imported' | 'replaced' | 'unchanged' | 'repeated';

/** Writes some documents; the answers are in their order. */
export type BatchWriter = (batch: readonly DocumentRecord[]) => Promise<readonly Written[]>;

/** Writes as the application's own back end does: over what is there, with the loser kept. */
export function engineWriter(engine: SyncEngine, target: ImportTarget): BatchWriter {
  const write: BatchWriter = async (batch) => {
    const changes = batch.map((record) => ({
      ...changeOf(record, target),
      mutation_id: mutationIdOf(record, target),
    }));
    try {
      const { body } = await engine.writeServerChanges(
        { request_id: IMPORT_NAME },
        {
          scope_id: target.scope_id,
          actor_id: IMPORT_NAME,
          client_id: IMPORT_NAME,
          changes,
          atomic: 'partial',
        },
      );
      return body.results.map(writtenOf);
    } catch (error) {
      const tooLarge = error instanceof SyncError && error.code === 'bundle_too_large';
      if (!tooLarge || batch.length === 1) throw stopped(error);
      const half = batch.length >> 1;
      return [...(await write(batch.slice(0, half))), ...(await write(batch.slice(half)))];
    }
  };
  return write;
}

/** Judges what can be judged without the store: names, ids, values, sizes. */
export function checkingWriter(config: Config, target: ImportTarget): BatchWriter {
  const check = changeChecker(config);
  return async (batch) =>
    check(
      target.scope_id,
      batch.map((record) => changeOf(record, target)),
    ).map((refused) => (refused === null ? 'imported' : writtenOf(refused)));
}

function changeOf({ doc_id, data }: DocumentRecord, { collection }: ImportTarget) {
  return { collection, operation: 'upsert', doc_id, data };
}

/**
 * The same for the same document on the same line of a file of this name: a repeat of the import, or
 * going on after a kill, gets the stored answer for it [IM-4].
 */
function mutationIdOf(
  { line, doc_id, data }: DocumentRecord,
  { collection, file_name }: ImportTarget,
): string {
  const text = JSON.stringify([IMPORT_NAME, file_name, collection, line, doc_id, data]);
  return nodeSystem.crypto.sha256(text).slice(0, 32);
}

function writtenOf(result: ChangeResult): Written {
  if (result.code !== null) {
    return { code: result.code, message: describeRejection(result) };
  }
  if (result.duplicate === true) return 'repeated';
  if (result.resolution === 'noop') return 'unchanged';
  return result.resolution === 'applied' ? 'imported' : 'replaced';
}

function describeRejection({ error, details }: ChangeResult): string {
  const [issue] = details?.issues ?? [];
  if (issue === undefined) return error ?? '';
  // The place of the change in its request says nothing to somebody who has the line.
  return `${issue.path.replace(/^\/changes\/\d+/, '')} ${issue.message}`.trim();
}

/** What was written stays and is known again, so the next step is always the same. */
function stopped(error: unknown): unknown {
  if (!(error instanceof SyncError)) return error;
  const database = error.code === 'database_unavailable' || error.code === 'service_unavailable';
  return new CommandError({
    exit: database ? EXIT.database : EXIT.runtime,
    code: error.code,
    cause: `the import stopped: ${error.message}`,
    fix: 'run the same command again; what was imported is known and not doubled',
  });
}
