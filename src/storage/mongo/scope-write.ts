/**
 * Writes of the application in a transaction under the scope's lock: one that is opened, repeated and
 * committed here, or one that the application opened itself. The locking, loading and writing is that
 * of every other group.
 */

import { type ClientSession, type Document, MongoError, MongoErrorLabel } from 'mongodb';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import { isEmptyPlan, isTombstone } from '../../core/ports/group-rules.ts';
import {
  type CallerTransaction,
  type EarlierDocument,
  type LockedScope,
  ScopeWriteError,
  type ScopeWork,
  type ScopeWrites,
  type WrittenDecision,
} from '../../core/ports/scope-writes.ts';
import {
  type Committed,
  type DocumentKey,
  type GroupLoad,
  StoreError,
} from '../../core/ports/store.ts';
import { encodeDocument, encodeId } from './bson-codec.ts';
import { decodeDocument } from './bson-reader.ts';
import { engineCollection, headFrom, type StoredHead } from './collections.ts';
import { guarded, isTransient, toStoreError } from './driver-errors.ts';
import { ensureHead } from './ensure-head.ts';
import {
  CallerFault,
  type CommitContext,
  commitInSession,
  lockHead,
} from './mongo-commit-group.ts';
import { documentPlace, MARKED_DELETED, NOT_DELETED } from './in-place.ts';
import { idsByCollection, idTypeOf, loadGroup } from './mongo-load.ts';
import { expectedCounts, failureOf, planWrites, runWrites } from './plan-writes.ts';
import { documentFrom } from './stored-documents.ts';

/** The port over one connection. */
export function createScopeWrites(context: CommitContext): ScopeWrites {
  const held = new WeakMap<ClientSession, Map<string, Held>>();
  return {
    writeInScope: (scope_id, work) => writeInScope(context, scope_id, work),
    lockIn: (session, scope_id, accept_late) =>
      lockIn(context, held, { session: callerSession(context, session), scope_id, accept_late }),
    writeIn: (session, locked, work) =>
      writeIn(context, held, { ...work, session: session as ClientSession, locked }),
  };
}

/** A lock that a transaction of the application holds: it ends with the transaction. */
interface Held {
  readonly transaction: number;
  /** What was recorded in it, by place: others cannot see that yet. */
  readonly recorded: Map<string, EarlierDocument>;
}

async function writeInScope<T>(
  context: CommitContext,
  scope_id: string,
  work: ScopeWork<T>,
): Promise<Committed<T>> {
  const deadline = context.clock.monotonic() + work.budget_ms;
  const { session, end } = await guarded(() => context.sessions.borrow());
  let earlier: readonly EarlierDocument[] = [];
  const inside = async (): Promise<GroupLoad> => {
    const keys = await withinTime(context, deadline, { session, work });
    earlier = await loadEarlier(context, keys);
    return loadOf(keys);
  };
  const group = {
    load: loadOf([]),
    budget_ms: work.budget_ms,
    decide: (snapshot, refused) => work.decide({ snapshot, refused, earlier }),
  } satisfies Parameters<typeof commitInSession<T>>[1]['group'];
  try {
    return await commitInSession(context, { scope_id, group, session, deadline, inside });
  } catch (error) {
    throw error instanceof CallerFault ? error.cause : error;
  } finally {
    // Not given back to others: whatever the function forgot to await must not reach their work.
    await end();
  }
}

/**
 * The function may not hold the scope's lock for ever. When it is too slow its session ends with its
 * transaction, so that its later statements fail instead of running outside of it.
 */
async function withinTime<T>(
  context: CommitContext,
  deadline: number,
  { session, work }: { readonly session: ClientSession; readonly work: ScopeWork<T> },
): Promise<readonly DocumentKey[]> {
  const finished = new AbortController();
  const running = work.write(transactionOf(context, session));
  running.catch(() => undefined);
  const late = context.clock
    .sleep(Math.max(deadline - context.clock.monotonic(), 0), finished.signal)
    .then(() => 'late' as const);
  try {
    const done = await Promise.race([running, late]);
    if (done === 'late') throw new ScopeWriteError('too_slow');
    // Without it nothing is locked: what was written now would stand outside of the scope's order.
    if (!session.inTransaction()) throw new ScopeWriteError('transaction_required');
    return done;
  } catch (error) {
    if (isTransient(error)) throw error;
    throw new CallerFault(error);
  } finally {
    finished.abort();
  }
}

