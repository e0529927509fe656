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
    const bundle_seq = this.#head.head_bundle_seq + 1;
    drafts.forEach((draft, ordinal) => {
      const parts = parseHlc(draft.version);
      invariant(parts !== undefined, 'a drawn version is well-formed');
      const { head_version, head_seq } = this.#head;
      invariant(compareHlc(draft.version, head_version) > 0, 'versions of a scope strictly rise');
      this.rows.push({
        ...draft,
        scope_id: this.#head.scope_id,
        seq: head_seq + 1,
        prev: head_version,
        bundle_seq,
        ordinal,
        bundle_rows: drafts.length,
        timestamp_ms: parts.p,
      });
      this.#head = {
        ...this.#head,
        head_version: draft.version,
        head_seq: head_seq + 1,
        hlc_p: parts.p,
        hlc_c: parts.c,
      };
    });
    this.#head = { ...this.#head, head_bundle_seq: bundle_seq };
    return bundle_seq;
  }
}
