/** Retention, counts and the record of clients. Setup is in `setup.ts`. */

import type { Collection, Db, Document } from 'mongodb';
import { PRUNE_SLICE_ROWS } from '../../protocol/pure/limits.ts';
import { engineCollection } from './collections.ts';

/** Deletes a scope's rows up to `seq`, slice by slice from the oldest. Returns how many. */
export async function prune(db: Db, scope_id: string, seq: number): Promise<number> {
  const oplog = engineCollection(db, 'sync_oplog');
  let pruned = 0;
  for (;;) {
    const [last] = await oplog
      .find({ scope_id, seq: { $lte: seq } }, { projection: { seq: 1 } })
      .sort({ seq: 1 })
      .limit(PRUNE_SLICE_ROWS)
      .toArray()
      .then((rows) => rows.slice(-1));
    if (last === undefined) return pruned;
    const { deletedCount } = await oplog.deleteMany({ scope_id, seq: { $lte: last['seq'] } });
    pruned += deletedCount;
  }
}

/** Estimated rows of the oplog. */
export function countOplog(db: Db): Promise<number> {
  return engineCollection(db, 'sync_oplog').estimatedDocumentCount();
}

/** Documents without a version. Null matches a missing field, and the index on it serves that. */
export function countUnmigrated(db: Db, collection: string): Promise<number> {
  return db.collection(collection).countDocuments({ _sync_version: null });
}

/** When a client was seen first and last, by the database's clock. */
export async function recordClient(
  db: Db,
  client: { scope_id: string; client_id: string; actor_id: string },
): Promise<void> {
  const { scope_id, client_id, actor_id } = client;
  const clients = engineCollection<Document>(db, 'sync_clients') as Collection<Document>;
  await clients.updateOne(
    { _id: { scope_id, client_id } } as Document,
    [
      {
        $set: {
          // Without $literal an actor id that starts with "$" would be read as a field path.
          actor_id: { $literal: actor_id },
          first_seen: { $ifNull: ['$first_seen', '$$NOW'] },
          last_push_at: '$$NOW',
        },
      },
    ],
    { upsert: true },
  );
}
