/** Commits one decision through the store, with a new node id whenever a drawn version was taken. */

import { VERSION_TAKEN_RETRIES_MAX } from '../protocol/pure/limits.ts';
import { SyncError } from '../protocol/errors.ts';
import type { VersionSource } from './hybrid-clock.ts';
import type { EngineCore } from './parts.ts';
import {
  type Committed,
  type Decision,
  type GroupLoad,
  type GroupSnapshot,
  type RefusedChanges,
  StoreError,
} from './ports/store.ts';

/** What a decision is made over, with versions above the head to draw from. */
export interface DecisionInput {
  readonly snapshot: GroupSnapshot;
  readonly refused: RefusedChanges;
  readonly versions: VersionSource;
}

/** The work of one commit. `deadline_at` is monotonic time, ms. */
export interface DecisionWork<T> {
  readonly load: GroupLoad;
  readonly deadline_at: number;
  /** Pure; may run several times. */
  decide(input: DecisionInput): Decision<T>;
}

/** Commits. Throws what the store throws, and 503 `deadline` when the time is over. */
export async function commitDecision<T>(
  core: Pick<EngineCore, 'store' | 'hybridClock' | 'system'>,
  scope_id: string,
  work: DecisionWork<T>,
): Promise<Committed<T>> {
  return withFreshVersions(core, work.deadline_at, (budget_ms) =>
    core.store.commitGroup<T>(scope_id, {
      load: work.load,
      budget_ms,
      decide: (snapshot, refused) =>
        work.decide({
          snapshot,
          refused,
          versions: core.hybridClock.versions(snapshot.head, snapshot.now_ms),
        }),
    }),
  );
}

/** Runs work again with a new node id whenever a version that it drew was taken. */
export async function withFreshVersions<T>(
  core: Pick<EngineCore, 'hybridClock' | 'system'>,
  deadline_at: number,
  work: (budget_ms: number) => Promise<T>,
): Promise<T> {
  for (let taken = 0; ; taken += 1) {
    const budget_ms = deadline_at - core.system.clock.monotonic();
    if (budget_ms <= 0) throw timeIsOver();
    try {
      return await work(budget_ms);
    } catch (error) {
      const again = error instanceof StoreError && error.kind === 'version_taken';
      if (!again || taken >= VERSION_TAKEN_RETRIES_MAX) throw error;
      core.hybridClock.drawNode();
    }
  }
}

/** The answer to work whose time is over. */
export function timeIsOver(): SyncError {
  return new SyncError('service_unavailable', { details: { reason: 'deadline' } });
}
