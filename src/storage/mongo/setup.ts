/** `init` and its check on MongoDB: collections, indexes and the meta document. */

import type { Db, Document } from 'mongodb';
import {
  type LayoutCheck,
  type SetupStep,
  StoreError,
  type WantedLayout,
} from '../../core/ports/store.ts';
import { ENGINE_COLLECTIONS } from './collections.ts';
import { isDuplicateKeyError } from './driver-errors.ts';
import { LOG_SET_ASIDE, planEarlierLog } from './earlier-log.ts';
import { compareIndex, type WantedIndex, wantedIndexes } from './indexes.ts';
import { type PlannedStep, planMeta } from './meta.ts';
import { noteCollections, recordCreations } from './setup-record.ts';

const NAMESPACE_EXISTS = 48;

/** What `applySetup` would do. Reads only. */
export async function planSetup(db: Db, wanted: WantedLayout): Promise<readonly SetupStep[]> {
  return (await planSteps(db, wanted)).map(({ step }) => step);
}

/** Applies the plan. Throws `layout_blocked` before anything is touched when a step is blocked. */
export async function applySetup(db: Db, wanted: WantedLayout): Promise<readonly SetupStep[]> {
  const steps = await planSteps(db, wanted);
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
  const steps = await planSteps(db, wanted);
  return steps.map(({ step: { kind, name, action, detail } }) => ({
    name: `${kind} ${name}`,
    // A changed configuration is not a broken layout: it only warns.
    ok: action === 'present' || (kind === 'meta' && action === 'change'),
    detail: action === 'present' ? detail : `${action}: ${detail}`,
  }));
}

async function planSteps(db: Db, wanted: WantedLayout): Promise<readonly PlannedStep[]> {
  const names = [...ENGINE_COLLECTIONS, ...wanted.collections.map(({ name }) => name)];
  const listed = await db.listCollections({ name: { $in: [...names, LOG_SET_ASIDE] } }).toArray();
  const found = new Map(listed.map((one) => [one.name, one as Document]));
  const indexes = wantedIndexes(wanted);
  const steps: PlannedStep[] = [];
  const earlier = await planEarlierLog(db, plainNames(found));
  if (earlier !== undefined) steps.push(earlier.planned);
  if (earlier?.moves === true) found.delete('sync_oplog');
  for (const name of names) {
    const collection = planCollection(db, name, found.get(name));
    steps.push(collection);
    if (collection.step.action === 'blocked') continue;
    const there = found.has(name) ? await db.collection(name).listIndexes().toArray() : [];
    for (const index of indexes) {
      if (index.collection === name) steps.push(planIndex(db, index, there));
    }
  }
  steps.push(await planMeta(db, wanted));
  return steps;
}

/** Views and their like have no indexes to look at. */
function plainNames(found: ReadonlyMap<string, Document>): ReadonlySet<string> {
  const plain = [...found].filter(([, { type }]) => type === 'collection');
  return new Set(plain.map(([name]) => name));
}

function planCollection(db: Db, name: string, found: Document | undefined): PlannedStep {
  const step = (action: SetupStep['action'], detail: string): SetupStep => ({
    action,
    kind: 'collection',
    name,
    detail,
  });
  if (found === undefined) {
    return { step: step('create', 'new collection'), apply: () => createCollection(db, name) };
  }
  const reason = unfitReason(found);
  return {
    step: reason === undefined ? step('present', 'is there') : step('blocked', reason),
    apply: async () => {},
  };
}

/** Why an existing collection cannot be synced. */
function unfitReason(found: Document): string | undefined {
  if (found['type'] !== undefined && found['type'] !== 'collection') {
    return `it is a ${found['type']}; a plain collection is needed`;
  }
  const options = (found['options'] ?? {}) as Document;
  if (options['capped']) return 'it is capped; a plain collection is needed';
  const locale = options['collation']?.locale;
  if (locale !== undefined && locale !== 'simple') {
    return 'it has a default collation, which orders and equates ids otherwise than the server';
  }
  return undefined;
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
