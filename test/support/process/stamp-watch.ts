/**
 * Sees every version that a document ever gets, in the order of the database, and judges them: a
 * version without a row may only be the first since the application wrote the document without one,
 * and a barrier of its scope must stand above it.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { ChangeStream, Db, Document } from 'mongodb';

/** One write that was seen. `stamp` null: the document has no version behind it. */
interface SeenWrite {
  readonly collection: string;
  readonly doc_id: string;
  readonly stamp: { readonly version: string; readonly scope_id: string } | null;
}

/** What all stamps came to. */
export interface StampReport {
  readonly faults: readonly string[];
  /** Versions without a row. */
  readonly silent: number;
  /** `scope/collection` of the scopes that got such versions. */
  readonly scopes: ReadonlySet<string>;
}

const SETTLE_MS = 50;

/** Watches until `end`. */
export class StampWatch {
  readonly #db: Db;
  readonly #stream: ChangeStream;
  readonly #seen: SeenWrite[] = [];
  readonly #reading: Promise<void>;

  private constructor(db: Db, stream: ChangeStream) {
    this.#db = db;
    this.#stream = stream;
    this.#reading = this.#read();
  }

  /** Resolves when everything that is written from now on will be seen. */
  static async start(db: Db, collections: readonly string[]): Promise<StampWatch> {
    const stream = db.watch([{ $match: { 'ns.coll': { $in: [...collections, 'marks'] } } }]);
    // The first look fixes the place.
    await stream.tryNext();
    return new StampWatch(db, stream);
  }

  /** Reads on to a mark of its own, then judges. */
  async end(): Promise<StampReport> {
    await this.#db.collection<Document>('marks').insertOne({ _id: 'end' as never });
    while (!this.#seen.some(({ doc_id }) => doc_id === 'end')) await pause(SETTLE_MS);
    await this.close();
    return this.#judge();
  }

  async close(): Promise<void> {
    await this.#stream.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      for await (const event of this.#stream) {
        const write = writeOf(event as unknown as Document);
        if (write !== undefined) this.#seen.push(write);
      }
    } catch (error) {
      if (!this.#stream.closed) throw error;
    }
  }

  async #judge(): Promise<StampReport> {
    const rows = await this.#db.collection('sync_oplog').find().toArray();
    const logged = new Set(rows.map(({ _id }) => String(_id)));
    const barriers = new Map(
      rows
        .filter(({ operation }) => operation === 'reset')
        .map(({ _id, scope_id, collection }) => [`${scope_id}/${collection}`, String(_id)]),
    );
    const current = new Map<string, string | null>();
    const report = { faults: [] as string[], silent: 0, scopes: new Set<string>() };
    for (const { collection, doc_id, stamp } of this.#seen) {
      const place = `${collection}/${doc_id}`;
      const before = current.get(place) ?? null;
      current.set(place, stamp?.version ?? null);
      if (stamp === null || stamp.version === before || logged.has(stamp.version)) continue;
      report.silent += 1;
      const scope = `${stamp.scope_id}/${collection}`;
      report.scopes.add(scope);
      if (before !== null) report.faults.push(`${place}: ${stamp.version} over ${before}`);
      const barrier = barriers.get(scope);
      if (barrier === undefined || barrier < stamp.version) {
        report.faults.push(`${place}: ${stamp.version} has no barrier of ${scope} above it`);
      }
    }
    return report;
  }
}

function writeOf({ operationType, ns, documentKey, ...event }: Document): SeenWrite | undefined {
  const place = { collection: String(ns?.coll), doc_id: String(documentKey?._id) };
  if (operationType === 'delete') return { ...place, stamp: null };
  if (operationType === 'update') {
    const { updatedFields = {}, removedFields = [] } = event['updateDescription'] as Document;
    if (removedFields.includes('_sync_version')) return { ...place, stamp: null };
    // The application's own update leaves the stamp as it is.
    if (updatedFields._sync_version === undefined) return undefined;
    return { ...place, stamp: stampOf(updatedFields) };
  }
  return { ...place, stamp: stampOf(event['fullDocument'] as Document) };
}

function stampOf({ _sync_version, _sync_scope_id }: Document): SeenWrite['stamp'] {
  if (typeof _sync_version !== 'string') return null;
  return { version: _sync_version, scope_id: String(_sync_scope_id) };
}
