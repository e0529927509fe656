/** Gives decided rows their place: `seq`, `prev`, bundle and ordinal, above the head. Pure. */

import { compareHlc, parseHlc } from '../../protocol/pure/hlc.ts';
import { invariant } from '../invariant.ts';
import type { OplogRow, ScopeHead } from '../ports/records.ts';
import type { RowDraft } from './push-draft.ts';

/** Seals the bundles of one group, one after the other. */
export class BundleSealer {
  readonly rows: OplogRow[] = [];
  #head: ScopeHead;

  constructor(head: ScopeHead) {
    this.#head = head;
  }

  /** The head after the bundles sealed so far. */
  get head(): ScopeHead {
    return this.#head;
  }

  /** Seals one push's rows and returns their `bundle_seq`, or null when there are none. */
  seal(drafts: readonly RowDraft[]): number | null {
    if (drafts.length === 0) return null;
    const { scope_id, head_bundle_seq } = this.#head;
    const bundle_seq = head_bundle_seq + 1;
    let { head_version, head_seq, hlc_p, hlc_c } = this.#head;
    for (const [ordinal, draft] of drafts.entries()) {
      const parts = parseHlc(draft.version);
      invariant(parts !== undefined, 'a drawn version is well-formed');
      invariant(compareHlc(draft.version, head_version) > 0, 'versions of a scope strictly rise');
      head_seq += 1;
      // Spelled out: copying a dozen fields by spread costs more than all else of sealing a row.
      this.rows.push({
        version: draft.version,
        collection: draft.collection,
        doc_id: draft.doc_id,
        operation: draft.operation,
        data: draft.data,
        typed: draft.typed,
        actor_id: draft.actor_id,
        client_id: draft.client_id,
        mutation_id: draft.mutation_id,
        change_version: draft.change_version,
        parent_version: draft.parent_version,
        origin: draft.origin,
        scope_id,
        seq: head_seq,
        prev: head_version,
        bundle_seq,
        ordinal,
        bundle_rows: drafts.length,
        timestamp_ms: parts.p,
      });
      head_version = draft.version;
      hlc_p = parts.p;
      hlc_c = parts.c;
    }
    const moved = { head_version, head_seq, head_bundle_seq: bundle_seq, hlc_p, hlc_c };
    this.#head = { ...this.#head, ...moved };
    return bundle_seq;
  }
}
