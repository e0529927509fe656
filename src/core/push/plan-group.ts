/** Turns the decided states of a group into the writes that lead there. Pure. */

import { invariant } from '../invariant.ts';
import type { DocumentTrace, Tombstone } from '../ports/records.ts';
import type { Catalogue } from '../collections.ts';
import type { DocumentKey, DocumentWrite, GroupPlan } from '../ports/store.ts';
import type { DeletedState, InitialState, LiveState } from './document-state.ts';
import type { GroupDraft, TouchedState } from './push-draft.ts';
import type { BundleSealer } from './seal-bundle.ts';

/** The plan of a group: one write per touched document, whatever the number of its changes. */
export function planGroup(
  scope_id: string,
  decided: {
    readonly group: GroupDraft;
    readonly sealer: BundleSealer;
    readonly now_ms: number;
    readonly catalogue: Catalogue;
  },
): GroupPlan {
  const { group, sealer, now_ms, catalogue } = decided;
  const documents: DocumentWrite[] = [];
  const put: Tombstone[] = [];
  const drop: (DocumentKey & { scope_id: string })[] = [];
  for (const [key, touched] of group.touched) {
    const initial = group.initial.get(key);
    const { collection, doc_id, state } = touched;
    if (state.kind === 'live') {
      documents.push(putDocument(scope_id, { ...touched, state }, initial));
      if (initial?.tombstone) drop.push({ collection, doc_id, scope_id });
    } else {
      invariant(state.kind === 'deleted', 'a touched document is current or deleted');
      if (initial?.guard) documents.push(dropDocument(scope_id, touched, initial));
      put.push(tombstoneOf(scope_id, touched, { state, now_ms }));
    }
  }
  return {
    documents,
    tombstones: { put, drop },
    rows: sealer.rows,
    receipts: group.newReceipts,
    conflicts: [...group.conflicts.values()],
    traces: tracesOf(scope_id, group, catalogue),
    head: sealer.head,
  };
}

/** Of captured collections, every current document leaves a trace, and a deleted one takes it back. */
function tracesOf(
  scope_id: string,
  group: GroupDraft,
  catalogue: Catalogue,
): NonNullable<GroupPlan['traces']> {
  const put: DocumentTrace[] = [];
  const drop: (DocumentKey & { scope_id: string })[] = [];
  for (const { collection, doc_id, state } of group.touched.values()) {
    if (catalogue.get(collection)?.capture !== true) continue;
    if (state.kind === 'live' && state.version !== null) {
      put.push({ scope_id, collection, doc_id, version: state.version });
    } else {
      drop.push({ scope_id, collection, doc_id });
    }
  }
  return { put, drop };
}

function putDocument(
  scope_id: string,
  touched: TouchedState & { readonly state: LiveState },
  initial: InitialState | undefined,
): DocumentWrite {
  const { state } = touched;
  invariant(state.version !== null, 'a written document has a version');
  return {
    kind: 'put',
    change: touched.change,
    guard: initial?.guard ?? null,
    ...(state.as_stored ? { as_stored: true } : {}),
    document: {
      collection: touched.collection,
      doc_id: touched.doc_id,
      scope_id,
      version: state.version,
      change_version: state.change_version,
      hash: state.hash,
      actor_id: state.actor_id,
      client_id: state.client_id,
      data: state.data,
      typed: state.typed,
    },
  };
}

function dropDocument(
  scope_id: string,
  touched: TouchedState,
  initial: InitialState,
): DocumentWrite {
  invariant(initial.guard !== null, 'a dropped document was there');
  return {
    kind: 'drop',
    change: touched.change,
    guard: initial.guard,
    collection: touched.collection,
    doc_id: touched.doc_id,
    scope_id,
  };
}

function tombstoneOf(
  scope_id: string,
  touched: TouchedState,
  deleted: { readonly state: DeletedState; readonly now_ms: number },
): Tombstone {
  const { version, change_version, client_id } = deleted.state;
  invariant(version !== null && change_version !== null, 'a written tombstone has a version');
  return {
    scope_id,
    collection: touched.collection,
    doc_id: touched.doc_id,
    version,
    change_version,
    client_id,
    at_ms: deleted.now_ms,
  };
}
