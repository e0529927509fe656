/**
 * Takes everything of the engine out of a database: its fields, indexes and collections, and nothing
 * else. Each step can be repeated and the record of the setup goes last, so a removal that was
 * killed is finished by the next one [RM-3].
 */

import type { Db, Document } from 'mongodb';
import type { RemovalProgress, RemovalStep, StoreRemoval } from '../../core/ports/removal.ts';
import { StoreError, type WantedLayout } from '../../core/ports/store.ts';
import { ENGINE_COLLECTIONS, engineCollection } from './collections.ts';
import { guarded } from './driver-errors.ts';
import { putBackEarlierLog } from './earlier-log.ts';
import { countLiveProcesses } from './live-processes.ts';
import {
  assumedRecord,
  ensureSetupRecord,
  markRemoving,
  readSetupRecord,
  type SetupRecord,
} from './setup-record.ts';
import { countStripped, type StripForm, stripDocuments } from './strip-documents.ts';
import { RedoLog } from './standalone/redo-log.ts';
import { type Connection, connect, type Transactions } from './topology.ts';

const NAMESPACE_NOT_FOUND = 26;
const INDEX_NOT_FOUND = 27;

/** Connects. Throws as the store does. */
export async function openMongoRemoval(
  place: {
    readonly uri: string;
    readonly database: string;
    readonly transactions: Transactions;
  },
  wanted: WantedLayout,
): Promise<StoreRemoval> {
  const { uri, database, transactions } = place;
  return mongoRemoval(await connect(uri, database, transactions), wanted);
}

/** The removal over an open connection, which it closes at its end. */
export function mongoRemoval(
  { db, client }: Pick<Connection, 'db' | 'client'>,
  wanted: WantedLayout,
): StoreRemoval {
  return {
    plan: () => guarded(async () => planOf(await survey(db, wanted))),
    apply: (onProgress) => guarded(() => remove({ db, client }, wanted, onProgress)),
    close: () => client.close(),
  };
}

/** What is there. */
interface Survey {
  /** Null: the database was never set up, or everything but leftovers is gone. */
  readonly record: SetupRecord | null;
  readonly business: readonly BusinessCollection[];
  readonly engine: readonly { readonly name: string; readonly created: boolean }[];
}

interface BusinessCollection {
  readonly name: string;
  readonly form: StripForm;
  readonly documents: number;
  /** Documents that stay marked as deleted. */
  readonly marked: number;
  readonly indexes: readonly string[];
  /** Setup made it and it holds nothing. */
  readonly disposable: boolean;
}

async function survey(db: Db, wanted: WantedLayout): Promise<Survey> {
  const record = await recordOf(db, wanted);
  const listed = await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray();
  const there = new Set(listed.map(({ name }) => name));
  const configured = wanted.collections.map(({ name }) => name);
  const names = new Set([...configured, ...(record?.collections ?? [])]);
  const business: BusinessCollection[] = [];
  for (const name of names) {
    if (there.has(name)) business.push(await surveyCollection(db, name, record));
  }
  const isThere = (name: string) =>
    there.has(name) || (name === 'sync_oplog' && record?.earlier_log === true);
  const engine = ENGINE_COLLECTIONS.filter(isThere).map((name) => ({
    name,
    created: record?.created_collections.includes(name) ?? false,
  }));
  return { record, business, engine: record === null ? [] : engine };
}

/** A store that was set up before there was a record is treated as if it had one; nothing is written. */
async function recordOf(db: Db, wanted: WantedLayout): Promise<SetupRecord | null> {
  const record = await readSetupRecord(db);
  if (record !== null) return record;
  const meta = await engineCollection(db, 'sync_meta').findOne({ _id: 'meta' });
  return meta === null ? null : assumedRecord(wanted);
}

async function surveyCollection(
  db: Db,
  name: string,
  record: SetupRecord | null,
): Promise<BusinessCollection> {
  const collection = db.collection(name);
  const form = formOf(name, record);
  const documents = await countStripped(collection, form);
  const there = await collection.listIndexes().toArray();
  return {
    name,
    form,
    documents,
    marked: documents === 0 ? 0 : await collection.countDocuments(MARKED),
    indexes: there
      .map((index) => String(index.name))
      .filter((index) => record?.created_indexes.includes(`${name}.${index}`)),
    disposable: record?.created_collections.includes(name) === true && (await isEmpty(db, name)),
  };
}

const MARKED: Document = { _sync_deleted: true, _sync_version: { $gt: '' } };

function formOf(name: string, record: SetupRecord | null): StripForm {
  if (record === null) return 'unknown';
  return record.earlier.find((one) => one.name === name)?.form ?? 'none';
}

