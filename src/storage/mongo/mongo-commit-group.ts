/**
 * One group in one transaction: lock the head with a changing value, load, decide, write the plan
 * with the head last, commit; again from the start while the failure permits it.
 *
 * The driver's `withTransaction` is not used: its time budget and back-off are too long for a lock
 * that a whole scope waits for, and it would repeat without end what must become a rejection.
 */

import type { ClientSession, TransactionOptions } from 'mongodb';
import type { Clock } from '../../core/ports/system.ts';
import { isEmptyPlan } from '../../core/ports/group-rules.ts';
import {
  type ChangeRef,
  type CommitGroup,
  type Committed,
  type Decision,
  type GroupLoad,
  StoreError,
} from '../../core/ports/store.ts';
import type { RejectionCode } from '../../protocol/pure/error-codes.ts';
import { engineCollection, headFrom, type StoredHead } from './collections.ts';
import {
  type FailedWrite,
  guarded,
  isDuplicateKey,
  isServerTrouble,
  isTransient,
  isUncommitted,
  isUnreachable,
  toStoreError,
} from './driver-errors.ts';
import { ensureHead } from './ensure-head.ts';
import { RowTooLarge } from './foreign-rows.ts';
import type { InPlaceCollections } from './in-place.ts';
import { type IdTypes, type LoadedGroup, loadGroup } from './mongo-load.ts';
import {
  expectedCounts,
  failureOf,
  isThere,
  type PlannedWrite,
  planWrites,
  runWrites,
} from './plan-writes.ts';
import { probeWrites } from './probe-writes.ts';
import type { TransactionSessions } from './sessions.ts';
import type { Connection } from './topology.ts';

/** What a commit needs beside the group. `random` gives a number in [0, 1). */
export interface CommitContext {
  readonly connection: Connection;
  readonly sessions: TransactionSessions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly id_types: IdTypes;
  readonly in_place: InPlaceCollections;
  /** Expression for the database's time; `$$NOW` outside tests. */
  readonly now_expression: unknown;
}

/** Longest commit that the server may try before it says so, ms. */
const COMMIT_LIMIT_MS = 5_000;
/** Shortest and longest wait between two tries of a commit with an unknown result, ms. */
const COMMIT_WAIT_MIN_MS = 50;
const COMMIT_WAIT_MAX_MS = 500;
/** Longest wait before the next attempt, ms: first, and from the ninth attempt on. */
const BACKOFF_MAX_MS = 20;
const BACKOFF_LATE_MS = 100;
const BACKOFF_EARLY_ATTEMPTS = 8;
/** How long a head is waited for before dead processes are looked for, and how often then, ms. */
const CONFLICT_PATIENCE_MS = 3_000;
const FREE_EVERY_MS = 500;
/** How often a group runs again because a record or document was there already. */
const DUPLICATES_MAX = 3;
/** Refused changes after which the other documents of the group are probed one by one. */
const PROBE_AFTER_REFUSED = 3;

const TRANSACTION: TransactionOptions = {
  readConcern: { level: 'majority' },
  writeConcern: { w: 'majority', journal: true },
  readPreference: 'primary',
  maxCommitTimeMS: COMMIT_LIMIT_MS,
};

/** Commits a group. Throws `StoreError`, or what `decide` threw. */
export async function commitGroup<T>(
  context: CommitContext,
  scope_id: string,
  group: CommitGroup<T>,
): Promise<Committed<T>> {
  const deadline = context.clock.monotonic() + group.budget_ms;
  const session = await guarded(() => context.sessions.acquire());
  try {
    return await new GroupCommit(context, { scope_id, group, session, deadline }).run();
  } finally {
    context.sessions.release(session);
  }
}

interface GroupWork<T> {
  readonly scope_id: string;
  readonly group: CommitGroup<T>;
  readonly session: ClientSession;
  /** Monotonic, ms. */
  readonly deadline: number;
  /**
   * Statements of the application between the lock and the load; it names what is loaded instead of
   * the group. Then the transaction is committed also without a plan.
   */
  readonly inside?: () => Promise<GroupLoad>;
}

