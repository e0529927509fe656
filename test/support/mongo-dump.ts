/** Everything a database holds, to the byte: documents, indexes, options of collections. */

import { BSON, type Db, type Document } from 'mongodb';

/** One text per collection; equal texts = equal bytes. */
export type DatabaseDump = Readonly<Record<string, CollectionDump>>;

interface CollectionDump {
  readonly options: string;
  readonly indexes: readonly string[];
  /** Raw BSON as hexadecimal text, in the order of `_id`. */
  readonly documents: readonly string[];
}

/** Dumps the database; `only` leaves out other collections. */
export async function dumpDatabase(
  db: Db,
  only: (name: string) => boolean = () => true,
): Promise<DatabaseDump> {
  const dump: Record<string, CollectionDump> = {};
  const listed = await db.listCollections().toArray();
  for (const info of listed.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!only(info.name)) continue;
    const { options, type } = info as Document;
    const isPlain = type === 'collection';
    dump[info.name] = {
      options: textOf({ type, options }),
      indexes: isPlain ? await indexesOf(db, info.name) : [],
      documents: await documentsOf(db, info.name),
    };
  }
  return dump;
}

async function indexesOf(db: Db, name: string): Promise<string[]> {
  const indexes = await db.collection(name).listIndexes().toArray();
  return indexes.map(textOf).sort();
}

async function documentsOf(db: Db, name: string): Promise<string[]> {
  const raw = await db
    .collection(name)
    .find({}, { raw: true, sort: { _id: 1 } })
    .toArray();
  return raw.map((bytes) => Buffer.from(bytes as unknown as Uint8Array).toString('hex'));
}

function textOf(value: Document): string {
  return BSON.EJSON.stringify(value, { relaxed: false });
}
