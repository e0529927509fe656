/**
 * One group without a transaction: load, decide, and write the plan so that a crash at any moment
 * leaves all of it or nothing. What the plan does to documents can be taken back until they are all
 * written; then the group is committed, and its records follow in any case [SA-3].
 */

import { randomUUID } from 'node:crypto';
import { isEmptyPlan } from '../../../core/ports/group-rules.ts';
import type { LocalFeed } from '../../../core/ports/local-feed.ts';
import type { ScopeHead } from '../../../core/ports/records.ts';
import {
  type ChangeRef,
  type CommitGroup,
  type Committed,
  type GroupPlan,
  type RefusedChanges,
  StoreError,
} from '../../../core/ports/store.ts';
import type { Clock } from '../../../core/ports/system.ts';
import type { RejectionCode } from '../../../protocol/pure/error-codes.ts';
import { engineCollection, headFrom, type StoredHead } from '../collections.ts';
import {
  type FailedWrite,
  isDuplicateKey,
  isServerTrouble,
  isTransient,
  isUnreachable,
  toStoreError,
} from '../driver-errors.ts';
import { ensureHead } from '../ensure-head.ts';
import { RowTooLarge } from '../foreign-rows.ts';
import type { InPlaceCollections } from '../in-place.ts';
import { type IdTypes, type LoadedGroup, loadGroup, receiptFilter } from '../mongo-load.ts';
import {
  expectedCounts,
  failureOf,
  isThere,
  type PlannedWrite,
  planWrites,
  runWrites,
  type WriteCounts,
} from '../plan-writes.ts';
import type { Connection } from '../topology.ts';
import { DocumentMoved, type DocumentSteps, documentSteps } from './document-steps.ts';
import { groupRecords, namesTwice, tellRows } from './group-records.ts';
import type { Lease } from './lease.ts';
import type { RedoLog } from './redo-log.ts';
import { undoDocuments } from './undo-documents.ts';
import type { WriteGate } from './write-gate.ts';

/** What a commit needs beside the group. */
export interface StandaloneContext {
  readonly connection: Connection;
  readonly lease: Lease;
  readonly log: RedoLog;
  readonly gate: WriteGate;
  /** Hears of every group right after its commit. */
  readonly feed: LocalFeed;
  /** True when the log may hold a group: nobody looks at documents before it is dealt with. */
  readonly state: { unfinished: boolean };
  readonly clock: Clock;
  readonly random: () => number;
  readonly id_types: IdTypes;
  readonly in_place: InPlaceCollections;
  readonly now_expression: unknown;
}

/** Longest wait before the next attempt, ms. */
const BACKOFF_MAX_MS = 50;
/** How often a group runs again because a record was there already. */
const DUPLICATES_MAX = 3;
/** Refused changes after which the other documents of the group are tried one by one. */
const PROBE_AFTER_REFUSED = 3;

/** Runs `work` while no group is half-written, after what an earlier one left was dealt with [SA-4]. */
export async function readSettled<T>(
  { gate, state, lease, log }: Pick<StandaloneContext, 'gate' | 'state' | 'lease' | 'log'>,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    if (state.unfinished) {
      await gate.write(async () => {
        if (!state.unfinished) return;
        await lease.confirm();
        await log.recover();
        state.unfinished = false;
      });
    }
    const done = await gate.read(async () =>
      state.unfinished ? undefined : { value: await work() },
    );
    if (done !== undefined) return done.value;
  }
}

/** A document that the database refused. */
class RefusedDocument extends Error {
  readonly write: PlannedWrite;
  readonly code: RejectionCode;
  /** More refused changes of the group, when they were looked for. */
  readonly others: RefusedChanges;

  constructor(write: PlannedWrite, code: RejectionCode, others: RefusedChanges = new Map()) {
    super('the database refused a document');
    this.write = write;
    this.code = code;
    this.others = others;
  }
}

/** One run of a group's writes, and how far it may have come. */
class Attempt {
  readonly token = randomUUID();
  reached: 'nothing' | 'documents' | 'commit' | 'records' = 'nothing';
}

/** A record of the plan is stored already. */
class RecordThere extends Error {}

/** Commits a group of a scope whose turn it is. */
export class StandaloneCommit<T> {
  readonly #context: StandaloneContext;
  readonly #scope_id: string;
  readonly #group: CommitGroup<T>;
  readonly #deadline: number;
  readonly #refused = new Map<ChangeRef, RejectionCode>();
  #attempts = 0;
  #duplicates = 0;
  #unreachable = false;

  /** `deadline` is monotonic, ms. */
  constructor(
    context: StandaloneContext,
    work: { readonly scope_id: string; readonly group: CommitGroup<T>; readonly deadline: number },
  ) {
    this.#context = context;
    this.#scope_id = work.scope_id;
    this.#group = work.group;
    this.#deadline = work.deadline;
  }