/** What a function of the application threw: it is nobody else's to explain, or to repeat. */
export class CallerFault extends Error {
  constructor(cause: unknown) {
    super('a function of the application failed', { cause });
  }
}

/** Commits a group that holds statements of the application, in their session. */
export function commitInSession<T>(
  context: CommitContext,
  work: GroupWork<T>,
): Promise<Committed<T>> {
  return new GroupCommit(context, work).run();
}

/**
 * Locks the head. The value must change: two open transactions that set an equal value take no lock
 * at all. So the counter goes up even when the time stands still [ST-1].
 */
export function lockHead(
  { connection, now_expression }: CommitContext,
  session: ClientSession,
  scope_id: string,
): Promise<StoredHead | null> {
  return engineCollection<StoredHead>(connection.db, 'sync_scopes').findOneAndUpdate(
    { _id: scope_id },
    [{ $set: { touched: now_expression, lock: { $add: ['$lock', 1] } } }],
    { session, returnDocument: 'after' },
  );
}

class GroupCommit<T> {
  readonly #context: CommitContext;
  readonly #work: GroupWork<T>;
  readonly #refused = new Map<ChangeRef, RejectionCode>();
  #attempts = 0;
  #duplicates = 0;
  #writes: readonly PlannedWrite[] = [];
  #locked = false;
  #conflictSince: number | undefined;
  #freedAt = Number.NEGATIVE_INFINITY;
  #unreachable = false;

  constructor(context: CommitContext, work: GroupWork<T>) {
    this.#context = context;
    this.#work = work;
  }

  async run(): Promise<Committed<T>> {
    for (;;) {
      this.#checkTime();
      this.#attempts += 1;
      const committed = await this.#attempt();
      if (committed !== undefined) return committed;
    }
  }

  #checkTime(): void {
    if (this.#context.clock.monotonic() < this.#work.deadline) return;
    throw this.#unreachable
      ? new StoreError('unavailable', 'the database did not answer in time')
      : new StoreError('deadline', 'the scope was busy until the time was over');
  }

  /** Undefined = run again. */
  async #attempt(): Promise<Committed<T> | undefined> {
    const { session, scope_id } = this.#work;
    this.#writes = [];
    this.#locked = false;
    try {
      session.startTransaction(TRANSACTION);
      const head = await lockHead(this.#context, session, scope_id);
      if (head === null) {
        await this.#abort();
        await ensureHead(this.#context.connection.db, scope_id);
        return undefined;
      }
      this.#locked = true;
      this.#conflictSince = undefined;
      return await this.#finish(await this.#decide(head));
    } catch (error) {
      await this.#abort();
      await this.#recover(error);
      return undefined;
    }
  }

  async #decide(stored: StoredHead): Promise<{ loaded: LoadedGroup; decision: Decision<T> }> {
    const { connection, id_types, in_place } = this.#context;
    const { group, session, inside } = this.#work;
    const load = inside === undefined ? group.load : await inside();
    const locked = { head: headFrom(stored), now_ms: stored.touched.getTime() };
    const loaded = await loadGroup(
      { db: connection.db, session, id_types, in_place },
      load,
      locked,
    );
    return { loaded, decision: await group.decide(loaded.snapshot, this.#refused) };
  }

  async #finish({
    loaded,
    decision,
  }: {
    loaded: LoadedGroup;
    decision: Decision<T>;
  }): Promise<Committed<T>> {
    const { plan, outcome } = decision;
    const written = !isEmptyPlan(plan);
    if (written) {
      this.#writes = planWrites(plan, loaded, this.#context.id_types);
      await this.#write();
    }
    if (written || this.#work.inside !== undefined) await this.#commit();
    else await this.#abort();
    return { outcome, written, attempts: this.#attempts };
  }

  async #write(): Promise<void> {
    const { connection } = this.#context;
    const counts = await runWrites(connection, this.#work.session, this.#writes);
    const expected = expectedCounts(this.#writes);
    if (
      counts.inserted !== expected.inserted ||
      counts.updated !== expected.updated ||
      counts.deleted !== expected.deleted
    ) {
      throw new StoreError('failed', 'a document was not as the plan expected it');
    }
  }

  /** Repeats only the commit while its result is unknown; a majority write concern makes that safe. */
  async #commit(): Promise<void> {
    const { clock, random } = this.#context;
    for (let wait = COMMIT_WAIT_MIN_MS; ; wait = Math.min(wait * 2, COMMIT_WAIT_MAX_MS)) {
      try {
        await this.#work.session.commitTransaction();
        return;
      } catch (error) {
        if (isUncommitted(error)) throw error;
        if (clock.monotonic() + wait >= this.#work.deadline) {
          throw new StoreError('commit_unknown', 'the commit was sent and not confirmed', {
            cause: error,
          });
        }
        await clock.sleep(wait * (0.5 + random() / 2));
      }
    }
  }

  async #abort(): Promise<void> {
    const { session } = this.#work;
    if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
  }

  /** Returns when the group may run again; throws what is final. */
  async #recover(thrown: unknown): Promise<void> {
    if (thrown instanceof RowTooLarge && thrown.change !== undefined) {
      return this.#refuse(thrown.change, 'document_validation');
    }
    const { error, failed } = failureOf(thrown);
    if (failed !== undefined && !isServerTrouble(failed.code)) {
      return this.#blame(this.#writes[failed.index], failed);
    }
    const again = failed === undefined ? isTransient(error) : isServerTrouble(failed.code);
    if (!again) throw toStoreError(error);
    this.#unreachable = isUnreachable(error);
    await this.#freeHead();
    await this.#backOff();
  }

