/** `init` and its check on MongoDB: collections, indexes and the meta document. */

import type { Db, Document } from 'mongodb';
import {
  type LayoutCheck,
  type SetupStep,
  StoreError,
  type WantedLayout,
} from '../../core/ports/store.ts';
import { ENGINE_COLLECTIONS, type EngineCollection, engineCollection } from './collections.ts';
import { isDuplicateKeyError } from './driver-errors.ts';
import { LOG_SET_ASIDE, planEarlierLog } from './earlier-log.ts';
import { type Fitness, judgeContent, unfitReason } from './fitness.ts';
import { compareIndex, type WantedIndex, wantedIndexes } from './indexes.ts';
import { type PlannedStep, planMeta } from './meta.ts';
import { noteCollections, recordCreations } from './setup-record.ts';

const NAMESPACE_EXISTS = 48;
/** Other databases that are named beside a new one. */
const NAMES_SHOWN = 5;

/** What `applySetup` would do. Reads only. */
export async function planSetup(db: Db, wanted: WantedLayout): Promise<readonly SetupStep[]> {
  return (await planSteps(db, wanted, { judged: true })).map(({ step }) => step);
}

/** Applies the plan. Throws `layout_blocked` before anything is touched when a step is blocked. */
export async function applySetup(db: Db, wanted: WantedLayout): Promise<readonly SetupStep[]> {
  const steps = await planSteps(db, wanted, { judged: true });
  if (steps.some(({ step }) => step.action === 'blocked')) {
    throw new StoreError(
      'layout_blocked',
      'the database holds something that init must not change',
    );
  }
  await recordCreations(
    db,
    wanted,
    steps.map(({ step }) => step),
  );
  const meta = steps.filter(({ step }) => step.kind === 'meta');
  for (const step of steps) if (!meta.includes(step)) await step.apply();
  await noteCollections(
    db,
    wanted.collections.map(({ name }) => name),
  );
  // The identity comes last, so that a store that has one has its collections and indexes.
  for (const step of meta) await step.apply();
  return steps.map(({ step }) => step);
}

/** Whether everything is as wanted; a step that would do something is a finding. */
export async function checkLayout(db: Db, wanted: WantedLayout): Promise<readonly LayoutCheck[]> {
  const steps = await planSteps(db, wanted, { judged: false });
  return steps.map(({ step: { kind, name, action, detail } }) => ({
    name: `${kind} ${name}`,
    // A changed configuration is not a broken layout: it only warns.
    ok: action === 'present' || (kind === 'meta' && action === 'change'),
    detail: action === 'present' ? detail : `${action}: ${detail}`,
  }));
}

/**
 * Every step. `judged`: content is looked at too, as a person wants it before setting up; a server that
 * verifies its layout every half minute does not.
 */
async function planSteps(
  db: Db,
  wanted: WantedLayout,
  { judged }: { readonly judged: boolean },
): Promise<readonly PlannedStep[]> {
  const names = [...ENGINE_COLLECTIONS, ...wanted.collections.map(({ name }) => name)];
  const listed = await db.listCollections({ name: { $in: [...names, LOG_SET_ASIDE] } }).toArray();
  const found = new Map(listed.map((one) => [one.name, one as Document]));
  const steps: PlannedStep[] = [];
  const earlier = await planEarlierLog(db, plainNames(found));
  if (earlier !== undefined) steps.push(earlier.planned);
  if (earlier?.moves === true) found.delete('sync_oplog');
  for (const name of names) {
    steps.push(...(await planOne(db, { wanted, name, found: found.get(name), judged })));
  }
  const meta = await planMeta(db, wanted);
  const note = judged && found.size === 0 ? await newDatabaseNote(db) : undefined;
  steps.push(note === undefined ? meta : { ...meta, step: { ...meta.step, note } });
  return steps;
}

/** Views and their like have no indexes to look at. */
function plainNames(found: ReadonlyMap<string, Document>): ReadonlySet<string> {
  const plain = [...found].filter(([, { type }]) => type === 'collection');
  return new Set(plain.map(([name]) => name));
}

interface OneCollection {
  readonly wanted: WantedLayout;
  readonly name: string;
  readonly found: Document | undefined;
  readonly judged: boolean;
}

/** The steps of one collection and of its indexes. */
async function planOne(db: Db, of: OneCollection): Promise<readonly PlannedStep[]> {
  const { wanted, name, found } = of;
  const reason = found === undefined ? undefined : unfitReason(found);
  const fit = reason === undefined;
  const there = found !== undefined && fit ? await db.collection(name).listIndexes().toArray() : [];
  const fitness = fit ? await judge(db, of, there) : { reason };
  const collection = collectionStep(db, of, fitness);
  if (fitness.reason !== undefined) return [collection];
  const indexes = wantedIndexes(wanted).filter(({ collection: owner }) => owner === name);
  return [collection, ...indexes.map((index) => planIndex(db, index, there))];
}

