/**
 * Whether a collection that exists can be synced. Judged before anything is made, so that what cannot
 * work is said with the next step instead of document by document later [CL-15].
 */

import type { Collection, Db, Document } from 'mongodb';
import type { WantedCollection } from '../../core/ports/store.ts';
import { ID_TYPES } from '../../protocol/pure/ids.ts';
import { idKindOf } from './id-kind.ts';
import { ENGINE_FIELDS } from './stored-documents.ts';

const DOCUMENT_VALIDATION = 121;
/** Documents looked at from each end of the ids: other types sort to the ends. */
const SAMPLE_HALF = 500;

/** What was found out; both absent = fit. */
export interface Fitness {
  /** Why it cannot be synced as it is. */
  readonly reason?: string;
  /** What a person should know although it can. */
  readonly note?: string;
  /** What its ids are, in words. */
  readonly ids?: string;
}

/** Judges an entry of `listCollections`, by its kind and options alone. */
export function unfitReason(found: Document): string | undefined {
  const { type, options = {} } = found;
  if (type === 'view') {
    return `it is a view; configure the collection behind it (${options['viewOn']})`;
  }
  if (type === 'timeseries' || options['timeseries'] !== undefined) {
    return 'it is a time series, whose documents cannot be changed one by one; leave it out';
  }
  if (type !== undefined && type !== 'collection') return `it is a ${type}; leave it out`;
  if (options['capped']) {
    return 'it is capped; copy it into a plain collection (aggregate with $out), or leave it out';
  }
  if (options['clusteredIndex'] !== undefined) {
    return 'it is clustered, which was never tried; copy it into a plain collection, or leave it out';
  }
  const locale = options['collation']?.locale;
  if (locale !== undefined && locale !== 'simple') {
    return 'it has a default collation, which orders and equates ids otherwise than the server';
  }
  return undefined;
}

/**
 * Judges a row of `config.collections`. A cluster is refused when it is connected to, so this speaks
 * only where somebody connects to a shard's own members.
 */
export function shardedReason({ key }: Document): string | undefined {
  if (key === undefined || key === null) return undefined;
  const fields = Object.keys(key).join(', ');
  return `it is sharded by {${fields}}; only collections of one replica set can be synced`;
}

/** Judges what it holds: its validator, its unique indexes, its ids. */
export async function judgeContent(
  db: Db,
  wanted: WantedCollection,
  of: { readonly found: Document; readonly indexes: readonly Document[] },
): Promise<Fitness> {
  const collection = db.collection<Document>(wanted.name);
  const reason =
    uniqueReason(of.indexes) ??
    (await shardingOf(db, wanted.name)) ??
    (await validatorReason(db, collection, of.found['options'] ?? {}));
  return reason === undefined ? judgeIds(collection, wanted) : { reason };
}

/** Without the right to read it, or without the collection, nothing is known. */
async function shardingOf(db: Db, name: string): Promise<string | undefined> {
  const _id = `${db.databaseName}.${name}`;
  for (const source of ['collections', 'cache.collections']) {
    const rows = db.client.db('config').collection<{ _id: string }>(source);
    const row = await rows.findOne({ _id }).catch(() => null);
    if (row !== null) return shardedReason(row);
  }
  return undefined;
}

/** A unique index of our fields alone: two documents of one scope could not both be stamped. */
function uniqueReason(indexes: readonly Document[]): string | undefined {
  const refusing = indexes.find(({ unique, key }) => {
    const fields = Object.keys(key);
    return unique === true && fields.every((field) => field.startsWith('_sync_'));
  });
  if (refusing === undefined) return undefined;
  const name = JSON.stringify(refusing['name']);
  return `its unique index ${name} is on fields of the engine and would refuse stamps; drop it`;
}

async function validatorReason(
  db: Db,
  collection: Collection<Document>,
  options: Document,
): Promise<string | undefined> {
  const { validator, validationLevel, validationAction = 'error' } = options;
  if (validator === undefined || validationLevel === 'off' || validationAction !== 'error') {
    return undefined;
  }
  const refuses = (await refusesStamp(db, collection, validator)) ?? closesFields(validator);
  return refuses
    ? 'its validator refuses the fields _sync_*; allow them with collMod: in $jsonSchema patternProperties: {"^_sync_": {}}'
    : undefined;
}

/**
 * Stamps a document that the validator takes today, in a transaction that is aborted. Undefined when
 * that cannot be tried: no such document, no right, or somebody writes to it right now.
 */
async function refusesStamp(
  db: Db,
  collection: Collection<Document>,
  validator: Document,
): Promise<boolean | undefined> {
  const sample = await collection.findOne(validator, { projection: { _id: 1 } }).catch(() => null);
  if (sample === null) return undefined;
  const session = db.client.startSession();
  try {
    session.startTransaction();
    await collection.updateOne({ _id: sample._id }, { $set: PROBE }, { session });
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === DOCUMENT_VALIDATION ? true : undefined;
  } finally {
    if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
    await session.endSession();
  }
}

const PROBE: Document = Object.fromEntries(ENGINE_FIELDS.map((field) => [field, 'probe']));

/** Whether a schema admits no fields but its own, and ours are not among them. */
function closesFields(validator: Document): boolean {
  const parts: Document[] = [validator, ...(validator['$and'] ?? [])];
  return parts.some(({ $jsonSchema: schema }) => {
    if (schema?.additionalProperties !== false) return false;
    const patterns = Object.keys(schema.patternProperties ?? {}).map((text) => new RegExp(text));
    const named = schema.properties ?? {};
    return ENGINE_FIELDS.some(
      (field) => named[field] === undefined && !patterns.some((pattern) => pattern.test(field)),
    );
  });
}

async function judgeIds(
  collection: Collection<Document>,
  { name, id_type }: WantedCollection,
): Promise<Fitness> {
  const kinds = await sampleIds(collection, id_type);
  if (kinds.size === 0) return {};
  const counts = [...kinds].sort(([, a], [, b]) => b - a);
  const ids = counts.map(([kind]) => kind).join(', ');
  if (kinds.size === 1 && kinds.has(id_type)) return { ids };
  const [kind] = counts[0] as [string, number];
  if (kinds.size === 1) {
    const known = ID_TYPES.some((type) => type === kind);
    const step = known
      ? `configure collections: {${name}: {id_type: ${kind}}}`
      : `only ${ID_TYPES.join(', ')} can be synced; leave it out`;
    return { reason: `its ids are of type ${kind}, not ${id_type}; ${step}` };
  }
  const found = counts.map(([one, count]) => `${count} ${one}`).join(', ');
  return {
    ids,
    note: `${name}: ids are of several types (of a sample: ${found}); documents whose id is not of type ${id_type} stay invisible, and migrate names them`,
  };
}

/** Types of the first and last ids with how often they were met. */
async function sampleIds(
  collection: Collection<Document>,
  type: WantedCollection['id_type'],
): Promise<ReadonlyMap<string, number>> {
  const ids = new Map<string, Uint8Array>();
  for (const order of [1, -1] as const) {
    const found = await collection
      .find<Uint8Array>({}, { projection: { _id: 1 }, raw: true, sort: { _id: order } })
      .limit(SAMPLE_HALF)
      .toArray();
    for (const bytes of found) ids.set(Buffer.from(bytes).toString('latin1'), bytes);
  }
  const kinds = new Map<string, number>();
  for (const bytes of ids.values()) {
    const kind = idKindOf(bytes, type);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}