function loadOf(keys: readonly DocumentKey[]): GroupLoad {
  return { receipts: [], documents: keys.map((key) => ({ ...key, parent_version: null })) };
}

/** Writes of the engine on behalf of the function, in the same session. */
function transactionOf(context: CommitContext, session: ClientSession): CallerTransaction {
  const { connection, id_types, in_place } = context;
  const place = ({ collection, doc_id }: DocumentKey) => ({
    target: connection.db.collection(collection),
    filter: { _id: encodeId(doc_id, idTypeOf(id_types, collection)) } as Document,
  });
  return {
    session,
    async put({ data, typed, ...key }) {
      const { target, filter } = place(key);
      const bytes = await target.findOne<Uint8Array>(filter, { session, raw: true });
      if (bytes === null) {
        await target.insertOne({ ...filter, ...encodeDocument(typed ?? data) }, { session });
        return;
      }
      const { engine, ...stored } = decodeDocument(bytes);
      const content = encodeDocument(typed ?? data, stored);
      await target.replaceOne(filter, { ...content, ...keptFields(engine) }, { session });
    },
    async drop(key) {
      const { target, filter } = place(key);
      // The mark makes it a deletion; the tombstone in its place is written with the row.
      if (in_place.has(key.collection)) {
        await target.updateOne(filter, { $set: MARKED_DELETED }, { session });
      } else {
        // A marked document is never removed: the mark, and what it stands on, are the application's.
        await target.deleteOne({ ...filter, ...NOT_DELETED }, { session });
      }
    },
  };
}

/** Content takes back the mark of a deletion. */
function keptFields({ _id, _sync_deleted, ...fields }: JsonObject): Document {
  return encodeDocument(fields);
}

/**
 * What is committed of these documents. Read outside the transaction: a document that it wrote cannot
 * change for others before it ends, so this is what was there before it.
 */
async function loadEarlier(
  { connection, id_types }: CommitContext,
  keys: readonly DocumentKey[],
): Promise<readonly EarlierDocument[]> {
  const found: EarlierDocument[] = [];
  for (const [collection, ids] of idsByCollection(keys)) {
    const type = idTypeOf(id_types, collection);
    const filter: Document = { _id: { $in: [...ids].map((id) => encodeId(id, type)) } };
    const all = await connection.db
      .collection(collection)
      .find<Uint8Array>(filter, { raw: true, batchSize: ids.size + 1 })
      .toArray();
    for (const bytes of all) {
      const document = documentFrom(bytes, collection, type)?.document;
      if (document === undefined) continue;
      const { doc_id, scope_id, version, data } = document;
      const content = version === null ? { data } : {};
      const deleted = isTombstone(document);
      found.push({ collection, doc_id, scope_id, version, deleted, ...content });
    }
  }
  return found;
}

/** What the driver knows of a session and does not show in its types. */
interface SessionInside {
  readonly client?: unknown;
  readonly transaction?: { readonly isStarting?: boolean };
  readonly txnNumberIncrement?: number;
}

function callerSession({ connection }: CommitContext, session: unknown): ClientSession {
  const { client } = (session ?? {}) as SessionInside;
  if (client !== connection.client) throw new ScopeWriteError('foreign_session');
  if (!(session as ClientSession).inTransaction())
    throw new ScopeWriteError('transaction_required');
  return session as ClientSession;
}

/** Number of the session's transaction: a retry is another one, and holds none of its locks. */
function transactionOfSession(session: ClientSession): number {
  const { txnNumberIncrement = 0 } = session as unknown as SessionInside;
  return session.serverSession.txnNumber + txnNumberIncrement;
}

