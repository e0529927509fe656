/** Opens the client with the guarantees the design rests on, and refuses what would weaken them. */

import {
  type ClientSession,
  type Db,
  MongoClient,
  type MongoClientOptions,
  type MongoOptions,
  ReadConcern,
} from 'mongodb';
import { StoreError } from '../../core/ports/store.ts';
import { toStoreError } from './driver-errors.ts';

/** How long an unreachable database is waited for, ms. */
const SELECTION_LIMIT_MS = 5_000;
/**
 * How often the driver looks at a server, ms. After an election or a server's restart it finds the
 * primary within this time, which must be well inside a push's deadline.
 */
const HEARTBEAT_MS = 2_000;
/** Wire version of MongoDB 4.4, the first with `$unionWith`. */
const WIRE_VERSION_MIN = 9;
/** Wire version of MongoDB 8.0, the first with one bulk write over several collections. */
const WIRE_VERSION_BULK = 25;

/** How stored values are read, whatever a shared client has chosen for its own use. */
const PLAIN_VALUES = {
  promoteValues: true,
  promoteLongs: true,
  promoteBuffers: false,
  useBigInt64: false,
  bsonRegExp: false,
  raw: false,
  ignoreUndefined: false,
} as const;

/** A client of the application around. */
export type SharedClient = MongoClient;

/** A session of that client. */
export type SharedSession = ClientSession;

/**
 * Whether pushes run in transactions. `off` is for a standalone server alone, which has none; a
 * replica set is refused then, because another process could work on it with transactions.
 */
export type Transactions = 'required' | 'off';

/** An open connection. `clientBulkWrite`: the server takes one bulk write over several collections. */
export interface Connection {
  readonly transactions: Transactions;
  readonly client: MongoClient;
  readonly db: Db;
  readonly clientBulkWrite: boolean;
  /** True when the client belongs to the application around, which closes it. */
  readonly shared?: boolean;
}

/** Connects. Throws `unavailable` for a database out of reach, `unsupported` for one that cannot serve. */
export async function connect(
  uri: string,
  database: string,
  transactions: Transactions = 'required',
): Promise<Connection> {
  const client = createClient(uri);
  try {
    return await connectionOf(client, database, transactions);
  } catch (error) {
    await client.close();
    throw toStoreError(error);
  }
}

/** Uses a client of the application around, which stays its to close. Throws as `connect` does. */
export async function connectShared(
  client: unknown,
  database: string,
  transactions: Transactions = 'required',
): Promise<Connection> {
  const checked = checkClient(client);
  try {
    return { ...(await connectionOf(checked, database, transactions)), shared: true };
  } catch (error) {
    throw toStoreError(error);
  }
}

/** The connection over a client. Concerns are set here, because every statement relies on them. */
export async function connectionOf(
  client: MongoClient,
  database: string,
  transactions: Transactions = 'required',
): Promise<Connection> {
  const hello = await client.db('admin').command({ hello: 1 });
  refuseTopology(hello, transactions);
  const options = {
    ...PLAIN_VALUES,
    ...CONCERNS[transactions],
    readPreference: 'primary',
  } as const;
  const db = client.db(database, options);
  const clientBulkWrite = hello['maxWireVersion'] >= WIRE_VERSION_BULK;
  return { client, db, clientBulkWrite, transactions };
}

/** On a single server what is journaled is what a majority has, and it knows no other concern. */
const CONCERNS = {
  required: {
    readConcern: new ReadConcern('majority'),
    writeConcern: { w: 'majority', journal: true },
  },
  off: { readConcern: new ReadConcern('local'), writeConcern: { w: 1, journal: true } },
} as const;

/**
 * A client that keeps the guarantees; not connected yet. The cause of a refused URI is not kept,
 * because a parser's message may hold parts of it.
 */
export function createClient(uri: string, options: MongoClientOptions = {}): MongoClient {
  let client: MongoClient;
  try {
    client = new MongoClient(uri, {
      ...options,
      appName: 'offline-sync',
      heartbeatFrequencyMS: HEARTBEAT_MS,
      serverSelectionTimeoutMS: SELECTION_LIMIT_MS,
      connectTimeoutMS: SELECTION_LIMIT_MS,
      waitQueueTimeoutMS: SELECTION_LIMIT_MS,
    });
  } catch {
    throw new StoreError('unsupported', 'the MongoDB URI is not valid');
  }
  const weakness = weaknessOf(client.options);
  if (weakness !== undefined) {
    throw new StoreError('unsupported', `the MongoDB URI weakens the store: leave out ${weakness}`);
  }
  return client;
}

/**
 * A client of the application around, when it keeps the guarantees. It must come from the same copy of
 * the driver: its errors are told apart by their classes, and a retry depends on that.
 */
export function checkClient(client: unknown): MongoClient {
  if (!(client instanceof MongoClient)) {
    throw new StoreError(
      'unsupported',
      'the client was not made by the copy of the package "mongodb" that this server uses; ' +
        'install one version of it (npm ls mongodb)',
    );
  }
  const weakness = weaknessOf(client.options);
  if (weakness !== undefined) {
    throw new StoreError('unsupported', `the client weakens the store: leave out ${weakness}`);
  }
  return client;
}

/** The option of the URI that would let acknowledged changes be lost or read too early. */
function weaknessOf(options: MongoOptions): string | undefined {
  const { writeConcern, readConcern, readPreference } = options;
  if (writeConcern?.w === 0 || writeConcern?.w === 1) return 'w=0 and w=1';
  if (writeConcern?.journal === false) return 'journal=false';
  const level = readConcern?.level;
  if (level === 'local' || level === 'available') return 'readConcernLevel';
  if (readPreference?.mode !== 'primary') return 'readPreference';
  const unchecked = options.rejectUnauthorized === false || options.checkServerIdentity;
  return unchecked ? 'tlsInsecure, tlsAllowInvalidCertificates and …Hostnames' : undefined;
}

function refuseTopology(hello: Record<string, unknown>, transactions: Transactions): void {
  if (hello['msg'] === 'isdbgrid') {
    throw new StoreError('unsupported', 'a sharded cluster is not supported; use a replica set');
  }
  const replicated = typeof hello['setName'] === 'string';
  if (replicated && transactions === 'off') {
    throw new StoreError(
      'unsupported',
      'this MongoDB is a replica set and has transactions; leave out "transactions: off"',
    );
  }
  if (!replicated && transactions === 'required') {
    throw new StoreError(
      'unsupported',
      'this MongoDB runs standalone, without transactions; start it as a one-member replica set ' +
        '(mongod --replSet rs0, then rs.initiate())',
    );
  }
  if (!(Number(hello['maxWireVersion']) >= WIRE_VERSION_MIN)) {
    throw new StoreError('unsupported', 'MongoDB 4.4 or newer is needed');
  }
}