  async #backOff(): Promise<void> {
    const { clock, random } = this.#context;
    const most =
      this.#attempts <= BACKOFF_EARLY_ATTEMPTS
        ? Math.min(2 ** this.#attempts, BACKOFF_MAX_MS)
        : BACKOFF_LATE_MS;
    await clock.sleep(random() * most);
  }

  /** A head that stays locked may belong to a process that died: its transactions are killed. */
  async #freeHead(): Promise<void> {
    if (this.#locked) return;
    const now = this.#context.clock.monotonic();
    this.#conflictSince ??= now;
    const patient = now - this.#conflictSince < CONFLICT_PATIENCE_MS;
    if (patient || now - this.#freedAt < FREE_EVERY_MS) return;
    this.#freedAt = now;
    await this.#context.sessions.freeDeadNodes().catch(() => undefined);
  }

  /**
   * A refused write: of a document, its change becomes a rejection; of a record, someone wrote it
   * first and the next attempt sees it. The server aborted the transaction in every case.
   */
  async #blame(write: PlannedWrite | undefined, failed: FailedWrite): Promise<void> {
    const { db } = this.#context.connection;
    const duplicate = isDuplicateKey(failed);
    const there = duplicate && write !== undefined && (await isThere(db, write));
    if (write?.change !== undefined && !there) {
      return this.#refuse(write.change, duplicate ? 'unique_violation' : 'document_validation');
    }
    if (write?.version !== undefined && there) {
      throw new StoreError('version_taken', 'a drawn version exists already');
    }
    this.#duplicates += 1;
    if (!duplicate || this.#duplicates > DUPLICATES_MAX) {
      throw new StoreError('failed', 'the database refused a write of the engine');
    }
  }

  async #refuse(change: ChangeRef, code: RejectionCode): Promise<void> {
    if (this.#refused.has(change)) {
      throw new StoreError('failed', 'a refused change was planned again');
    }
    this.#refused.set(change, code);
    if (this.#refused.size !== PROBE_AFTER_REFUSED) return;
    const { connection, clock } = this.#context;
    const { session, deadline } = this.#work;
    const isTimeUp = () => clock.monotonic() >= deadline;
    const context = { connection, session, transaction: TRANSACTION, isTimeUp };
    const found = await probeWrites(context, this.#writes);
    for (const [refused, reason] of found) this.#refused.set(refused, reason);
  }
}
