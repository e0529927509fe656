/** An engine over a store on a fresh database, and the database beside it, as the application sees it. */

import { type Db, type Document, MongoClient } from 'mongodb';
import { commitDecision } from '../../src/core/commit-decision.ts';
import type { CollectionPolicy } from '../../src/core/collections.ts';
import type { RequestContext } from '../../src/core/context.ts';
import {
  decideForeign,
  type ForeignOptions,
  type ForeignVerdict,
} from '../../src/core/foreign/decide-foreign.ts';
import type { DocumentKey, SyncStore, WantedCollection } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import type { Change, ChangeResult } from '../../src/protocol/change.ts';
import type { PullChange } from '../../src/protocol/pull.ts';
import { type Hlc, ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { createMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { BUDGET_MS, CONTRACT_LAYOUT } from '../contract/contract-world.ts';
import { world } from '../support/engine/engine-world.ts';
import { ACTOR, catalogue, CLIENT, policy } from '../support/engine/records.ts';
import { freshDatabase } from '../support/mongodb.ts';

/** One collection of a test: its policy, and where deletes leave their tombstones. */
export type Wanted = Pick<CollectionPolicy, 'name'> &
  Partial<CollectionPolicy> &
  Pick<WantedCollection, 'tombstones'>;

/** A line of a full resync. */
export interface FullLine {
  readonly collection: string;
  readonly doc_id: string;
  readonly version: Hlc;
  readonly deleted: boolean;
  readonly data: Document | null;
}

/** Scope of a request when a test names none. */
export const SCOPE = 'scope-1';

/** What a test works with. `scope` is `SCOPE` unless it is named. */
export interface EnginePlace {
  readonly db: Db;
  readonly store: SyncStore;
  push(
    changes: readonly Partial<Change>[],
    as?: { readonly scope?: string; readonly client?: string },
  ): Promise<readonly ChangeResult[]>;
  /** The texts of all rows after `since`. */
  pullTexts(since?: Hlc, scope?: string): Promise<readonly string[]>;
  pull(since?: Hlc, scope?: string): Promise<readonly PullChange[]>;
  /** All lines of a full resync, in pages of `limit`. */
  full(collection: string, limit?: number, scope?: string): Promise<readonly FullLine[]>;
  /** Takes over what the application did to these documents. */
  foreign(
    keys: readonly DocumentKey[],
    options?: Partial<ForeignOptions> & { readonly scope?: string },
  ): Promise<readonly ForeignVerdict[]>;
  /** A document's bytes as they are stored, without the engine's fields. */
  userFields(collection: string, _id: unknown): Promise<Document | null>;
  close(): Promise<void>;
}

/** Opens an engine for these collections on a fresh database. */
export async function openEngine(wanted: readonly Wanted[]): Promise<EnginePlace> {
  const database = await freshDatabase();
  const policies = wanted.map(({ tombstones, ...one }) => policy(one.name, one));
  const collections = policies.map(({ name, id_type }, i) => ({
    ...{ name, id_type },
    tombstones: wanted[i]?.tombstones ?? 'sidecar',
  }));
  const store = await createMongoStore(await connect(database.uri, database.name), {
    node_id: nodeSystem.crypto.randomBase36(8),
    clock: nodeSystem.clock,
    collections,
    mode: 'tool',
  });
  await store.applySetup({ ...CONTRACT_LAYOUT, collections });
  const client = await MongoClient.connect(database.uri);
  const { core, engine } = world({ store, system: nodeSystem, catalogue: catalogue(...policies) });
  const context = (scope_id: string): RequestContext => ({
    identity: { actor_id: ACTOR, scope_ids: [scope_id] },
    scope_id,
    request_id: 'request-1',
  });
  const db = client.db(database.name);
  const pullTexts: EnginePlace['pullTexts'] = async (since = ZERO_HLC, scope = SCOPE) => {
    const texts: string[] = [];
    for (let from = since; ; ) {
      const query = { since: from, collections: undefined, limit: 100 };
      const page = await engine.pull(context(scope), query);
      if (page.kind === 'stale') throw new Error(`the pull is stale: ${page.body.reason}`);
      texts.push(...page.changes);
      if (!page.has_more) return texts;
      from = page.last_seq;
    }
  };
  return {
    db,
    store,
    push: async (changes, { scope = SCOPE, client: client_id = CLIENT } = {}) => {
      const answer = await engine.push(context(scope), {
        client_id,
        changes: changes.map((one) => ({ operation: 'upsert', ...one })),
      });
      return answer.body.results;
    },
    pullTexts,
    pull: async (since, scope) =>
      (await pullTexts(since, scope)).map((text) => JSON.parse(text) as PullChange),
    full: async (collection, limit = 100, scope = SCOPE) => {
      const lines: FullLine[] = [];
      for (let cursor: string | undefined; ; ) {
        const query = { collections: [collection], limit, trailer: false, cursor };
        const page = await engine.full(context(scope), query);
        const texts = page.chunks.join('').split('\n').slice(0, -1);
        lines.push(...texts.map((text) => JSON.parse(text) as FullLine));
        if (page.cursor === null) return lines;
        cursor = page.cursor;
      }
    },
    foreign: async (keys, { scope: scope_id = SCOPE, ...options } = {}) => {
      const load = {
        receipts: [],
        documents: keys.map((key) => ({ ...key, parent_version: null })),
        traces: keys,
      };
      const committed = await commitDecision(core, scope_id, {
        load,
        deadline_at: nodeSystem.clock.monotonic() + BUDGET_MS,
        decide: (input) =>
          decideForeign({
            ...input,
            ...{ scope_id, keys, catalogue: core.catalogue, digest: nodeSystem.crypto.sha256 },
            options: { mode: 'rows', origin: 'external', ...options },
          }),
      });
      return committed.outcome;
    },
    userFields: async (collection, _id) => {
      const options = { promoteValues: false };
      const found = await db.collection(collection).findOne({ _id } as Document, options);
      if (found === null) return null;
      return Object.fromEntries(
        Object.entries(found).filter(([key]) => key !== '_id' && !key.startsWith('_sync_')),
      );
    },
    close: async () => {
      await store.close();
      await client.close();
      await database.drop();
    },
  };
}

/** Runs a body with an engine, and closes it. */
export function withEngineOn(
  wanted: readonly Wanted[],
  body: (place: EnginePlace) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const place = await openEngine(wanted);
    try {
      await body(place);
    } finally {
      await place.close();
    }
  };
}
