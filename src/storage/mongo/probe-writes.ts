/**
 * Finds the refused documents of a group that has many. An ordered batch names only its first one,
 * so a push of hundreds would need as many attempts and never end within its deadline. Here each
 * document is written alone in a transaction that is aborted.
 */

import type { ClientSession, TransactionOptions } from 'mongodb';
import type { ChangeRef } from '../../core/ports/store.ts';
import type { RejectionCode } from '../../protocol/pure/error-codes.ts';
import { isDuplicateKey, isServerTrouble } from './driver-errors.ts';
import { failureOf, isThere, type PlannedWrite, runWrites } from './plan-writes.ts';
import type { Connection } from './topology.ts';

/** What a probe runs in. It stops when `isTimeUp`. */
export interface ProbeContext {
  readonly connection: Connection;
  readonly session: ClientSession;
  readonly transaction: TransactionOptions;
  isTimeUp(): boolean;
}

/**
 * The refused changes. A value that is taken counts only where no other write of the group could
 * free it: in a collection with new documents alone. Whatever is left out here is found by the
 * attempts, one by one.
 */
export async function probeWrites(
  context: ProbeContext,
  writes: readonly PlannedWrite[],
): Promise<ReadonlyMap<ChangeRef, RejectionCode>> {
  const freeing = new Set(
    writes.flatMap(({ target, inserted_id }) => (inserted_id === undefined ? target : [])),
  );
  const refused = new Map<ChangeRef, RejectionCode>();
  for (const write of writes) {
    if (write.change === undefined) continue;
    if (context.isTimeUp()) break;
    const code = await refusalOf(context, write);
    if (code === undefined) continue;
    if (code === 'document_validation' || !freeing.has(write.target)) {
      refused.set(write.change, code);
    }
  }
  return refused;
}

async function refusalOf(
  { connection, session, transaction }: ProbeContext,
  write: PlannedWrite,
): Promise<RejectionCode | undefined> {
  session.startTransaction(transaction);
  try {
    // Alone, a plain command of the collection does it, and carries the transaction's read concern.
    await runWrites({ ...connection, clientBulkWrite: false }, session, [write]);
    return undefined;
  } catch (error) {
    const { failed } = failureOf(error);
    if (failed === undefined || isServerTrouble(failed.code)) return undefined;
    if (!isDuplicateKey(failed)) return 'document_validation';
    return (await isThere(connection.db, write)) ? undefined : 'unique_violation';
  } finally {
    await session.abortTransaction().catch(() => undefined);
  }
}
