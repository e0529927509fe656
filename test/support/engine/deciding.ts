/** Runs the decision over hand-made snapshots: changes as a client sends them, checked as in a push. */

import { type CheckedChange, checkChanges } from '../../../src/core/push/check-changes.ts';
import { decideGroup } from '../../../src/core/push/decide.ts';
import type { CheckedPush, GroupInput } from '../../../src/core/push/group-input.ts';
import { HybridClock, type VersionSource } from '../../../src/core/hybrid-clock.ts';
import type { Receipt } from '../../../src/core/ports/records.ts';
import type { GroupSnapshot, RefusedChanges } from '../../../src/core/ports/store.ts';
import { type Catalogue, DELETE_POLICIES, RESOLVERS } from '../../../src/core/collections.ts';
import type { Change } from '../../../src/protocol/change.ts';
import { FakeClock, fakeSystem, NOON, sha256 } from './fake-system.ts';
import { ACTOR, catalogue, CLIENT, head, hlc, policy, SCOPE } from './records.ts';

export const DRIFT_MS = 60_000;
export const LIFETIME_MS = 60 * 86_400_000;

/** The collections of these tests. */
export const CATALOGUE = catalogue(
  policy('tasks'),
  policy('notes'),
  policy('owned', { scope_field: ['meta', 'owner'] }),
  policy('fixed', { scope: SCOPE }),
);

/** Those, and one collection per delete policy and resolver, named after both. */
const EVERY_POLICY: Catalogue = catalogue(
  ...CATALOGUE.values(),
  ...DELETE_POLICIES.flatMap((delete_policy) =>
    RESOLVERS.map((resolver) =>
      policy(`${delete_policy} ${resolver}`, { delete_policy, resolver }),
    ),
  ),
);

/** A change of `tasks/t1`, an upsert unless told otherwise. */
export function change(fields: Partial<Change> = {}): Partial<Change> {
  return {
    collection: 'tasks',
    operation: 'upsert',
    doc_id: 't1',
    data: { title: 'sent' },
    ...fields,
  };
}

/** Checks changes as a push does. */
export function checked(
  changes: readonly unknown[],
  options: { readonly catalogue?: Catalogue; readonly max_document_bytes?: number } = {},
): readonly CheckedChange[] {
  return checkChanges(changes, {
    catalogue: options.catalogue ?? EVERY_POLICY,
    scope_id: SCOPE,
    max_document_bytes: options.max_document_bytes ?? 1_048_576,
    digest: sha256,
    mayPush: (name) => name !== 'forbidden',
  });
}

/** A checked push of `changes`. */
export function push(
  changes: readonly unknown[],
  fields: Partial<Omit<CheckedPush, 'changes'>> = {},
): CheckedPush {
  return {
    origin: 'push',
    scope_id: SCOPE,
    scope_ids: [SCOPE],
    actor_id: ACTOR,
    client_id: CLIENT,
    atomic: 'partial',
    changes: checked(changes),
    ...fields,
  };
}

/** The stored answer of a change as the engine would have written it. */
export function receipt(fields: Partial<Change>, result: Partial<Receipt['result']> = {}): Receipt {
  const [sent] = checked([change(fields)]);
  if (sent?.kind !== 'admitted') throw new Error('a receipt needs a change that can be decided');
  return {
    scope_id: SCOPE,
    actor_id: ACTOR,
    client_id: CLIENT,
    mutation_id: String(fields.mutation_id),
    hash: sent.mutation_hash,
    collection: sent.collection,
    doc_id: sent.doc_id,
    result: {
      status: 'accepted',
      resolution: 'applied',
      new_version: hlc(-10_000),
      server_version: null,
      bundle_seq: 4,
      ...result,
    },
    at_ms: NOON - 10_000,
  };
}

/** A snapshot at noon over a head ten seconds older. */
export function snapshot(fields: Partial<GroupSnapshot> = {}): GroupSnapshot {
  return {
    head: head(hlc(-10_000)),
    now_ms: NOON,
    receipts: [],
    tombstones: [],
    documents: [],
    parents: [],
    floor: undefined,
    ...fields,
  };
}

/** Versions as a process would draw them over the snapshot. */
export function versionsOver(over: GroupSnapshot): VersionSource {
  const clock = new HybridClock(fakeSystem(new FakeClock()), 'test');
  return clock.versions(over.head, over.now_ms);
}

/** The whole input of a decision. */
export function groupInput(
  pushes: readonly CheckedPush[],
  over: GroupSnapshot,
  refused: RefusedChanges = new Map(),
): GroupInput {
  return {
    scope_id: SCOPE,
    pushes,
    snapshot: over,
    refused,
    versions: versionsOver(over),
    catalogue: EVERY_POLICY,
    digest: sha256,
    settings: { max_clock_drift_ms: DRIFT_MS, receipt_lifetime_ms: LIFETIME_MS },
  };
}

/** Decides pushes over a snapshot. */
export function decide(
  pushes: readonly CheckedPush[],
  over: GroupSnapshot = snapshot(),
  refused: RefusedChanges = new Map(),
) {
  return decideGroup(groupInput(pushes, over, refused));
}

/** Decides one change and gives back its result beside the plan. */
export function decideOne(
  fields: Partial<Change>,
  over: Partial<GroupSnapshot> = {},
  pushFields: Partial<Omit<CheckedPush, 'changes'>> = {},
) {
  const { plan, outcome } = decide([push([change(fields)], pushFields)], snapshot(over));
  const [only] = outcome;
  const [result] = only!.results;
  return { plan, outcome: only!, result: result! };
}
