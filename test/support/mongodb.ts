/**
 * The MongoDB of a test: the lane's server with a fresh database, or a server of the test's own where
 * it needs special flags or a kill. The lane's server stands in SYNC_TEST_MONGODB_URI.
 */

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { MongoClient } from 'mongodb';
import type { MongoOptions, StartedMongo } from '../../scripts/mongodb.mjs';

/** A database that nobody else uses. */
export interface FreshDatabase {
  readonly uri: string;
  readonly name: string;
  drop(): Promise<void>;
}

/** A fresh database on the lane's server, or on `server`. Throws when the lane has no server. */
export async function freshDatabase(server?: Pick<StartedMongo, 'uri'>): Promise<FreshDatabase> {
  const uri = server?.uri ?? process.env['SYNC_TEST_MONGODB_URI'];
  if (!uri) throw new Error('SYNC_TEST_MONGODB_URI is not set; run this with npm test');
  const name = `sync_test_${randomBytes(6).toString('hex')}`;
  return {
    uri,
    name,
    drop: async () => {
      const client = new MongoClient(uri);
      try {
        await client.db(name).dropDatabase();
      } finally {
        await client.close();
      }
    },
  };
}

/**
 * Starts a server of the test's own. The script is imported by its path and not bundled, because it
 * finds its cache by its own place.
 */
export async function startOwnMongo(options: MongoOptions): Promise<StartedMongo> {
  const script = pathToFileURL(path.resolve('scripts/mongodb.mjs')).href;
  const { startMongo } = (await import(script)) as typeof import('../../scripts/mongodb.mjs');
  return startMongo(options);
}

/** A server and a client of it that live as long as the tests of a file. */
export interface OwnServer {
  readonly started: StartedMongo;
  readonly admin: MongoClient;
}

/** Starts a server with fail points before the tests of the file, and stops it after them. */
export function serverWithFailPoints(): OwnServer {
  let running: OwnServer | undefined;
  const known = (): OwnServer => {
    if (running === undefined) throw new Error('the server starts with the first test');
    return running;
  };
  before(async () => {
    const started = await startOwnMongo({ testCommands: true });
    running = { started, admin: new MongoClient(started.uri) };
  });
  after(async () => {
    await running?.admin.close();
    await running?.started.stop();
  });
  return {
    get started() {
      return known().started;
    },
    get admin() {
      return known().admin;
    },
  };
}
