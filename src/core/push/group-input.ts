/** What the decision of a group depends on, and what it gives back per push. */

import type { ChangeResult } from '../../protocol/change.ts';
import type { Digest } from '../../protocol/pure/hash.ts';
import type { Catalogue } from '../collections.ts';
import type { VersionSource } from '../hybrid-clock.ts';
import type { Origin } from '../ports/records.ts';
import type { GroupSnapshot, RefusedChanges } from '../ports/store.ts';
import type { ConflictFact } from '../ports/telemetry.ts';
import type { CheckedChange } from './check-changes.ts';

/** Who pushes: a device, or the application's own back end. */
export type PushOrigin = Extract<Origin, 'push' | 'server'>;

/** A push whose changes were checked. */
export interface CheckedPush {
  /** A change of `server` that names no parent holds over whatever is current [SW-4]. */
  readonly origin: PushOrigin;
  readonly scope_id: string;
  /** Every scope the identity holds: receipts are looked up over all of them. */
  readonly scope_ids: readonly string[];
  readonly actor_id: string;
  readonly client_id: string;
  readonly atomic: 'partial' | 'bundle';
  readonly changes: readonly CheckedChange[];
}

/** Settings that decisions depend on. */
export interface DecideSettings {
  readonly max_clock_drift_ms: number;
  readonly receipt_lifetime_ms: number;
}

/** Everything a decision depends on. */
export interface GroupInput {
  readonly scope_id: string;
  readonly pushes: readonly CheckedPush[];
  readonly snapshot: GroupSnapshot;
  readonly refused: RefusedChanges;
  readonly versions: VersionSource;
  readonly catalogue: Catalogue;
  readonly digest: Digest;
  readonly settings: DecideSettings;
}

/** What became of one push. */
export interface PushOutcome {
  readonly results: readonly ChangeResult[];
  readonly bundle_seq: number | null;
  readonly rolled_back: boolean;
  readonly rows: number;
  readonly conflicts: readonly ConflictFact[];
}
