/** Takes the engine's fields off the documents of a collection, in batches; what is done stays done. */

import type { Collection, Document } from 'mongodb';
import type { EarlierForm } from './setup-record.ts';
import { ENGINE_FIELDS } from './stored-documents.ts';

/** Documents of one update. */
const BATCH = 500;

/** `unknown`: no record says who stamped; only what certainly is ours goes. */
export type StripForm = EarlierForm | 'none' | 'unknown';

/** A rule: which documents lose which fields. */
interface Strip {
  readonly filter: Document;
  readonly fields: readonly string[];
}

/**
 * Who has which fields. An earlier server stamped with a version and an owner; those stay as they
 * are, because that server, put back, needs them. `_sync_deleted` always stays: a document that was
 * deleted in place must not come back to life for the application [RM-5].
 */
function stripsOf(form: StripForm): readonly Strip[] {
  switch (form) {
    case 'none':
      return [strip({}, ENGINE_FIELDS)];
    case 'unknown':
      return [strip({ _sync_hash: { $exists: true } }, ENGINE_FIELDS)];
    case 'user':
      return [
        strip({ _sync_user_id: { $exists: true } }, except('_sync_version')),
        strip({ _sync_user_id: { $exists: false } }, ENGINE_FIELDS),
      ];
    case 'actor':
      return [strip({}, except('_sync_version', '_sync_scope_id', '_sync_actor_id'))];
  }
}

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
  let count = 0;
  for (const { filter } of stripsOf(form)) count += await collection.countDocuments(filter);
  return count;
}

/** Takes the fields away; calls `onBatch` with the number of documents of each update. */
export async function stripDocuments(
  collection: Collection<Document>,
  form: StripForm,
  onBatch: (documents: number) => Promise<void>,
): Promise<void> {
  for (const { filter, fields } of stripsOf(form)) {
    const update = { $unset: Object.fromEntries(fields.map((field) => [field, ''])) };
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