async function lockIn(
  context: CommitContext,
  held: WeakMap<ClientSession, Map<string, Held>>,
  of: { readonly session: ClientSession; readonly scope_id: string; readonly accept_late: boolean },
): Promise<LockedScope> {
  const { session, scope_id, accept_late } = of;
  const { db } = context.connection;
  const scopes = engineCollection<StoredHead>(db, 'sync_scopes');
  const locks = held.get(session) ?? new Map<string, Held>();
  held.set(session, locks);
  const transaction = transactionOfSession(session);
  if (locks.get(scope_id)?.transaction === transaction) {
    return lockedFrom(await scopes.findOne({ _id: scope_id }, { session }));
  }
  const first = (session as unknown as SessionInside).transaction?.isStarting === true;
  if (!first && !accept_late) throw new ScopeWriteError('lock_not_first');
  const known = await guarded(() => scopes.countDocuments({ _id: scope_id }, { limit: 1 }));
  if (known === 0) await guarded(() => ensureHead(db, scope_id));
  const head = await lockHead(context, session, scope_id);
  if (head === null) throw newerHead();
  const locked = lockedFrom(head);
  locks.set(scope_id, { transaction, recorded: new Map() });
  return locked;
}

/** The transaction began before the head was made and cannot see it: another attempt will. */
function newerHead(): MongoError {
  const error = new MongoError('the scope is new to this transaction');
  error.addErrorLabel(MongoErrorLabel.TransientTransactionError);
  return error;
}

function lockedFrom(stored: StoredHead | null): LockedScope {
  if (stored === null) throw new StoreError('failed', 'the head of the scope is gone');
  return { scope_id: stored._id, head: headFrom(stored), now_ms: stored.touched.getTime() };
}

async function writeIn<T>(
  context: CommitContext,
  held: WeakMap<ClientSession, Map<string, Held>>,
  of: {
    readonly session: ClientSession;
    readonly locked: LockedScope;
    readonly keys: readonly DocumentKey[];
    readonly decide: WrittenDecision<T>;
  },
): Promise<T> {
  const { session, keys, decide } = of;
  const { scope_id } = of.locked;
  const { connection, id_types, in_place } = context;
  const lock = held.get(session)?.get(scope_id);
  if (lock?.transaction !== transactionOfSession(session) || !session.inTransaction()) {
    throw new ScopeWriteError('unknown_metadata');
  }
  const scopes = engineCollection<StoredHead>(connection.db, 'sync_scopes');
  // The head moves with each record of the transaction.
  const { head, now_ms } = lockedFrom(await scopes.findOne({ _id: scope_id }, { session }));
  const { recorded } = lock;
  const committed = await loadEarlier(context, keys);
  const earlier = [
    ...committed.filter((one) => !recorded.has(documentPlace(one))),
    ...keys.flatMap((key) => recorded.get(documentPlace(key)) ?? []),
  ];
  const loading = { db: connection.db, session, id_types, in_place };
  const loaded = await loadGroup(loading, loadOf(keys), { head, now_ms });
  const { plan, outcome } = decide({
    snapshot: loaded.snapshot,
    earlier,
    refused: new Map(),
  }) as Awaited<ReturnType<WrittenDecision<T>>>;
  if (isEmptyPlan(plan)) return outcome;
  const writes = planWrites(plan, loaded, id_types);
  const counts = await runWrites(connection, session, writes).catch((thrown: unknown) => {
    throw failureOf(thrown).error;
  });
  const expected = expectedCounts(writes);
  const asPlanned = (['inserted', 'updated', 'deleted'] as const).every(
    (kind) => counts[kind] === expected[kind],
  );
  if (!asPlanned)
    throw toStoreError(new StoreError('failed', 'a document was not as the plan expected it'));
  for (const { collection, doc_id, version, operation } of plan.rows) {
    const key = { collection, doc_id: doc_id as string };
    const deleted = operation === 'delete';
    recorded.set(documentPlace(key), { ...key, scope_id, version, deleted });
  }
  return outcome;
}
