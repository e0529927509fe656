/** Takes the engine's fields off the documents of a collection, in batches; what is done stays done. */

import type { AnyBulkWriteOperation, Collection, Document } from 'mongodb';
import type { EarlierForm } from './setup-record.ts';
import { ENGINE_FIELDS, FIELDS_BEFORE } from './stored-documents.ts';

/** Documents of one update. */
const BATCH = 500;

/** `unknown`: no record says who stamped; only what certainly is ours goes. */
export type StripForm = EarlierForm | 'none' | 'unknown';

/** A rule: which documents lose which fields. */
interface Strip {
  readonly filter: Document;
  readonly fields: readonly string[];
  /** A field that they get, from one that goes. */
  readonly owner?: Document;
}

/**
 * Who has which fields. What a stamp remembers of an earlier server is put back before; here are the
 * documents that came by push, which that server, put back, needs with a version and an owner, and
 * those that only we have stamped. `_sync_deleted` always stays: a document that was deleted in place
 * must not come back to life for the application [RM-5].
 */
function stripsOf(form: StripForm): readonly Strip[] {
  switch (form) {
    case 'none':
      return [strip({}, ENGINE_FIELDS)];
    case 'unknown':
      return [strip(STAMPED, ENGINE_FIELDS)];
    case 'user':
      return [
        strip({ ...STAMPED, _sync_user_id: { $exists: true } }, except('_sync_version')),
        // A push replaced the whole document, and with it the owner's name there: it was the scope.
        {
          ...strip({ ...STAMPED, ...PUSHED, _sync_user_id: null }, except('_sync_version')),
          owner: { _sync_user_id: '$_sync_scope_id' },
        },
        strip({ ...STAMPED, _sync_client_id: null, _sync_user_id: null }, ENGINE_FIELDS),
      ];
    case 'actor':
      return [
        strip(
          { ...STAMPED, ...PUSHED },
          except('_sync_version', '_sync_scope_id', '_sync_actor_id'),
        ),
        strip({ ...STAMPED, _sync_client_id: null }, ENGINE_FIELDS),
      ];
  }
}

/** Every stamp of ours has this field, if only as null. */
const STAMPED: Document = { _sync_hash: { $exists: true } };
const PUSHED: Document = { _sync_client_id: { $gt: '' } };
const REMEMBERED: Document = { [FIELDS_BEFORE]: { $exists: true } };

function except(...kept: readonly string[]): readonly string[] {
  return ENGINE_FIELDS.filter((field) => !kept.includes(field));
}

function strip(filter: Document, fields: readonly string[]): Strip {
  const there = fields.map((field) => ({ [field]: { $exists: true } }));
  return { filter: { ...filter, $or: there }, fields };
}

/** How many documents hold something that would go. */
export async function countStripped(
  collection: Collection<Document>,
  form: StripForm,
): Promise<number> {
  let count = await collection.countDocuments(REMEMBERED);
  for (const { filter } of stripsOf(form)) count += await collection.countDocuments(filter);
  return count;
}

/** Takes the fields away; calls `onBatch` with the number of documents of each update. */
export async function stripDocuments(
  collection: Collection<Document>,
  form: StripForm,
  onBatch: (documents: number) => Promise<void>,
): Promise<void> {
  await putBack(collection, onBatch);
  for (const { filter, fields, owner } of stripsOf(form)) {
    const update =
      owner === undefined
        ? { $unset: Object.fromEntries(fields.map((field) => [field, ''])) }
        : [{ $set: owner }, { $unset: [...fields] }];
    const cursor = collection.find(filter, { projection: { _id: 1 }, batchSize: BATCH });
    let ids: unknown[] = [];
    const flush = async () => {
      if (ids.length === 0) return;
      const { modifiedCount } = await collection.updateMany(
        { _id: { $in: ids } } as Document,
        update,
      );
      ids = [];
      await onBatch(modifiedCount);
    };
    for await (const { _id } of cursor) {
      ids.push(_id);
      if (ids.length >= BATCH) await flush();
    }
    await flush();
  }
}

/** Gives documents of an earlier server the fields that they had, in the places where they stood. */
async function putBack(
  collection: Collection<Document>,
  onBatch: (documents: number) => Promise<void>,
): Promise<void> {
  const cursor = collection.find(REMEMBERED, {
    projection: { [FIELDS_BEFORE]: 1 },
    batchSize: BATCH,
    promoteValues: false,
  });
  let updates: AnyBulkWriteOperation<Document>[] = [];
  const flush = async () => {
    if (updates.length === 0) return;
    const { modifiedCount } = await collection.bulkWrite(updates);
    updates = [];
    await onBatch(modifiedCount);
  };
  for await (const { _id, [FIELDS_BEFORE]: before } of cursor) {
    const gone = [...ENGINE_FIELDS, FIELDS_BEFORE].filter((field) => !(field in before));
    const update = { $set: before, $unset: Object.fromEntries(gone.map((field) => [field, ''])) };
    updates.push({ updateOne: { filter: { _id, ...REMEMBERED }, update } });
    if (updates.length >= BATCH) await flush();
  }
  await flush();
}
