/**
 * Decides a group of pushes over what the store holds. Pure: the same inputs give the same plan, so
 * a repeated attempt is a fresh run [CR-1]. All policy of push stands here and in `conflict/`.
 */

import type { ChangeResult } from '../../protocol/change.ts';
import type { ChangeRef, Decision } from '../ports/store.ts';
import type { AdmittedChange } from './check-changes.ts';
import { decideChange } from './decide-change.ts';
import { initialStates } from './document-state.ts';
import type { CheckedPush, GroupInput, PushOutcome } from './group-input.ts';
import { GroupDraft, PushDraft, receiptOwner } from './push-draft.ts';
import { rejection } from './results.ts';
import { BundleSealer } from './seal-bundle.ts';
import { planGroup } from './plan-group.ts';

/** Walks the pushes in order, each on top of the one before. */
export function decideGroup(input: GroupInput): Decision<readonly PushOutcome[]> {
  const { snapshot } = input;
  const group = new GroupDraft(initialStates(snapshot, input.scope_id, input), snapshot.receipts);
  const sealer = new BundleSealer(snapshot.head);
  const outcome = input.pushes.map((push, place) =>
    decidePush(input, place, { group, sealer, push }),
  );
  const { catalogue } = input;
  const decided = { group, sealer, now_ms: snapshot.now_ms, catalogue };
  return { plan: planGroup(input.scope_id, decided), outcome };
}

interface PushWork {
  readonly group: GroupDraft;
  readonly sealer: BundleSealer;
  readonly push: CheckedPush;
}

function decidePush(input: GroupInput, place: number, work: PushWork): PushOutcome {
  const { group, sealer, push } = work;
  const draft = new PushDraft(group);
  const results = push.changes.map((change) => {
    if (change.kind === 'rejected') return rejection(change, change.code, change.issues);
    const ref: ChangeRef = `${place}:${change.index}`;
    return decideChange(change, { input, push, draft, ref });
  });
  if (push.atomic === 'bundle' && results.some((result) => result.status === 'rejected')) {
    return rolledBack(push, results, (mutation_id) =>
      draft.isStored({ ...receiptOwner(push), mutation_id }),
    );
  }
  const bundle_seq = sealer.seal(draft.rows);
  draft.keep(bundle_seq);
  return {
    results,
    bundle_seq,
    rolled_back: false,
    rows: draft.rows.length,
    conflicts: draft.conflicts.map(({ collection, doc_id, winner }) => ({
      collection,
      doc_id,
      winner,
    })),
  };
}

/**
 * Bundle mode with a rejection: the culprits keep their codes, the others say why nothing was stored.
 * A repeat keeps its answer only when the mutation is stored: a second copy inside this very push
 * goes with the first.
 */
export function rolledBack(
  push: CheckedPush,
  results: readonly ChangeResult[],
  isStored: (mutation_id: string) => boolean,
): PushOutcome {
  const keeps = ({ status, duplicate, mutation_id }: ChangeResult) =>
    status === 'rejected' || (duplicate && mutation_id !== null && isStored(mutation_id));
  return {
    results: results.map((result, index) =>
      keeps(result)
        ? result
        : rejection(push.changes[index] as AdmittedChange, 'batch_rolled_back'),
    ),
    bundle_seq: null,
    rolled_back: true,
    rows: 0,
    conflicts: [],
  };
}