async function judge(
  db: Db,
  { wanted, name, found, judged }: OneCollection,
  indexes: readonly Document[],
): Promise<Fitness> {
  if (!judged || found === undefined) return {};
  const business = wanted.collections.find((one) => one.name === name);
  if (business !== undefined) return judgeContent(db, business, { found, indexes });
  const strange = await holdsStrangers(db, name);
  return strange ? { reason: 'it holds documents of another program; rename it' } : {};
}

function collectionStep(
  db: Db,
  { name, found }: Pick<OneCollection, 'name' | 'found'>,
  { reason, note, ids }: Fitness,
): PlannedStep {
  const step = (action: SetupStep['action'], detail: string): SetupStep => ({
    ...{ action, kind: 'collection', name, detail },
    ...(note === undefined ? {} : { note }),
  });
  if (found === undefined) {
    return { step: step('create', 'new collection'), apply: () => createCollection(db, name) };
  }
  const present = step('present', ids === undefined ? 'is there' : `is there; ids: ${ids}`);
  return { step: reason === undefined ? present : step('blocked', reason), apply: async () => {} };
}

/** Before the first setup nothing of ours can be in a collection of our name. */
async function holdsStrangers(db: Db, name: string): Promise<boolean> {
  const own = await engineCollection(db, 'sync_meta').findOne({ _id: { $in: ['meta', 'setup'] } });
  if (own !== null) return false;
  const process = { _id: { $not: /^node:/ } };
  return (await engineCollection(db, name as EngineCollection).findOne(process)) !== null;
}

/** A name that is nowhere yet may be a new database, or a typing error. */
async function newDatabaseNote(db: Db): Promise<string | undefined> {
  const others = await db
    .admin()
    .listDatabases({ nameOnly: true, authorizedDatabases: true })
    .catch(() => ({ databases: [] }));
  const names = others.databases.map(({ name }) => name);
  const theirs = names.filter((name) => !['admin', 'config', 'local'].includes(name));
  if (theirs.length === 0 || theirs.includes(db.databaseName)) return undefined;
  const some = theirs.slice(0, NAMES_SHOWN).join(', ');
  return `the database ${db.databaseName} is new on this server, which has: ${some}; if that is a typing error, correct database_name`;
}

async function createCollection(db: Db, name: string): Promise<void> {
  try {
    await db.createCollection(name);
  } catch (error) {
    // Another process set up at the same time.
    if ((error as { code?: unknown }).code !== NAMESPACE_EXISTS) throw error;
  }
}

function planIndex(db: Db, index: WantedIndex, there: readonly Document[]): PlannedStep {
  const finding = compareIndex(index, there);
  const keys = Object.keys(index.key).join(', ');
  const name = `${index.collection}.${index.name}`;
  const kept = index.ttl_seconds === undefined ? '' : `, ${lifetime(index.ttl_seconds)}`;
  const text = `{${keys}}${index.unique ? ' unique' : ''}${kept}`;
  const of = (action: SetupStep['action'], detail: string, apply: () => Promise<unknown>) => ({
    step: { action, kind: 'index' as const, name, detail },
    apply: async () => {
      await apply();
    },
  });
  switch (finding.kind) {
    case 'present':
      return of('present', text, async () => {});
    case 'create':
      return of('create', text, () => createIndex(db, index));
    case 'set_ttl':
      return of('change', `${text} instead of the stored lifetime`, () => setLifetime(db, index));
    case 'drop':
      return of('change', `${text}: the expiry is dropped`, () => dropExpiry(db, index));
    case 'blocked':
      return of('blocked', finding.reason, async () => {});
  }
}

function lifetime(seconds: number): string {
  return seconds === 0 ? 'kept for ever' : `kept ${seconds} s`;
}

async function createIndex(db: Db, index: WantedIndex): Promise<void> {
  const { collection, name, key, unique, ttl_seconds, partial } = index;
  try {
    await db.collection(collection).createIndex(
      { ...key },
      {
        name,
        ...(unique ? { unique } : {}),
        ...(ttl_seconds === undefined ? {} : { expireAfterSeconds: ttl_seconds }),
        ...(partial === undefined ? {} : { partialFilterExpression: partial }),
      },
    );
  } catch (error) {
    if (!isDuplicateKeyError(error)) throw error;
    throw new StoreError('layout_blocked', 'stored records violate a unique index that is needed');
  }
}

function setLifetime(db: Db, index: WantedIndex): Promise<Document> {
  return db.command({
    collMod: index.collection,
    index: { keyPattern: index.key, expireAfterSeconds: index.ttl_seconds },
  });
}

async function dropExpiry(db: Db, index: WantedIndex): Promise<void> {
  await db.collection(index.collection).dropIndex({ ...index.key } as unknown as string);
}
