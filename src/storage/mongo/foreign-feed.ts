/**
 * The feed of hints: one change stream over the captured collections. It says which document to look
 * at and nothing of what was done to it, so a repeated, late or merged event does no harm.
 */

import { BSON, type ChangeStream, type Db, type Document } from 'mongodb';
import type { FeedBatch, FeedPlace, ForeignFeed } from '../../core/ports/foreign.ts';
import { type DocumentKey, StoreError } from '../../core/ports/store.ts';
import { decodeId } from './bson-codec.ts';
import { decodeRecord } from './bson-reader.ts';
import { engineCollection } from './collections.ts';
import { toFeedError } from './driver-errors.ts';
import { documentPlace } from './in-place.ts';
import { type IdTypes, idTypeOf } from './mongo-load.ts';

/** How long the database may wait for an event before it answers that there is none, ms. */
const AWAIT_MS = 1_000;
/** Most events of one batch. */
const BATCH_MAX = 500;

const WRITES = ['insert', 'update', 'replace', 'delete'];
/** What ends or replaces a whole collection. A rename may put another one in its place. */
const WHOLES = ['drop', 'rename'];
/** What ends the stream, and names no collection. */
const ENDS = ['dropDatabase', 'invalidate'];

/** Opens the stream and resolves when it is at its place. */
export async function openFeed(
  { db, id_types }: { readonly db: Db; readonly id_types: IdTypes },
  collections: readonly string[],
  token: string | null,
): Promise<ForeignFeed> {
  // The filter depends on the collections alone, because a stream must go on with the same one.
  const names = { $in: [...collections].sort() };
  const stream = db.watch(
    [
      {
        $match: {
          $or: [
            { operationType: { $in: [...WRITES, ...WHOLES] }, 'ns.coll': names },
            { operationType: 'rename', 'to.coll': names },
            { operationType: { $in: ENDS } },
          ],
        },
      },
      { $project: { operationType: 1, ns: 1, to: 1, documentKey: 1 } },
    ],
    {
      batchSize: BATCH_MAX,
      maxAwaitTimeMS: AWAIT_MS,
      ...(token === null ? {} : { resumeAfter: BSON.EJSON.parse(token) }),
    },
  );
  const feed = new StreamFeed(stream, id_types);
  try {
    await feed.open();
    return feed;
  } catch (error) {
    await feed.close();
    throw error;
  }
}

class StreamFeed implements ForeignFeed {
  readonly #stream: ChangeStream<Document, Document>;
  readonly #idTypes: IdTypes;
  #first: Document | null = null;

  constructor(stream: ChangeStream, id_types: IdTypes) {
    this.#stream = stream as ChangeStream<Document, Document>;
    this.#idTypes = id_types;
  }

  /** The first look fixes the place: what is written from now on is seen. */
  async open(): Promise<void> {
    this.#first = await this.#look();
  }

  async next(): Promise<FeedBatch> {
    const keys = new Map<string, DocumentKey>();
    const whole = new Set<string>();
    let event = this.#first ?? (await this.#look());
    this.#first = null;
    let count = 0;
    while (event !== null) {
      count += 1;
      this.#add(event, keys, whole);
      // Only what has arrived already: nothing waits for a batch to fill.
      const more = count < BATCH_MAX && this.#stream.bufferedCount() > 0;
      event = more ? await this.#look() : null;
    }
    const token = BSON.EJSON.stringify(this.#stream.resumeToken as Document);
    const drained = count < BATCH_MAX;
    return { keys: [...keys.values()], whole: [...whole], drained, token };
  }

  async close(): Promise<void> {
    await this.#stream.close().catch(() => undefined);
  }

  async #look(): Promise<Document | null> {
    try {
      const event = await this.#stream.tryNext();
      // A stream that ended says nothing for ever.
      if (event === null && this.#stream.closed) {
        throw new StoreError('history_lost', 'the change stream ended');
      }
      return event;
    } catch (error) {
      throw toFeedError(error);
    }
  }

  #add(event: Document, keys: Map<string, DocumentKey>, whole: Set<string>): void {
    const { operationType, ns, to, documentKey } = event;
    if (ENDS.includes(operationType)) {
      throw new StoreError('history_lost', 'the watched database was dropped');
    }
    const collection = String(ns?.coll);
    if (!WRITES.includes(operationType)) {
      whole.add(collection);
      if (to !== undefined) whole.add(String(to.coll));
      return;
    }
    const { _id } = decodeRecord(BSON.serialize({ _id: documentKey._id }));
    const doc_id = decodeId(_id, idTypeOf(this.#idTypes, collection));
    // No client can name a document whose id is not of the collection's type.
    if (doc_id === undefined) return;
    const key = { collection, doc_id };
    keys.set(documentPlace(key), key);
  }
}

/** The saved place; its token only when it belongs to a feed over the same collections. */
export async function readFeedPlace(db: Db, collections: readonly string[]): Promise<FeedPlace> {
  const found = await engineCollection(db, 'sync_meta').findOne({ _id: 'capture' });
  const compared = (found?.['collections'] ?? []) as readonly string[];
  const same = JSON.stringify(compared) === JSON.stringify([...collections].sort());
  return { token: same ? (found?.['token'] ?? null) : null, compared };
}

/**
 * Saves a token after what it stands behind was taken over. Several workers may overwrite each other:
 * each token is behind work that is done, and an older one only repeats looks.
 */
export async function saveFeedToken(
  db: Db,
  collections: readonly string[],
  token: string | null,
): Promise<void> {
  await engineCollection(db, 'sync_meta').updateOne(
    { _id: 'capture' },
    { $set: { collections: [...collections].sort(), token }, $currentDate: { at: true } },
    { upsert: true },
  );
}
