/**
 * The application of the demo: it knows nothing of the product and writes with the plain driver. It also
 * takes the dumps that show what the product did to its database.
 */

import { createHash, randomBytes } from 'node:crypto';
import { BSON, Decimal128, MongoClient } from 'mongodb';
import { COLLECTIONS } from './data.mjs';
import { SCOPES } from './types.mjs';

const { EJSON } = BSON;
const BATCH = 1_000;
/** Pause between two writes, ms: an application, not a load test. */
const PAUSE_MS = 100;
/** Most updates beside `migrate`: enough to be met, and bounded where the machine is slow. */
const UPDATES_MAX = 200;

/** One application with a database of its own. */
export class Application {
  /** Places of all documents that it wrote after the import. */
  edited = new Set();
  name = `offline_sync_demo_${randomBytes(4).toString('hex')}`;
  #client;
  #db;
  #count = 0;

  constructor(uri) {
    this.#client = new MongoClient(uri);
    this.#db = this.#client.db(this.name);
  }

  /** Plain documents, and an index as applications have them. */
  async importPlain(documents) {
    for (const name of COLLECTIONS) {
      const own = documents.filter(({ collection }) => collection === name).map(plainDocument);
      for (let at = 0; at < own.length; at += BATCH) {
        await this.#db.collection(name).insertMany(own.slice(at, at + BATCH));
      }
    }
    await this.#db.collection('movies').createIndex({ Distributor: 1, released: -1 });
    return this.#db.collection('movies').findOne({ _id: 'movie-0000' });
  }

  /** Ten updates per second while `running`, now and then also an insert and a delete. */
  async work(running) {
    let busy = true;
    const done = running.finally(() => {
      busy = false;
    });
    while (busy && this.#count < UPDATES_MAX) {
      const number = String(this.#count).padStart(4, '0');
      await this.#setPrice(`movie-${3_000 - this.#count}`);
      if (number.endsWith('0')) await this.addMovie(`new-${number}`, 'Shown from today');
      if (number.endsWith('5')) await this.#remove(`movie-${number}`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await done;
    return this.#count;
  }

  /** What it does while the devices are offline. */
  async workMeanwhile() {
    for (let at = 1_000; at < 1_040; at += 1) await this.#setPrice(`movie-${at}`);
    for (let at = 1_500; at < 1_510; at += 1) await this.#remove(`movie-${at}`);
    await this.addMovie('premiere', 'A Premiere');
  }

  async #setPrice(_id) {
    this.#count += 1;
    const ticket_price = Decimal128.fromString((4 + this.#count / 100).toFixed(2));
    await this.#db.collection('movies').updateOne({ _id }, { $set: { ticket_price } });
    this.edited.add(`movies/${_id}`);
  }

  async addMovie(_id, Title) {
    const movie = { _id, Title, released: new Date(), circuit: SCOPES.devices };
    await this.#db.collection('movies').insertOne(movie);
    this.edited.add(`movies/${_id}`);
  }

  async #remove(_id) {
    await this.#db.collection('movies').deleteOne({ _id });
    this.edited.add(`movies/${_id}`);
  }

  /** The documents of a scope as the wire shows them. */
  async documents(scope_id) {
    const found = COLLECTIONS.map(async (collection) => {
      const filter = { _sync_scope_id: scope_id };
      const stored = await this.#db.collection(collection).find(filter).toArray();
      return stored.map(({ _id, ...rest }) => ({
        collection,
        doc_id: String(_id),
        data: wireOf(withoutStamps(rest)),
      }));
    });
    return (await Promise.all(found)).flat();
  }

  /** Bytes of every document by place, once as they are and once without our fields; and the rest. */
  async dump() {
    const bytes = new Map();
    const content = new Map();
    for (const collection of COLLECTIONS) {
      for await (const raw of this.#db.collection(collection).find({}, { raw: true })) {
        const stored = BSON.deserialize(raw, { promoteValues: false });
        const place = `${collection}/${stored._id}`;
        bytes.set(place, createHash('sha256').update(raw).digest('hex'));
        content.set(place, EJSON.stringify(withoutStamps(stored), { relaxed: false }));
      }
    }
    return { bytes, content, layout: await this.#layout() };
  }

  /** Names of collections with their indexes, as one text. */
  async #layout() {
    const collections = await this.#db.listCollections().toArray();
    const described = collections.map(async ({ name, type, options }) => {
      const indexes = await this.#db.collection(name).listIndexes().toArray();
      return EJSON.stringify({ name, type, options, indexes });
    });
    return (await Promise.all(described)).sort().join('\n');
  }

  /** How many rows came from the application, and how many conflicts were kept. */
  async counts() {
    const rows = await this.#db.collection('sync_oplog').countDocuments({ origin: 'external' });
    return { rows, conflicts: await this.#db.collection('sync_conflicts').countDocuments() };
  }

  async close() {
    await this.#db.dropDatabase();
    await this.#client.close();
  }
}

function plainDocument({ doc_id, data, collection }) {
  const _id = collection === 'airports' ? { $oid: doc_id } : doc_id;
  return EJSON.deserialize({ _id, ...data });
}

function withoutStamps(stored) {
  return Object.fromEntries(Object.entries(stored).filter(([key]) => !key.startsWith('_sync_')));
}

/** Dates are written out, whatever their year: that is the one difference to relaxed Extended JSON. */
function wireOf(value) {
  if (value instanceof Date) return { $date: value.toISOString() };
  if (Array.isArray(value)) return value.map(wireOf);
  if (value === null || typeof value !== 'object') return value;
  if (value._bsontype !== undefined) return EJSON.serialize(value);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, wireOf(one)]));
}
