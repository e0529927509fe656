/** Decides one change over the document as the changes before it left it. Pure. */

import type { ChangeResult } from '../../protocol/change.ts';
import { compareHlc, type Hlc, parseHlc } from '../../protocol/pure/hlc.ts';
import { type Detected, detect } from '../conflict/detect.ts';
import { effectiveStamp, lastWriterWins } from '../conflict/last-writer-wins.ts';
import { resolveConflict } from '../conflict/resolver.ts';
import { adoptContent, goneRow } from '../foreign/external-row.ts';
import { invariant } from '../invariant.ts';
import type { Receipt, StoredResult } from '../ports/records.ts';
import type { ChangeRef } from '../ports/store.ts';
import type { AdmittedChange } from './check-changes.ts';
import { conflictEntry } from './conflict-entry.ts';
import type { CheckedPush, GroupInput } from './group-input.ts';
import type { DeletedState, DocumentState, LiveState, SoftDeletedState } from './document-state.ts';
import { type PushDraft, receiptOwner, type RowDraft } from './push-draft.ts';
import { effectResult, rejection } from './results.ts';

/** Where a change stands: the group's input, its push, and what was decided before it. */
export interface ChangePlace {
  readonly input: GroupInput;
  readonly push: CheckedPush;
  readonly draft: PushDraft;
  readonly ref: ChangeRef;
}

type Comparable = LiveState | DeletedState | { readonly kind: 'absent' };

/** The answer to the change; its effects go into the draft. */
export function decideChange(change: AdmittedChange, place: ChangePlace): ChangeResult {
  const known = knownReceipt(change, place);
  if (known !== undefined) return repeated(change, known, place);
  const refusal = refuse(change, place);
  if (refusal !== undefined) return rejection(change, refusal);
  const state = comparable(change, place);
  const current = state.kind === 'absent' ? null : state.version;
  const lineage = place.draft.continuesLineage(change, current);
  const parent = parentOf(change, place);
  const { operation, content_hash } = change;
  const creates = parent === null && change.parent_mutation_id === null;
  const authority = place.push.origin === 'server' && parent === null ? place.push.client_id : null;
  const sent = { operation, content_hash, parent, lineage, creates, authority };
  const detected = detect(sent, state);
  const stamp = stampOf(change, state, { place, lineage, parent });
  return carryOut(change, { place, state, detected, stamp });
}

function knownReceipt(change: AdmittedChange, { push, draft }: ChangePlace): Receipt | undefined {
  if (change.mutation_id === null) return undefined;
  return draft.receipt({ ...receiptOwner(push), mutation_id: change.mutation_id });
}

/**
 * A mutation that was answered before: the stored result, with the document read again. It keeps its
 * place in the lineage, because a client that missed the answer repeats it with newer edits behind it.
 */
function repeated(change: AdmittedChange, receipt: Receipt, place: ChangePlace): ChangeResult {
  if (receipt.hash !== change.mutation_hash) return rejection(change, 'mutation_id_reused');
  if (receipt.result.resolution === 'current') place.draft.breakLineage(change);
  else place.draft.extendLineage(change, receipt.result.new_version);
  const state = place.draft.state(change.collection, change.doc_id);
  const data = state.kind === 'live' ? state.data : null;
  return effectResult(change, receipt.result, {
    duplicate: true,
    ...(receipt.result.resolution === 'current' ? { data } : {}),
  });
}

function refuse(change: AdmittedChange, { input, draft, ref }: ChangePlace) {
  const refused = input.refused.get(ref);
  if (refused !== undefined) return refused;
  const { now_ms, head } = input.snapshot;
  const { receipt_lifetime_ms, max_clock_drift_ms } = input.settings;
  // A head ahead of the clock (which was set back) has handed out such versions itself.
  const newest_ms = Math.max(now_ms, head.hlc_p) + max_clock_drift_ms;
  if (timeOf(change.change_version) < now_ms - receipt_lifetime_ms) return 'mutation_too_old';
  if (change.parent_version && timeOf(change.parent_version) > newest_ms) return 'hlc_invalid';
  const state = draft.state(change.collection, change.doc_id);
  if (state.kind === 'unavailable') return 'id_unavailable';
  if (state.kind === 'read_only') return 'document_validation';
  return undefined;
}

/** Physical part, ms; an absent version is never too old. */
function timeOf(version: Hlc | null): number {
  if (version === null) return Number.POSITIVE_INFINITY;
  const parts = parseHlc(version);
  invariant(parts !== undefined, 'versions of a checked change are well-formed');
  return parts.p;
}

