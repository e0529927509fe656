/** Options of `createSyncServer` on a store of the test's own, with users known by a header. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { type ClientOptions, SyncClient } from '../../../examples/minimal-client.mjs';
import { createSyncServer, type SyncServer, type SyncServerOptions } from '../../../src/index.ts';
import { freshDatabase } from '../../support/mongodb.ts';

/** Collections of every server of these tests. */
export const COLLECTIONS = ['tasks', 'notes'];

/** Everybody with a name in the header `x-user` is that person, in the team `red`. */
export const HEADER_AUTH: NonNullable<SyncServerOptions['auth']> = {
  authenticate(request: Request) {
    const user = request.headers.get('x-user');
    return user === null ? null : { actor_id: user, scope_ids: ['red'] };
  },
};

/** A place for the data of one test. */
export interface Place {
  readonly name: 'embedded' | 'mongo';
  readonly options: Partial<SyncServerOptions>;
  /** The client that is shared; undefined on the embedded store. */
  readonly client: MongoClient | undefined;
  readonly database: string;
}

/** The embedded store, and MongoDB when the lane has one. */
export const PLACES: readonly ('embedded' | 'mongo')[] = process.env['SYNC_TEST_MONGODB_URI']
  ? ['embedded', 'mongo']
  : ['embedded'];

/** An empty store; it goes with the test. */
export async function freshPlace(
  t: TestContext,
  name: Place['name'],
  clientOptions: MongoClientOptions = {},
): Promise<Place> {
  if (name === 'embedded') {
    const data_dir = mkdtempSync(path.join(tmpdir(), 'offline-sync-library-'));
    t.after(() => rmSync(data_dir, { recursive: true, force: true }));
    return { name, options: { data_dir }, client: undefined, database: '' };
  }
  const database = await freshDatabase();
  const client = new MongoClient(database.uri, clientOptions);
  t.after(async () => {
    await client.close();
    await database.drop();
  });
  return {
    name,
    options: { client, database_name: database.name },
    client,
    database: database.name,
  };
}

/** A server on that place; it is closed with the test. */
export async function openServer(
  t: TestContext,
  place: Place,
  more: Partial<SyncServerOptions> = {},
): Promise<SyncServer> {
  const server = await createSyncServer({
    collections: COLLECTIONS,
    auto_init: true,
    logger: 'silent',
    auth: HEADER_AUTH,
    ...place.options,
    ...more,
  });
  t.after(() => server.close());
  return server;
}

/** A reference client of one person. */
export function clientOf(url: string, user: string, more: Partial<ClientOptions> = {}): SyncClient {
  return new SyncClient({ url, collections: COLLECTIONS, headers: { 'x-user': user }, ...more });
}

/** Two people work offline and meet: true offline edits, a conflict, a deletion, a new device. */
export async function meet(url: string): Promise<void> {
  const [ann, bob] = [clientOf(url, 'ann'), clientOf(url, 'bob')];
  await ann.put('tasks', 't1', { title: 'Buy milk' });
  await ann.put('notes', 'n1', { text: 'Hello' });
  await ann.sync();
  await bob.sync();
  await ann.put('tasks', 't1', { title: 'Buy milk and bread' });
  await bob.remove('notes', 'n1');
  await bob.put('tasks', 't2', { title: 'By Bob' });
  await Promise.all([ann.sync(), bob.sync()]);
  await Promise.all([ann.sync(), bob.sync()]);
  const late = clientOf(url, 'cleo');
  await late.sync();
  const wanted = JSON.stringify([
    { doc_id: 't1', data: { title: 'Buy milk and bread' } },
    { doc_id: 't2', data: { title: 'By Bob' } },
  ]);
  for (const one of [ann, bob, late]) {
    const seen = JSON.stringify(one.list('tasks').sort((a, b) => (a.doc_id < b.doc_id ? -1 : 1)));
    if (seen !== wanted) throw new Error(`a client sees ${seen}`);
    if (one.get('notes', 'n1') !== undefined) throw new Error('a deleted note is there');
  }
}
