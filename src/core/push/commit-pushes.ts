/** Commits one group of pushes through the store, and its members singly when the group cannot. */

import { type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import { commitDecision, timeIsOver } from '../commit-decision.ts';
import type { EngineCore } from '../parts.ts';
import type { ScopeHead } from '../ports/records.ts';
import { type Committed, type GroupLoad, type ReceiptKey, StoreError } from '../ports/store.ts';
import { asSyncError } from '../store-failure.ts';
import type { JobOutcome, QueueJob } from './commit-queue.ts';
import { decideGroup } from './decide.ts';
import type { CheckedPush, PushOutcome } from './group-input.ts';
import { receiptKeys } from './receipts.ts';

/** A push that waits for its group. */
export interface PushJob extends QueueJob {
  readonly push: CheckedPush;
  /** Monotonic time by which it must be committed, ms. */
  readonly deadline_at: number;
}

/** A push with its outcome and the head after its group. */
export interface PushSettled {
  readonly outcome: PushOutcome;
  readonly head: Hlc;
  readonly head_bundle_seq: number;
}

/**
 * Commits the jobs as one group. Settles every job; never throws for one of them. A job whose time is
 * over is answered alone: under load the group behind it must not fall apart.
 */
export async function commitPushes(
  core: EngineCore,
  scope_id: string,
  jobs: readonly PushJob[],
): Promise<readonly JobOutcome<PushSettled>[]> {
  const now = core.system.clock.monotonic();
  const inTime = jobs.filter((job) => job.deadline_at > now);
  const settled = inTime.length === 0 ? [] : await commitInTime(core, scope_id, inTime);
  const outcomes = new Map(inTime.map((job, index) => [job, settled[index]]));
  return jobs.map((job) => outcomes.get(job) ?? { ok: false, error: timeIsOver() });
}

async function commitInTime(
  core: EngineCore,
  scope_id: string,
  jobs: readonly PushJob[],
): Promise<readonly JobOutcome<PushSettled>[]> {
  try {
    return await commitOnce(core, scope_id, jobs);
  } catch (error) {
    if (jobs.length === 1 || !worthSplitting(error)) {
      return jobs.map(() => ({ ok: false, error: asSyncError(error) }));
    }
  }
  const outcomes: JobOutcome<PushSettled>[] = [];
  for (const job of jobs) outcomes.push(...(await commitPushes(core, scope_id, [job])));
  return outcomes;
}

/**
 * A group that failed as a whole may hold one push at fault (a full disk has room for the small
 * ones). Not after an unknown commit, which may have stored it all, and not when time is over.
 */
function worthSplitting(error: unknown): boolean {
  return !(
    error instanceof StoreError && ['commit_unknown', 'deadline', 'locked'].includes(error.kind)
  );
}

async function commitOnce(
  core: EngineCore,
  scope_id: string,
  jobs: readonly PushJob[],
): Promise<readonly JobOutcome<PushSettled>[]> {
  const pushes = jobs.map((job) => job.push);
  const committed = await commitDecision<GroupDone>(core, scope_id, {
    load: loadOf(pushes),
    // The newest job's time, so that one that waited long does not cut short the whole group.
    deadline_at: Math.max(...jobs.map((job) => job.deadline_at)),
    decide: ({ snapshot, refused, versions }) => {
      const { plan, outcome } = decideGroup({
        scope_id,
        pushes,
        snapshot,
        refused,
        versions,
        catalogue: core.catalogue,
        digest: core.system.crypto.sha256,
        settings: {
          max_clock_drift_ms: core.limits.max_clock_drift_ms,
          receipt_lifetime_ms: core.receipt_lifetime_ms,
        },
      });
      return { plan, outcome: { outcome, head: plan.head, now_ms: snapshot.now_ms } };
    },
  });
  return report(core, scope_id, committed);
}

interface GroupDone {
  readonly outcome: readonly PushOutcome[];
  readonly head: ScopeHead;
  readonly now_ms: number;
}

/** Events leave only here, after the commit, once per group however many attempts it took. */
function report(
  core: EngineCore,
  scope_id: string,
  committed: Committed<GroupDone>,
): readonly JobOutcome<PushSettled>[] {
  const { outcome, head, now_ms } = committed.outcome;
  core.telemetry.emit({
    event: 'group.committed',
    scope_id,
    pushes: outcome.length,
    rows: outcome.reduce((sum, push) => sum + push.rows, 0),
    attempts: committed.attempts,
    head: head.head_version,
    head_lead_ms: head.hlc_p - now_ms,
  });
  return outcome.map((push) => ({
    ok: true,
    value: {
      outcome: push,
      head: head.head_version || ZERO_HLC,
      head_bundle_seq: head.head_bundle_seq,
    },
  }));
}

function loadOf(pushes: readonly CheckedPush[]): GroupLoad {
  const receipts: ReceiptKey[] = pushes.flatMap((push) => receiptKeys(push));
  const documents = pushes.flatMap((push) =>
    push.changes.flatMap((change) =>
      change.kind === 'admitted'
        ? [
            {
              collection: change.collection,
              doc_id: change.doc_id,
              parent_version: change.parent_version,
            },
          ]
        : [],
    ),
  );
  return { receipts, documents };
}