  /** Throws `StoreError`, or what `decide` threw. */
  async run(): Promise<Committed<T>> {
    for (;;) {
      if (this.#isTimeUp()) throw this.#timeIsUp();
      this.#attempts += 1;
      const loaded = await this.#load();
      if (loaded === undefined) continue;
      const { plan, outcome } = await this.#group.decide(loaded.snapshot, this.#refused);
      const written = !isEmptyPlan(plan);
      const done = !written || (await this.#context.gate.write(() => this.#commit(plan, loaded)));
      if (done) {
        if (written) tellRows(this.#context.feed, plan);
        return { outcome, written, attempts: this.#attempts };
      }
      await this.#backOff();
    }
  }

  #isTimeUp(): boolean {
    return this.#context.clock.monotonic() >= this.#deadline;
  }

  #timeIsUp(): StoreError {
    return this.#unreachable
      ? new StoreError('unavailable', 'the database did not answer in time')
      : new StoreError('deadline', 'the scope was busy until the time was over');
  }

  /** Undefined = run again. */
  async #load(): Promise<LoadedGroup | undefined> {
    const { connection, id_types, in_place } = this.#context;
    const { db } = connection;
    try {
      return await readSettled(this.#context, async () => {
        const found = await this.#readHead();
        if (found === undefined) {
          await ensureHead(db, this.#scope_id);
          return undefined;
        }
        return loadGroup({ db, id_types, in_place }, this.#group.load, found);
      });
    } catch (error) {
      if (!isTransient(error)) throw toStoreError(error);
      this.#unreachable = isUnreachable(error);
      await this.#backOff();
      return undefined;
    }
  }

  /** The head with the database's time. */
  async #readHead(): Promise<{ head: ScopeHead; now_ms: number } | undefined> {
    const { connection, now_expression } = this.#context;
    const [found] = await engineCollection(connection.db, 'sync_scopes')
      .aggregate<StoredHead & { now: Date }>([
        { $match: { _id: this.#scope_id } },
        { $set: { now: now_expression } },
      ])
      .toArray();
    return found && { head: headFrom(found), now_ms: found.now.getTime() };
  }

  /** True = committed, false = nothing was written and the group runs again. Alone in this process. */
  async #commit(plan: GroupPlan, loaded: LoadedGroup): Promise<boolean> {
    // The log holds one group: an earlier one is dealt with by the next load.
    if (this.#context.state.unfinished) return false;
    const attempt = new Attempt();
    try {
      await this.#check(plan);
      await this.#write(attempt, plan, loaded);
      return true;
    } catch (error) {
      if (attempt.reached !== 'nothing' && (await this.#settle(attempt))) return true;
      return this.#judge(error);
    }
  }

  /**
   * What a unique index of the engine would refuse is looked for before anything is written: nobody
   * else writes here, and a committed group must not be refused.
   */
  async #check(plan: GroupPlan): Promise<void> {
    if (namesTwice(plan)) throw new StoreError('failed', 'a plan names a record twice');
    const { db } = this.#context.connection;
    const { scope_id, head_seq } = plan.head;
    const versions = new Set<string>(plan.rows.map(({ version }) => version));
    if (versions.size > 0) {
      const above = { scope_id, seq: { $gt: head_seq - versions.size } };
      const row = await engineCollection(db, 'sync_oplog').findOne(
        { $or: [{ _id: { $in: [...versions] } }, above] },
        { projection: { _id: 1 } },
      );
      if (row !== null && versions.has(row._id)) {
        throw new StoreError('version_taken', 'a drawn version exists already');
      }
      if (row !== null) throw new StoreError('failed', 'there are rows above the head');
    }
    const keys = plan.receipts.map((receipt) => ({ ...receipt, scope_ids: [receipt.scope_id] }));
    const filter = receiptFilter(keys);
    if (filter === null) return;
    const receipts = engineCollection(db, 'sync_receipts');
    if ((await receipts.findOne(filter, { projection: { _id: 1 } })) !== null) {
      throw new RecordThere();
    }
  }

  async #write(attempt: Attempt, plan: GroupPlan, loaded: LoadedGroup): Promise<void> {
    const { lease, log, id_types } = this.#context;
    const { token } = attempt;
    const writes = planWrites(plan, loaded, id_types);
    const documents = writes.filter(({ change }) => change !== undefined);
    const steps = documentSteps(documents, loaded.bytes, token);
    const records = groupRecords(writes, loaded.snapshot.head);
    await lease.confirm();
    attempt.reached = 'documents';
    await log.prepare({ token, scope_id: this.#scope_id }, steps.undo, records);
    await this.#writeDocuments(token, steps);
    await lease.confirm();
    attempt.reached = 'commit';
    await log.advance(token, 'committed');
    attempt.reached = 'records';
    await log.apply(records);
    await log.finish(token);
  }

  async #writeDocuments(token: string, steps: DocumentSteps): Promise<void> {
    if (steps.marks.length > 0) {
      await this.#run(steps.marks);
      await this.#context.log.advance(token, 'dropping');
    }
    try {
      await this.#run(steps.writes);
    } catch (error) {
      const many = this.#refused.size + 1 === PROBE_AFTER_REFUSED;
      if (!many || !(error instanceof RefusedDocument)) throw error;
      throw new RefusedDocument(error.write, error.code, await this.#probe(steps));
    }
  }

  /** Throws `DocumentMoved` when a guard did not hold, and `RefusedDocument`. */
  async #run(writes: readonly PlannedWrite[]): Promise<void> {
    if (writes.length === 0) return;
    const { connection, lease } = this.#context;
    await lease.confirm();
    let counts: WriteCounts;
    try {
      counts = await runWrites(connection, undefined, writes);
    } catch (thrown) {
      const { error, failed } = failureOf(thrown);
      const write = failed && writes[failed.index];
      if (write === undefined || isServerTrouble(failed?.code ?? 0)) throw error;
      throw await this.#refusal(write, isDuplicateKey(failed as FailedWrite));
    }
    const { inserted, updated, deleted } = expectedCounts(writes);
    const held =
      counts.inserted === inserted && counts.updated === updated && counts.deleted === deleted;
    if (!held) throw new DocumentMoved('a document was not as the plan expected it');
  }

  /** An `_id` that somebody took meanwhile is no refusal: the next attempt sees the document. */
  async #refusal(write: PlannedWrite, duplicate: boolean): Promise<Error> {
    if (duplicate && (await isThere(this.#context.connection.db, write))) {
      return new DocumentMoved('a document that should be new is there');
    }
    return new RefusedDocument(write, duplicate ? 'unique_violation' : 'document_validation');
  }

  /**
   * Finds the refused documents of a group that has many: each is written alone and taken back, and the
   * log still covers them all. A value that is taken counts only where no other write could free it.
   */
  async #probe({ writes, undo }: DocumentSteps): Promise<RefusedChanges> {
    const { db } = this.#context.connection;
    const found = new Map<ChangeRef, RejectionCode>();
    await undoDocuments(db, undo, { dropping: true });
    const freeing = new Set(
      writes.flatMap(({ target, inserted_id }) => (inserted_id === undefined ? target : [])),
    );
    for (const [place, write] of writes.entries()) {
      if ('deleteOne' in write.operation || this.#isTimeUp()) continue;
      const refused = await this.#run([write]).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (refused === undefined) {
        await undoDocuments(db, undo.slice(place, place + 1), { dropping: false });
      } else if (!(refused instanceof RefusedDocument)) {
        if (!(refused instanceof DocumentMoved)) throw refused;
      } else if (refused.code === 'document_validation' || !freeing.has(write.target)) {
        found.set(write.change as ChangeRef, refused.code);
      }
    }
    return found;
  }

  /**
   * Whatever went wrong, the log says what the group has become: completed (true) or taken back. When
   * the database does not answer, whoever comes next asks it first.
   */
  async #settle(attempt: Attempt): Promise<boolean> {
    const { state, log, lease } = this.#context;
    for (;;) {
      try {
        await lease.confirm();
        const recovered = await log.recover();
        return recovered === 'committed' || attempt.reached === 'records';
      } catch (error) {
        if (isTransient(error) && !this.#isTimeUp()) {
          await this.#backOff();
          continue;
        }
        state.unfinished = true;
        if (attempt.reached === 'documents') throw toStoreError(error);
        throw new StoreError('commit_unknown', 'the commit was sent and not confirmed', {
          cause: error,
        });
      }
    }
  }

  /** False when the group may run again; throws what is final. */
  #judge(error: unknown): false {
    if (error instanceof RefusedDocument) {
      this.#refuse(error.write.change as ChangeRef, error.code);
      for (const [other, code] of error.others) {
        if (!this.#refused.has(other)) this.#refused.set(other, code);
      }
      return false;
    }
    if (error instanceof RowTooLarge && error.change !== undefined) {
      return this.#refuse(error.change, 'document_validation');
    }
    if (error instanceof DocumentMoved) return false;
    if (error instanceof RecordThere) {
      this.#duplicates += 1;
      if (this.#duplicates <= DUPLICATES_MAX) return false;
      throw new StoreError('failed', 'the database refused a write of the engine');
    }
    if (error instanceof StoreError || !isTransient(error)) throw toStoreError(error);
    this.#unreachable = isUnreachable(error);
    return false;
  }

  #refuse(change: ChangeRef, code: RejectionCode): false {
    if (this.#refused.has(change)) {
      throw new StoreError('failed', 'a refused change was planned again');
    }
    this.#refused.set(change, code);
    return false;
  }

  async #backOff(): Promise<void> {
    const { clock, random } = this.#context;
    await clock.sleep(random() * Math.min(2 ** this.#attempts, BACKOFF_MAX_MS));
  }
}