async function isEmpty(db: Db, name: string): Promise<boolean> {
  return (await db.collection(name).findOne({}, { projection: { _id: 1 } })) === null;
}

function planOf({ business, engine, record }: Survey): readonly RemovalStep[] {
  return [
    ...business.flatMap(collectionSteps),
    ...engine.map(({ name, created }): RemovalStep => {
      if (name === 'sync_oplog' && record?.earlier_log === true) {
        const detail = 'the rows of an earlier server take its place again';
        return { action: 'rename', kind: 'collection', name, detail };
      }
      const detail = created ? 'made by init' : 'was there before and is emptied';
      return { action: 'remove', kind: 'collection', name, detail };
    }),
  ];
}

function collectionSteps(of: BusinessCollection): readonly RemovalStep[] {
  const { name, form, documents, marked, indexes, disposable } = of;
  const steps: RemovalStep[] = [];
  if (documents > 0) {
    const kept = form === 'user' || form === 'actor' ? ', those of an earlier server stay' : '';
    const detail = `${documents} documents lose the fields _sync_*${kept}`;
    steps.push({ action: 'remove', kind: 'fields', name, detail });
  }
  if (marked > 0) {
    const detail = `${marked} documents that were deleted in place keep _sync_deleted: true`;
    steps.push({ action: 'keep', kind: 'fields', name, detail });
  }
  for (const index of indexes) {
    const detail = 'made by init';
    steps.push({ action: 'remove', kind: 'index', name: `${name}.${index}`, detail });
  }
  if (disposable) {
    const detail = 'made by init and empty';
    steps.push({ action: 'remove', kind: 'collection', name, detail });
  }
  return steps;
}

async function remove(
  { db, client }: Pick<Connection, 'db' | 'client'>,
  wanted: WantedLayout,
  onProgress: (progress: RemovalProgress) => Promise<void>,
): Promise<void> {
  await refuseLive(db);
  const before = await survey(db, wanted);
  if (planOf(before).length === 0) return;
  await beginRemoval(db, wanted, before);
  // What a process without transactions left half-written is dealt with while its log is there.
  await new RedoLog({ db, client, clientBulkWrite: false }).recover();
  const total = before.business.reduce((sum, { documents }) => sum + documents, 0);
  let done = 0;
  for (const { name, form } of before.business) {
    await stripDocuments(db.collection(name), form, async (documents) => {
      done += documents;
      await onProgress({ done, total });
    });
  }
  for (const { name, indexes } of before.business) {
    for (const index of indexes) await unlessGone(db.collection(name).dropIndex(index));
  }
  for (const { name, disposable } of before.business) {
    // Looked at again: the application may have begun to use it.
    if (disposable && (await isEmpty(db, name))) await db.collection(name).drop();
  }
  await removeEngineCollections(db, before.engine);
}

/** The mark comes first; a process that started meanwhile is seen after it, or sees the mark itself. */
async function beginRemoval(db: Db, wanted: WantedLayout, { record }: Survey): Promise<void> {
  // Only stamps without a setup are left: there is nothing that a server could serve.
  if (record === null) return;
  await ensureSetupRecord(db, wanted);
  await markRemoving(db, true);
  try {
    await refuseLive(db);
  } catch (error) {
    if (!record.removing) await markRemoving(db, false);
    throw error;
  }
}

async function refuseLive(db: Db): Promise<void> {
  if ((await countLiveProcesses(db)) === 0) return;
  throw new StoreError('locked', 'a server works with this database');
}

/** The record goes last: until then the next run knows what is left to do. */
async function removeEngineCollections(db: Db, engine: Survey['engine']): Promise<void> {
  const last = engine.filter(({ name }) => name === 'sync_meta');
  const earlierLog = (await readSetupRecord(db))?.earlier_log === true;
  for (const { name, created } of [...engine.filter((one) => !last.includes(one)), ...last]) {
    // Where nothing is set aside any more, what stands there is theirs again.
    if (name === 'sync_oplog' && earlierLog) await putBackEarlierLog(db);
    else if (created) await db.collection(name).drop();
    else await emptyOut(db, name);
  }
}

/** A collection of our name that was there before us, empty, is left as it was. */
async function emptyOut(db: Db, name: string): Promise<void> {
  const record = await readSetupRecord(db);
  const prefix = `${name}.`;
  for (const index of record?.created_indexes ?? []) {
    if (!index.startsWith(prefix)) continue;
    await unlessGone(db.collection(name).dropIndex(index.slice(prefix.length)));
  }
  await db.collection(name).deleteMany({});
}

async function unlessGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== NAMESPACE_NOT_FOUND && code !== INDEX_NOT_FOUND) throw error;
  }
}
