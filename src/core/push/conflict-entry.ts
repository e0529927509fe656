/** The record of a conflict, so that its losing side is kept [CR-10]. Pure. */

import { canonicalJson } from '../../protocol/pure/canonical-json.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { ConflictEntry } from '../ports/records.ts';
import type { AdmittedChange } from './check-changes.ts';
import type { DeletedState, LiveState } from './document-state.ts';
import type { CheckedPush, GroupInput } from './group-input.ts';

/** Both sides of a conflict; the loser's payload lives here. Its id is the same on every repeat. */
export function conflictEntry(
  change: AdmittedChange,
  state: LiveState | DeletedState,
  of: {
    readonly push: CheckedPush;
    readonly input: GroupInput;
    readonly stamp: Hlc | null;
    readonly wins: boolean;
  },
): ConflictEntry {
  const { push, input } = of;
  const identity = canonicalJson([
    push.scope_id,
    push.actor_id,
    push.client_id,
    change.mutation_id ?? change.mutation_hash,
    change.collection,
    change.doc_id,
    state.version,
  ]);
  const deleted = state.kind === 'deleted';
  return {
    conflict_id: input.digest(identity).slice(0, 32),
    scope_id: push.scope_id,
    collection: change.collection,
    doc_id: change.doc_id,
    conflict_type: deleted
      ? 'deleted_remote'
      : change.operation === 'delete'
        ? 'deleted_local'
        : 'modified_both',
    winner: of.wins ? 'incoming' : 'current',
    actor_id: push.actor_id,
    client_id: push.client_id,
    mutation_id: change.mutation_id,
    parent_version: change.parent_version,
    local: {
      operation: change.operation,
      data: change.data,
      version: null,
      change_version: of.stamp,
      client_id: push.client_id,
    },
    remote: {
      operation: deleted ? 'delete' : 'upsert',
      data: deleted ? null : state.data,
      version: state.version,
      change_version: state.change_version,
      client_id: state.client_id,
    },
    at_ms: input.snapshot.now_ms,
  };
}
