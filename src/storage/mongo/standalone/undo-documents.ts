/** Takes document writes of a group back, whichever of them happened. Repeating it changes nothing. */

import type { Db, Document } from 'mongodb';
import { failedWriteOf, isServerTrouble } from '../driver-errors.ts';
import { contentHash, exactDocument, exactFilter, type UndoItem } from './document-steps.ts';

/** How far the group had come: only in `dropping` may documents be gone. */
export interface UndoOptions {
  readonly dropping: boolean;
}

/** Takes the writes back, the last one first, so that a unique value is free again when it is needed. */
export async function undoDocuments(
  db: Db,
  items: readonly UndoItem[],
  options: UndoOptions,
): Promise<void> {
  for (const item of [...items].reverse()) await undoOne(db, item, options);
}

/**
 * A document whose content is still the written one becomes what it was. Content that a foreign writer
 * has put there since is kept: the document only gets its earlier engine fields, and with them it is
 * found as a foreign write.
 */
async function undoOne(db: Db, item: UndoItem, { dropping }: UndoOptions): Promise<void> {
  const documents = db.collection<{ _id: unknown }>(item.target);
  const written: Document = { ...item.after, _id: item.id };
  const [bytes] = await documents.find<Uint8Array>(written, { raw: true, limit: 1 }).toArray();
  if (bytes === undefined) {
    if (item.wrote === 'dropped' && dropping) await putBack(db, item);
    return;
  }
  const untouched = item.content_hash !== null && contentHash(bytes) === item.content_hash;
  if (untouched && (await restore(db, item, bytes))) return;
  await documents.updateOne(written, item.back);
}

/** False when the document was changed just now, or the database refuses its earlier content. */
async function restore(db: Db, item: UndoItem, bytes: Uint8Array): Promise<boolean> {
  const documents = db.collection(item.target);
  const filter = exactFilter(bytes);
  if (item.content === null) return (await documents.deleteOne(filter)).deletedCount > 0;
  const replacement = exactDocument(item.content);
  return unlessRefused(
    async () => (await documents.replaceOne(filter, replacement)).matchedCount > 0,
  );
}

/**
 * A dropped document comes back. When another one stands in its place, or has taken a unique value of
 * it, it stays gone, as if a foreign writer had deleted it.
 */
async function putBack(db: Db, item: UndoItem): Promise<void> {
  if (item.content === null) return;
  const document = exactDocument(item.content);
  await unlessRefused(async () => {
    await db.collection(item.target).insertOne(document);
    return true;
  });
}

async function unlessRefused(write: () => Promise<boolean>): Promise<boolean> {
  try {
    return await write();
  } catch (error) {
    const code = failedWriteOf(error)?.code ?? Number((error as { code?: unknown }).code);
    if (!Number.isFinite(code) || isServerTrouble(code)) throw error;
    return false;
  }
}