/** The state to compare with: foreign content logged first, evidence of a deletion respected. */
function comparable(change: AdmittedChange, place: ChangePlace): Comparable {
  const state = place.draft.state(change.collection, change.doc_id);
  invariant(state.kind !== 'unavailable' && state.kind !== 'read_only', 'refused before');
  if (state.kind === 'live' && state.foreign) return adopt(change, state, place);
  if (state.kind === 'soft_deleted') return logDeletion(change, state, place);
  if (state.kind === 'absent' && wasDeleted(change, place)) {
    return { kind: 'deleted', version: null, change_version: null, client_id: null };
  }
  return state;
}

/**
 * A document whose content differs from what the engine wrote under its version was changed by a
 * foreign writer. Its content becomes a row of its own first, so that the change is resolved against
 * it and never overwrites it silently [CR-9].
 */
function adopt(change: AdmittedChange, state: LiveState, place: ChangePlace): LiveState {
  const version = place.input.versions.next();
  const adopted = adoptContent(change, state, { version, origin: 'external' });
  place.draft.rows.push(adopted.row);
  touch(change, adopted.state, place);
  return adopted.state;
}

/** The same for a document that the application marked as deleted: its deletion is logged first [TB-3]. */
function logDeletion(
  change: AdmittedChange,
  { version: parent_version }: SoftDeletedState,
  place: ChangePlace,
): DeletedState {
  const version = place.input.versions.next();
  const as = { version, origin: 'external', operation: 'delete', parent_version } as const;
  place.draft.rows.push(goneRow(change, as));
  const deleted = { kind: 'deleted', version, change_version: version, client_id: null } as const;
  touch(change, deleted, place);
  return deleted;
}

/**
 * Whether an absent document that a change names a parent for was deleted: a retained row of it
 * proves it, or the parent is older than anything retained, so that a stale device cannot bring a
 * long-deleted document back unnoticed [CR-8].
 */
function wasDeleted(change: AdmittedChange, { input }: ChangePlace): boolean {
  const parent = change.parent_version;
  if (parent === null) return false;
  const { parents, floor, head } = input.snapshot;
  const row = parents.find((candidate) => candidate.version === parent);
  if (row?.collection === change.collection && row.doc_id === change.doc_id) return true;
  if (floor === undefined) return false;
  return floor === null
    ? compareHlc(parent, head.head_version) <= 0
    : compareHlc(parent, floor) < 0;
}

/** The version the edit was made on: its `parent_mutation_id`'s row where that is known, else as sent. */
function parentOf(change: AdmittedChange, { push, draft }: ChangePlace): Hlc | null {
  if (change.parent_mutation_id === null) return change.parent_version;
  const mutation_id = change.parent_mutation_id;
  const receipt = draft.receipt({ ...receiptOwner(push), mutation_id });
  const same = receipt?.collection === change.collection && receipt.doc_id === change.doc_id;
  return (same ? receipt.result.new_version : null) ?? change.parent_version;
}

interface StampInput {
  readonly place: ChangePlace;
  readonly lineage: boolean;
  readonly parent: Hlc | null;
}

/** The stamp that counts, or null when the change carried none. */
function stampOf(change: AdmittedChange, state: Comparable, of: StampInput): Hlc | null {
  if (change.change_version === null) return null;
  const { input } = of.place;
  return effectiveStamp(change.change_version, {
    now_ms: input.snapshot.now_ms,
    max_clock_drift_ms: input.settings.max_clock_drift_ms,
    parent_stamp: parentStamp(change, state, of),
  });
}

function parentStamp(change: AdmittedChange, state: Comparable, of: StampInput): Hlc | null {
  const current = state.kind === 'absent' ? null : state;
  if (current !== null && (of.lineage || of.parent === current.version)) {
    return current.change_version;
  }
  const row = of.place.input.snapshot.parents.find((candidate) => candidate.version === of.parent);
  const own = row?.collection === change.collection && row.doc_id === change.doc_id;
  if (own) return row.change_version ?? row.version;
  // A version from a receipt is the time of that push, not of the edit: no measure for a stamp. The
  // client's own clock keeps its edits in order.
  return of.parent === change.parent_version ? of.parent : null;
}

interface Verdict {
  readonly place: ChangePlace;
  readonly state: Comparable;
  readonly detected: Detected;
  readonly stamp: Hlc | null;
}

function carryOut(change: AdmittedChange, verdict: Verdict): ChangeResult {
  const { place, state, detected, stamp } = verdict;
  if (detected === 'noop') return keepAsItIs(change, verdict);
  if (detected === 'take') {
    return written(change, write(change, verdict), { place, resolution: 'applied' });
  }
  invariant(state.kind !== 'absent', 'an absent document meets no conflict');
  const outcome = judge(change, state, verdict);
  if (outcome === 'refused') return rejection(change, 'update_rejected');
  const { push, input } = place;
  const wins = outcome === 'incoming';
  place.draft.addConflict(conflictEntry(change, state, { push, input, stamp, wins }));
  if (wins) return written(change, write(change, verdict), { place, resolution: 'incoming' });
  place.draft.breakLineage(change);
  const lost = {
    status: 'conflict_resolved',
    resolution: 'current',
    new_version: null,
    // A deletion that only evidence proves has no version any more: the newest that is known of it.
    server_version: state.version ?? change.parent_version,
  } as const;
  addReceipt(change, lost, place);
  return effectResult(change, lost, { data: state.kind === 'live' ? state.data : null });
}

