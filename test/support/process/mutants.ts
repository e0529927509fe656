/** Faults planted between the MongoDB store and the driver. Each makes the store break a promise. */

import type { AnyClientBulkWriteModel, Db, Document, MongoClient } from 'mongodb';
import type { Connection } from '../../../src/storage/mongo/topology.ts';
import type { Mutant } from './server-hooks.ts';

const HEADS = 'sync_scopes';

/** The connection as the mutant sees it; the same one without a mutant. */
export function withMutant(connection: Connection, mutant: Mutant | undefined): Connection {
  if (mutant === undefined) return connection;
  const client = withoutLastHeadWrite(connection.client);
  const db = mutant === 'head_not_locked' ? withReadHead(connection.db) : connection.db;
  return { ...connection, client, db, clientBulkWrite: true };
}

/** Drops the write of the head from each bulk write, and counts it as if it had matched. */
function withoutLastHeadWrite(client: MongoClient): MongoClient {
  const bulkWrite: MongoClient['bulkWrite'] = async (models, options) => {
    const kept = (models as readonly AnyClientBulkWriteModel<Document>[]).filter(
      ({ namespace }) => !namespace.endsWith(`.${HEADS}`),
    );
    const result = await client.bulkWrite(kept, options);
    const matchedCount = result.matchedCount + models.length - kept.length;
    return { ...result, matchedCount };
  };
  return overriding(client, { bulkWrite });
}

/** The head comes from the newest row of the log, as a plain read of the transaction's snapshot. */
function withReadHead(db: Db): Db {
  const findOneAndUpdate = async (
    { _id }: { _id: string },
    _update: unknown,
    { session }: Document,
  ): Promise<Document> => {
    const [row] = await db
      .collection('sync_oplog')
      .find({ scope_id: _id }, { session })
      .sort({ seq: -1 })
      .limit(1)
      .toArray();
    return {
      ...{ _id, chain_start: '', touched: new Date(), hlc_c: 0 },
      head_version: row?.['_id'] ?? '',
      head_seq: row?.['seq'] ?? 0,
      head_bundle_seq: row?.['bundle_seq'] ?? 0,
      hlc_p: row === undefined ? 0 : (row['timestamp'] as Date).getTime() + 1,
    };
  };
  const collection = ((name: string, options: Document) => {
    const found = db.collection(name, options);
    return name === HEADS ? overriding(found, { findOneAndUpdate } as object) : found;
  }) as Db['collection'];
  return overriding(db, { collection });
}

function overriding<T extends object>(target: T, own: object): T {
  return new Proxy(target, {
    get(from, key) {
      if (key in own) return own[key as keyof typeof own];
      const value = Reflect.get(from, key, from) as unknown;
      return typeof value === 'function' ? value.bind(from) : value;
    },
  });
}
