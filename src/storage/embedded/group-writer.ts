/**
 * Commits groups: load under the write lock, decide on this thread, write. Groups of all scopes
 * take turns in the order of their calls, because the file has one writer.
 */

import { isEmptyPlan } from '../../core/ports/group-rules.ts';
import {
  type CommitGroup,
  type Committed,
  type Decision,
  StoreError,
} from '../../core/ports/store.ts';
import { LocalFeed } from '../../core/ports/local-feed.ts';
import type { ScopeHead } from '../../core/ports/records.ts';
import type { Clock } from '../../core/ports/system.ts';
import { decodeSnapshot, decodeWritten } from './decode-rows.ts';
import { encodeLoad, encodePlan } from './encode-plan.ts';
import { FatalError, RetryError } from './group-transaction.ts';
import type { LoadedMessage, LoadMessage, WriterTasks } from './messages.ts';
import type { WorkerLink } from './worker-link.ts';

/** Longest pause between two attempts, ms. */
const PAUSE_MAX_MS = 20;

/** Owner of the writer thread's transactions. */
export class GroupWriter {
  readonly #writer: WorkerLink<WriterTasks>;
  readonly #clock: Clock;
  readonly #onFatal: ((error: Error) => void) | undefined;
  /** Hears of every group right after its commit. */
  readonly feed = new LocalFeed();
  #stopped = false;

  constructor(
    writer: WorkerLink<WriterTasks>,
    options: { readonly clock: Clock; readonly onFatal?: (error: Error) => void },
  ) {
    this.#writer = writer;
    this.#clock = options.clock;
    this.#onFatal = options.onFatal;
  }

  /** Refuses all later writes and tells the process that it should end. */
  stop(error: Error): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.feed.end('Writing has stopped after a failure of the disk.');
    this.#onFatal?.(error);
  }

  /** Throws `StoreError` `unavailable` once writing has stopped. */
  assertWriting(): void {
    if (this.#stopped) {
      throw new StoreError('unavailable', 'Writing has stopped after a failure of the disk.');
    }
  }

  /** Runs the group until it is durable, refused, or out of time. */
  async commit<T>(scope_id: string, group: CommitGroup<T>): Promise<Committed<T>> {
    if (group.budget_ms <= 0) throw new StoreError('deadline', 'The group has no time left.');
    const deadline = this.#clock.monotonic() + group.budget_ms;
    const load = encodeLoad(scope_id, group.load);
    for (let attempts = 1; ; attempts += 1) {
      this.assertWriting();
      try {
        const { outcome, written } = await this.#attempt({ load, group, deadline });
        return { outcome, written, attempts };
      } catch (error) {
        if (error instanceof FatalError) this.#fail(error);
        if (!(error instanceof RetryError)) throw error;
        await this.#pause(attempts, deadline, error);
      }
    }
  }

  #fail(error: FatalError): never {
    this.stop(error);
    throw new StoreError('commit_unknown', error.message, { cause: error });
  }

  async #pause(attempts: number, deadline: number, cause: RetryError): Promise<void> {
    const pause = Math.min(2 ** attempts, PAUSE_MAX_MS);
    if (this.#clock.monotonic() + pause >= deadline) {
      throw new StoreError('deadline', 'The group ran out of time.', { cause });
    }
    await this.#clock.sleep(pause);
  }

  async #attempt<T>(run: {
    readonly load: LoadMessage;
    readonly group: CommitGroup<T>;
    readonly deadline: number;
  }): Promise<{ readonly outcome: T; readonly written: boolean }> {
    const loaded = await this.#writer.call('load', run.load);
    const { scope_id } = run.load;
    const decided = await this.#decide(scope_id, loaded, run);
    if (isEmptyPlan(decided.plan)) {
      await this.#writer.call('abort', null);
      return { outcome: decided.outcome, written: false };
    }
    await this.#writer.call('write', decided.message);
    this.feed.tell(scope_id, () => decodeWritten(decided.message.rows));
    return { outcome: decided.outcome, written: true };
  }

  /** A bug in `decide` or in its plan must not leave the transaction open. */
  async #decide<T>(
    scope_id: string,
    loaded: LoadedMessage,
    { group, deadline }: { readonly group: CommitGroup<T>; readonly deadline: number },
  ): Promise<Decision<T> & { readonly message: WriterTasks['write']['takes'] }> {
    try {
      if (this.#clock.monotonic() >= deadline) {
        throw new StoreError('deadline', 'The group waited too long for its turn.');
      }
      const snapshot = decodeSnapshot(scope_id, loaded, this.#clock.now());
      const head: ScopeHead = snapshot.head;
      const decided = group.decide(snapshot, new Map());
      const decision = decided instanceof Promise ? await decided : decided;
      return { ...decision, message: encodePlan(scope_id, decision.plan, head) };
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  /** A thread that is gone has no open transaction; its end is told elsewhere. */
  async #abandon(): Promise<void> {
    await this.#writer.call('abort', null).catch(() => null);
  }
}
