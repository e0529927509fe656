/** The meta document: identity of the store's history, its catalogue, and barriers that are owed. */

import type { Db, Document } from 'mongodb';
import type { PendingResets, StoreMeta } from '../../core/ports/history.ts';
import type { SetupStep, WantedLayout } from '../../core/ports/store.ts';
import { SCHEMA_LEVEL } from '../../protocol/version.ts';
import { engineCollection } from './collections.ts';
import { againOnDuplicate } from './driver-errors.ts';

/** A step of setup with the work that carries it out. */
export interface PlannedStep {
  readonly step: SetupStep;
  apply(): Promise<void>;
}

/** Identity of the store's history; null before the first setup. */
export async function readMeta(db: Db): Promise<StoreMeta | null> {
  const found = await engineCollection(db, 'sync_meta')
    .find({ _id: { $in: ['meta', 'setup'] } })
    .toArray();
  const meta = found.find(({ _id }) => _id === 'meta');
  if (meta === undefined) return null;
  const { schema_level, epoch, cursor_key, catalogue_hash, pending_resets = [] } = meta;
  return {
    ...{ schema_level, epoch, cursor_key, catalogue_hash },
    ...(pending_resets.length === 0 ? {} : { pending_resets }),
    ...(isRemoving(found) ? { removing: true } : {}),
  };
}

/** Step of the meta document. */
export async function planMeta(db: Db, wanted: WantedLayout): Promise<PlannedStep> {
  const found = await engineCollection(db, 'sync_meta')
    .find({ _id: { $in: ['meta', 'setup'] } })
    .toArray();
  const meta = found.find(({ _id }) => _id === 'meta');
  const of = (action: SetupStep['action'], detail: string, apply: () => Promise<unknown>) => ({
    step: { action, kind: 'meta' as const, name: 'sync_meta', detail },
    apply: async () => {
      await apply();
    },
  });
  if (isRemoving(found)) {
    const detail = 'a removal was begun; finish it with: offline-sync init --remove';
    return of('blocked', detail, async () => {});
  }
  if (meta === undefined)
    return of('create', 'identity of this store', () => createMeta(db, wanted));
  const { schema_level, catalogue_hash } = meta;
  if (schema_level !== SCHEMA_LEVEL) {
    return of('blocked', `schema level ${schema_level}, not ${SCHEMA_LEVEL}`, async () => {});
  }
  if (catalogue_hash === wanted.catalogue_hash) {
    return of('present', `schema level ${SCHEMA_LEVEL}`, async () => {});
  }
  const added = await addedCollections(db, meta, wanted);
  const detail =
    added.length === 0
      ? "the collections' configuration changed"
      : `the collections' configuration changed; clients resync ${added.join(', ')}`;
  return of('change', detail, () => changeCatalogue(db, wanted, added));
}

function isRemoving(found: readonly Document[]): boolean {
  return found.some(({ removing }) => removing === true);
}

/**
 * Collections that the catalogue did not hold and that have stamped documents: clients passed over
 * their rows, so pull alone would never deliver them.
 */
async function addedCollections(
  db: Db,
  meta: Document,
  wanted: WantedLayout,
): Promise<readonly string[]> {
  // A store that was set up before the names were kept cannot tell.
  if (!Array.isArray(meta['collections'])) return [];
  const known = new Set<string>(meta['collections']);
  const added: string[] = [];
  for (const { name } of wanted.collections) {
    if (known.has(name)) continue;
    const stamped = await db
      .collection(name)
      .findOne({ _sync_version: { $gt: '' } }, { projection: { _id: 1 } });
    if (stamped !== null) added.push(name);
  }
  return added;
}

function changeCatalogue(db: Db, wanted: WantedLayout, added: readonly string[]): Promise<unknown> {
  const { catalogue_hash, new_epoch: run } = wanted;
  const pending: PendingResets = { run, collections: added };
  return engineCollection<Document>(db, 'sync_meta').updateOne(
    { _id: 'meta' } as Document,
    {
      $set: { catalogue_hash, collections: namesOf(wanted) },
      ...(added.length === 0 ? {} : { $push: { pending_resets: pending } }),
    } as Document,
  );
}

function namesOf({ collections }: WantedLayout): string[] {
  return collections.map(({ name }) => name);
}

/** Written last, so that a store with an identity has its collections and indexes. */
async function createMeta(db: Db, wanted: WantedLayout): Promise<void> {
  const { new_epoch, new_cursor_key, catalogue_hash } = wanted;
  const fresh = {
    schema_level: SCHEMA_LEVEL,
    epoch: new_epoch,
    cursor_key: new_cursor_key,
    catalogue_hash,
    collections: namesOf(wanted),
  };
  const upsert = () =>
    engineCollection(db, 'sync_meta').updateOne(
      { _id: 'meta' },
      { $setOnInsert: fresh, $currentDate: { created_at: true } },
      { upsert: true },
    );
  await againOnDuplicate(upsert);
}

/** Begins another history; its barriers are owed until `resetsWritten`. */
export async function renewEpoch(
  db: Db,
  epoch: string,
  collections: readonly string[],
): Promise<void> {
  const pending: PendingResets = { run: epoch, collections };
  await engineCollection<Document>(db, 'sync_meta').updateOne(
    { _id: 'meta' } as Document,
    { $set: { epoch }, $push: { pending_resets: pending } } as Document,
  );
}

/** The barriers of a run stand. */
export async function resetsWritten(db: Db, run: string): Promise<void> {
  await engineCollection<Document>(db, 'sync_meta').updateOne(
    { _id: 'meta' } as Document,
    { $pull: { pending_resets: { run } } } as Document,
  );
}
