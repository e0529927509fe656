/** Servers for writes of the application: rows as clients get them, and plain collections beside. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Collection, Document, MongoClient } from 'mongodb';
import {
  ScopeWriteError,
  type ScopeWriteReason,
  type SyncServer,
  type SyncServerOptions,
} from '../../../src/index.ts';
import { freshPlace, openServer, type Place } from './embedded-app.ts';

/** The scope of these tests unless they say another. */
export const SCOPE = 'red';

/** A row as a client pulls it. */
export interface Row {
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly data: unknown;
  readonly version: string;
  readonly parent_version: string | null;
  readonly actor_id?: string;
  readonly bundle_seq: number;
}

/** A document of a plain collection. */
export interface Plain extends Document {
  readonly _id: string;
}

/** A server and what is around it. */
export interface World {
  readonly sync: SyncServer;
  readonly place: Place;
  rows(scope?: string): Promise<Row[]>;
  /** A plain collection of the application, with its own driver options. */
  plain(name: string): Collection<Plain>;
}

/** Opens a server on an empty store. */
export async function openWorld(
  t: TestContext,
  kind: 'embedded' | 'mongo',
  more: Partial<SyncServerOptions> = {},
): Promise<World> {
  const place = await freshPlace(t, kind);
  const sync = await openServer(t, place, {
    auth: {
      authenticate: (request) => ({
        actor_id: 'ann',
        scope_ids: [request.headers.get('x-scope') ?? SCOPE],
      }),
    },
    ...more,
  });
  return {
    sync,
    place,
    async rows(scope = SCOPE) {
      const url = 'http://app/sync/pull?since=19700101T000000.000Z-0000';
      const answer = await sync.fetch(new Request(url, { headers: { 'x-scope': scope } }));
      assert.equal(answer.status, 200);
      return ((await answer.json()) as { changes: Row[] }).changes;
    },
    plain: (name) => (place.client as MongoClient).db(place.database).collection(name),
  };
}

/** Accepts a `ScopeWriteError` with this reason only. */
export function refusal(reason: ScopeWriteReason): (error: Error) => boolean {
  return (error) => {
    assert.ok(error instanceof ScopeWriteError, String(error.stack));
    assert.equal(error.reason, reason, error.message);
    return true;
  };
}