/** Asks the collection's policies who wins. */
function judge(
  change: AdmittedChange,
  state: LiveState | DeletedState,
  { place, detected, stamp }: Verdict,
) {
  const policy = place.input.catalogue.get(change.collection);
  invariant(policy !== undefined, 'an admitted change has a collection');
  const deleted = state.kind === 'deleted';
  return resolveConflict(
    {
      operation: change.operation,
      deleted,
      stale: detected === 'stale',
      incoming: { stamp, client_id: place.push.client_id, hash: change.content_hash },
      current: {
        stamp: state.change_version,
        client_id: state.client_id ?? '',
        hash: deleted ? '' : state.hash,
      },
    },
    policy,
  );
}

/**
 * Same content, or a delete of a deleted document: no row. The later stamp stays with the document,
 * because a third edit between the two stamps must lose whatever order the three arrive in [CR-4].
 */
function keepAsItIs(change: AdmittedChange, { place, state, stamp }: Verdict): ChangeResult {
  invariant(state.kind !== 'absent', 'an absent document has no content to keep');
  const client_id = place.push.client_id;
  const current = state.change_version;
  place.draft.extendLineage(change, state.version);
  if (stamp !== null && current !== null) {
    const hash = change.content_hash;
    const incoming = { stamp, client_id, hash };
    const standing = { stamp: current, client_id: state.client_id ?? '', hash };
    if (lastWriterWins(incoming, standing)) {
      touch(change, { ...state, change_version: stamp, client_id }, place);
    } else if (lastWriterWins(standing, incoming)) {
      // A later edit of somebody else has the same content: it is what newer edits must beat.
      place.draft.breakLineage(change);
    }
  }
  const version = state.version ?? change.parent_version;
  return effectResult(change, {
    status: 'accepted',
    resolution: 'noop',
    new_version: version,
    server_version: version,
  });
}

/** Adds the row and the document's new state; returns the row's version. */
function write(change: AdmittedChange, { place, state, stamp }: Verdict): Hlc {
  const { push, draft, input } = place;
  const version = input.versions.next();
  const { actor_id, client_id } = push;
  const { collection, doc_id, operation, data, typed, mutation_id } = change;
  const change_version = stamp ?? version;
  const parent_version = state.kind === 'absent' ? null : state.version;
  const row: RowDraft = {
    version,
    collection,
    doc_id,
    operation,
    data,
    typed,
    actor_id,
    client_id,
    mutation_id,
    change_version,
    parent_version,
    origin: push.origin,
  };
  draft.rows.push(row);
  const next: DocumentState =
    data === null
      ? { kind: 'deleted', version, change_version, client_id }
      : {
          kind: 'live',
          version,
          change_version,
          hash: change.content_hash,
          actor_id,
          client_id,
          data,
          typed,
          foreign: false,
          as_stored: false,
        };
  touch(change, next, place);
  return version;
}

function touch(change: AdmittedChange, state: DocumentState, { draft, ref }: ChangePlace): void {
  draft.touch({ collection: change.collection, doc_id: change.doc_id, state, change: ref });
}

function written(
  change: AdmittedChange,
  version: Hlc,
  how: { readonly place: ChangePlace; readonly resolution: 'applied' | 'incoming' },
): ChangeResult {
  const result = {
    status: how.resolution === 'applied' ? 'accepted' : 'conflict_resolved',
    resolution: how.resolution,
    new_version: version,
    server_version: null,
  } as const;
  how.place.draft.extendLineage(change, version);
  addReceipt(change, result, how.place);
  return effectResult(change, result);
}

/** Receipts only for changes that had an effect: a row or a kept loser [PU-6]. */
function addReceipt(
  change: AdmittedChange,
  result: Omit<StoredResult, 'bundle_seq'>,
  { push, draft, input }: ChangePlace,
): void {
  if (change.mutation_id === null) return;
  draft.addReceipt({
    scope_id: push.scope_id,
    ...receiptOwner(push),
    mutation_id: change.mutation_id,
    hash: change.mutation_hash,
    collection: change.collection,
    doc_id: change.doc_id,
    result: { ...result, bundle_seq: null },
    at_ms: input.snapshot.now_ms,
  });
}
