/**
 * Trouble in the middle of a group's writes: the connection counts the statements that write, and does
 * something else at the n-th of them: before it, after half of its writes, or when its answer should come.
 */

import type { Collection, Db, Document, MongoClient } from 'mongodb';
import type { Connection } from '../../src/storage/mongo/topology.ts';

/** Where it happens. */
export interface CrashPoint {
  /** Number of the statement, from 1; with `half` among those that hold several writes. */
  readonly statement: number;
  readonly moment: 'before' | 'half' | 'after';
}

/** Statements that come by the clock, not by the work. */
const UNCOUNTED = ['sync_meta', 'sync_clients'];
const COUNTED = [
  'insertOne',
  'insertMany',
  'updateOne',
  'replaceOne',
  'deleteOne',
  'deleteMany',
  'bulkWrite',
];

type Statement = (...parts: unknown[]) => Promise<unknown>;

/** The connection with a counter. What `trouble` throws, the statement throws. */
export function troubled(
  connection: Connection,
  point: CrashPoint,
  trouble: () => Promise<void>,
): Connection {
  let count = 0;
  const counted =
    (statement: Statement): Statement =>
    async (...parts) => {
      const [first, ...rest] = parts;
      const list = Array.isArray(first) ? (first as unknown[]) : [];
      if (point.moment !== 'half' || list.length > 1) count += 1;
      else return statement(...parts);
      if (count !== point.statement) return statement(...parts);
      if (point.moment === 'half') {
        await statement(list.slice(0, Math.ceil(list.length / 2)), ...rest);
      }
      const answer = point.moment === 'after' ? await statement(...parts) : undefined;
      await trouble();
      return answer ?? statement(...parts);
    };
  const collection = (name: string, options: Document): Collection => {
    const found = connection.db.collection(name, options);
    return UNCOUNTED.includes(name) ? found : overriding(found, COUNTED, counted);
  };
  const db = new Proxy(connection.db, {
    get: (from, key) => (key === 'collection' ? collection : bound(from, key)),
  }) as Db;
  const client: MongoClient = overriding(connection.client, ['bulkWrite'], counted);
  return { ...connection, db, client };
}

function overriding<T extends object>(
  target: T,
  names: readonly string[],
  wrap: (statement: Statement) => Statement,
): T {
  return new Proxy(target, {
    get: (from, key) => {
      const value = bound(from, key);
      return names.includes(String(key)) ? wrap(value as Statement) : value;
    },
  });
}

function bound<T extends object>(from: T, key: string | symbol): unknown {
  const value = Reflect.get(from, key, from) as unknown;
  return typeof value === 'function' ? value.bind(from) : value;
}
