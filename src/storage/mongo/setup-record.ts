/**
 * What setup made, so that `init --remove` takes away exactly that: the document `setup` of
 * `sync_meta`. It is written before anything is made; whatever it names is ours or is not there yet.
 */

import type { Db, Document } from 'mongodb';
import type { SetupStep, WantedLayout } from '../../core/ports/store.ts';
import { ENGINE_COLLECTIONS, engineCollection, type StoredRecord } from './collections.ts';
import { againOnDuplicate } from './driver-errors.ts';
import { wantedIndexes } from './indexes.ts';

/**
 * How an earlier server of the same protocol named the owner of a document: `user` by
 * `_sync_user_id`, `actor` by `_sync_actor_id` and `_sync_scope_id`.
 */
export type EarlierForm = 'user' | 'actor';

/** What is known about this database's setup. */
export interface SetupRecord {
  /** Every collection that was ever configured. */
  readonly collections: readonly string[];
  readonly created_collections: readonly string[];
  /** Each as `collection.index`. */
  readonly created_indexes: readonly string[];
  /** Collections whose documents an earlier server had stamped before ours did. */
  readonly earlier: readonly { readonly name: string; readonly form: EarlierForm }[];
  /** `sync_oplog` was the log of an earlier server and was set aside, or is about to be. */
  readonly earlier_log: boolean;
  /** Its scopes have their heads. */
  readonly earlier_heads: boolean;
  readonly removing: boolean;
}

/** The record, or null in a database that was never set up. */
export async function readSetupRecord(db: Db): Promise<SetupRecord | null> {
  const found = await engineCollection(db, 'sync_meta').findOne({ _id: 'setup' });
  if (found === null) return null;
  return {
    collections: found['collections'] ?? [],
    created_collections: found['created_collections'] ?? [],
    created_indexes: found['created_indexes'] ?? [],
    earlier: found['earlier'] ?? [],
    earlier_log: found['earlier_log'] === true,
    earlier_heads: found['earlier_heads'] === true,
    removing: found['removing'] === true,
  };
}

/** Records what the steps are about to create. */
export async function recordCreations(
  db: Db,
  wanted: WantedLayout,
  steps: readonly SetupStep[],
): Promise<void> {
  await ensureSetupRecord(db, wanted);
  const created = (kind: SetupStep['kind']) =>
    steps.filter((step) => step.action === 'create' && step.kind === kind).map(({ name }) => name);
  const [collections, indexes] = [created('collection'), created('index')];
  if (collections.length + indexes.length === 0) return;
  await updateRecord(db, {
    $addToSet: {
      created_collections: { $each: collections },
      created_indexes: { $each: indexes },
    },
  });
}

/**
 * A database that was set up before there was a record: everything under the engine's names counts as
 * made by it, and no business collection does.
 */
export async function ensureSetupRecord(db: Db, wanted: WantedLayout): Promise<void> {
  const meta = await engineCollection(db, 'sync_meta')
    .find({ _id: { $in: ['meta', 'setup'] } }, { projection: { _id: 1 } })
    .toArray();
  if (meta.some(({ _id }) => _id === 'setup') || meta.length === 0) return;
  const { removing, ...assumed } = assumedRecord(wanted);
  await updateRecord(db, { $setOnInsert: assumed });
}

/** What such a database's record would say. */
export function assumedRecord(wanted: WantedLayout): SetupRecord {
  return {
    collections: wanted.collections.map(({ name }) => name),
    created_collections: [...ENGINE_COLLECTIONS],
    created_indexes: wantedIndexes(wanted).map((index) => `${index.collection}.${index.name}`),
    earlier: [],
    earlier_log: false,
    earlier_heads: false,
    removing: false,
  };
}

/** Notes the configured collections, and which of them an earlier server had stamped. */
export async function noteCollections(db: Db, names: readonly string[]): Promise<void> {
  const record = await readSetupRecord(db);
  const fresh = names.filter((name) => !record?.collections.includes(name));
  if (fresh.length === 0) return;
  const earlier: Document[] = [];
  for (const name of fresh) {
    // The index on the version answers: where nobody stamped yet, nothing is read.
    const stamped = await db.collection(name).findOne({
      _sync_version: { $gt: '' },
      _sync_hash: { $exists: false },
      _sync_change_version: { $exists: false },
    });
    if (stamped !== null) earlier.push({ name, form: formOf(stamped) });
  }
  await updateRecord(db, {
    $addToSet: { collections: { $each: fresh }, earlier: { $each: earlier } },
  });
}

function formOf(stamped: Document): EarlierForm {
  return stamped['_sync_user_id'] === undefined ? 'actor' : 'user';
}

/** Notes how far the log of an earlier server is. */
export function noteEarlierLog(
  db: Db,
  known: Partial<Pick<SetupRecord, 'earlier_log' | 'earlier_heads'>>,
): Promise<void> {
  return updateRecord(db, { $set: known });
}

/** Marks that everything is being removed: from here on nobody may serve or set up. */
export function markRemoving(db: Db, removing: boolean): Promise<void> {
  return updateRecord(db, removing ? { $set: { removing } } : { $unset: { removing: '' } });
}

async function updateRecord(db: Db, update: Document): Promise<void> {
  const upsert = () =>
    engineCollection<StoredRecord>(db, 'sync_meta').updateOne({ _id: 'setup' }, update, {
      upsert: true,
    });
  // Another process may set up at the same time.
  await againOnDuplicate(upsert);
}
