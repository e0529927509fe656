/**
 * Content that a foreign writer left under an unchanged version becomes a row of its own, so that
 * clients hear of it and a later change is resolved against it, never over it [CR-9]. Pure.
 */

import { type Hlc, parseHlc } from '../../protocol/pure/hlc.ts';
import type { Origin } from '../ports/records.ts';
import type { DocumentKey } from '../ports/store.ts';
import type { LiveState } from '../push/document-state.ts';
import type { RowDraft } from '../push/push-draft.ts';

/** What a foreign write becomes. */
export interface AdoptedWrite {
  readonly row: RowDraft;
  readonly state: LiveState;
}

/** The row and the new state of a document whose stored content is not the engine's. */
export function adoptContent(
  key: DocumentKey,
  state: LiveState,
  as: { readonly version: Hlc; readonly origin: Origin; readonly actor_id?: string | null },
): AdoptedWrite {
  const { version, actor_id = null } = as;
  const { data } = state;
  const parent_version = parentOf(state.version);
  return {
    row: { ...rowOf(key, as), operation: 'upsert', data, parent_version },
    state: {
      ...state,
      version,
      change_version: version,
      actor_id,
      client_id: null,
      foreign: false,
      as_stored: true,
    },
  };
}

/** The row of a document that a foreign writer deleted, or that left the scope. */
export function goneRow(
  key: DocumentKey,
  as: {
    readonly version: Hlc;
    readonly origin: Origin;
    readonly actor_id?: string | null;
    readonly operation: 'delete' | 'remove';
    readonly parent_version: Hlc | null;
  },
): RowDraft {
  const { operation } = as;
  const parent_version = parentOf(as.parent_version);
  return { ...rowOf(key, as), operation, data: null, parent_version };
}

/**
 * The row of a document whose content is too large for one: clients read the collection anew and get
 * it there, under the version of this row [FW-9].
 */
export function barrierRow(
  key: DocumentKey,
  as: { readonly version: Hlc; readonly origin: Origin; readonly actor_id?: string | null },
): RowDraft {
  const row = { ...rowOf(key, as), doc_id: null };
  return { ...row, operation: 'reset', data: null, parent_version: null };
}

/** Anybody may have written the field: what is no version never reaches a client. */
function parentOf(version: Hlc | null): Hlc | null {
  return version === null || parseHlc(version) === undefined ? null : version;
}

function rowOf(
  { collection, doc_id }: DocumentKey,
  {
    version,
    origin,
    actor_id = null,
  }: { readonly version: Hlc; readonly origin: Origin; readonly actor_id?: string | null },
) {
  return {
    version,
    collection,
    doc_id,
    typed: null,
    actor_id,
    client_id: null,
    mutation_id: null,
    change_version: version,
    origin,
  };
}
