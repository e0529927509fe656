/** The documents by which the processes of a database know each other. */

import type { Db } from 'mongodb';
import { engineCollection, type StoredRecord } from './collections.ts';

/** Age by the database's clock after which a process counts as dead, ms. */
const DEAD_AFTER_MS = 6_000;

/** What a process left behind. */
export interface ProcessRecord {
  readonly record: StoredRecord;
  readonly dead: boolean;
}

/** Processes that said they work with the database, without the one named. */
export async function listProcesses(
  db: Db,
  except: string | null = null,
): Promise<readonly ProcessRecord[]> {
  const found = await engineCollection(db, 'sync_meta')
    .aggregate<StoredRecord>([
      { $match: { _id: { $regex: '^node:', $ne: except } } },
      { $set: { now: '$$NOW' } },
    ])
    .toArray();
  return found.map((record) => ({
    record,
    dead: record['now'] - record['at'] > DEAD_AFTER_MS,
  }));
}

/** How many of them still refresh their document. */
export async function countLiveProcesses(db: Db, except: string | null = null): Promise<number> {
  const processes = await listProcesses(db, except);
  return processes.filter(({ dead }) => !dead).length;
}
