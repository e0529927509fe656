/**
 * One queue per scope and process, with group commit: while one group of a scope commits, the next
 * one gathers. Scopes take turns for a bounded number of commit slots. Nothing waits on purpose [PU-12].
 */

import { SyncError } from '../../protocol/errors.ts';
import {
  COMMIT_SLOTS_MAX,
  GROUP_BYTES_MAX,
  GROUP_CHANGES_MAX,
  GROUP_PUSHES_MAX,
  QUEUE_BYTES_MAX,
  QUEUE_PUSHES_MAX,
  QUEUE_TOTAL_BYTES_MAX,
} from '../../protocol/pure/limits.ts';

/** What the queue needs to know of a waiting push. */
export interface QueueJob {
  readonly changes: number;
  readonly bytes: number;
  /** True when the caller is gone; such a job is dropped unless it has started. */
  isGone(): boolean;
}

/** Outcome of one job of a group. */
export type JobOutcome<R> =
  | { readonly ok: true; readonly value: R }
  | { readonly ok: false; readonly error: unknown };

/** Commits one group. Must settle every job and never throw for one job's fault alone. */
export type GroupRunner<J, R> = (
  scope_id: string,
  jobs: readonly J[],
) => Promise<readonly JobOutcome<R>[]>;

interface Waiting<J, R> {
  readonly job: J;
  resolve(value: R): void;
  reject(error: unknown): void;
}

interface ScopeQueue<J, R> {
  readonly waiting: Waiting<J, R>[];
  bytes: number;
  running: boolean;
}

/** The queues of one process. */
export class CommitQueue<J extends QueueJob, R> {
  readonly #run: GroupRunner<J, R>;
  readonly #scopes = new Map<string, ScopeQueue<J, R>>();
  /** Scopes with waiting jobs and no running group, in order of arrival: round robin. */
  readonly #ready: string[] = [];
  #slots = COMMIT_SLOTS_MAX;
  /** Bytes that wait in all scopes. */
  #bytes = 0;

  constructor(run: GroupRunner<J, R>) {
    this.#run = run;
  }

  /** Pushes that wait in all scopes. */
  get waiting(): number {
    let count = 0;
    for (const queue of this.#scopes.values()) count += queue.waiting.length;
    return count;
  }

  /** Resolves with the job's value once its group is durable. Throws 503 when the scope's queue is full. */
  enqueue(scope_id: string, job: J): Promise<R> {
    const queue = this.#queueOf(scope_id);
    const scopeIsFull = queue.waiting.length >= QUEUE_PUSHES_MAX || queue.bytes >= QUEUE_BYTES_MAX;
    if (scopeIsFull || this.#bytes >= QUEUE_TOTAL_BYTES_MAX) {
      this.#forget(scope_id, queue);
      return Promise.reject(
        new SyncError('service_unavailable', { details: { reason: 'queue_full' } }),
      );
    }
    return new Promise<R>((resolve, reject) => {
      queue.waiting.push({ job, resolve, reject });
      queue.bytes += job.bytes;
      this.#bytes += job.bytes;
      if (!queue.running && queue.waiting.length === 1) this.#ready.push(scope_id);
      this.#kick();
    });
  }

  #queueOf(scope_id: string): ScopeQueue<J, R> {
    let queue = this.#scopes.get(scope_id);
    if (queue === undefined) {
      queue = { waiting: [], bytes: 0, running: false };
      this.#scopes.set(scope_id, queue);
    }
    return queue;
  }

  /** Keeps no entry for a scope without work. */
  #forget(scope_id: string, queue: ScopeQueue<J, R>): void {
    if (queue.waiting.length === 0 && !queue.running) this.#scopes.delete(scope_id);
  }

  #kick(): void {
    while (this.#slots > 0) {
      const scope_id = this.#ready.shift();
      if (scope_id === undefined) return;
      this.#slots -= 1;
      void this.#runGroup(scope_id, this.#queueOf(scope_id));
    }
  }

  async #runGroup(scope_id: string, queue: ScopeQueue<J, R>): Promise<void> {
    queue.running = true;
    const waiting_bytes = queue.bytes;
    const group = takeGroup(queue);
    this.#bytes -= waiting_bytes - queue.bytes;
    try {
      if (group.length > 0) {
        const outcomes = await this.#run(
          scope_id,
          group.map((entry) => entry.job),
        );
        settle(group, outcomes);
      }
    } catch (error) {
      for (const entry of group) entry.reject(error);
    } finally {
      queue.running = false;
      this.#slots += 1;
      if (queue.waiting.length > 0) this.#ready.push(scope_id);
      this.#forget(scope_id, queue);
      this.#kick();
    }
  }
}

/** Takes the next group off a queue: within the group's limits, or one larger push alone. */
function takeGroup<J extends QueueJob, R>(queue: ScopeQueue<J, R>): Waiting<J, R>[] {
  const group: Waiting<J, R>[] = [];
  let changes = 0;
  let bytes = 0;
  for (;;) {
    const next = queue.waiting[0];
    if (next === undefined) break;
    if (next.job.isGone()) {
      queue.waiting.shift();
      queue.bytes -= next.job.bytes;
      next.reject(new SyncError('request_timeout', { details: { reason: 'caller_gone' } }));
      continue;
    }
    const fits =
      group.length < GROUP_PUSHES_MAX &&
      changes + next.job.changes <= GROUP_CHANGES_MAX &&
      bytes + next.job.bytes <= GROUP_BYTES_MAX;
    if (group.length > 0 && !fits) break;
    queue.waiting.shift();
    queue.bytes -= next.job.bytes;
    changes += next.job.changes;
    bytes += next.job.bytes;
    group.push(next);
  }
  return group;
}

function settle<J, R>(group: readonly Waiting<J, R>[], outcomes: readonly JobOutcome<R>[]): void {
  group.forEach((entry, index) => {
    const outcome = outcomes[index];
    if (outcome?.ok) entry.resolve(outcome.value);
    else entry.reject(outcome?.error ?? new Error('the group left a push without an outcome'));
  });
}
