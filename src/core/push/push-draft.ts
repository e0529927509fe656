/** What a push has decided so far, on top of what the pushes before it in the group decided. */

import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { ConflictEntry, OplogRow, Receipt } from '../ports/records.ts';
import type { ChangeRef, DocumentKey } from '../ports/store.ts';
import { type DocumentState, documentKey, type InitialState } from './document-state.ts';
import type { CheckedPush } from './group-input.ts';

/** A row before its bundle gives it a place. */
export type RowDraft = Omit<
  OplogRow,
  'scope_id' | 'seq' | 'prev' | 'bundle_seq' | 'ordinal' | 'bundle_rows' | 'timestamp_ms'
>;

/** Latest state of a touched document and the change that made it. */
export interface TouchedState {
  readonly collection: string;
  readonly doc_id: string;
  readonly state: DocumentState;
  readonly change: ChangeRef;
}

/** Everything the pushes of a group have decided. */
export class GroupDraft {
  readonly initial: ReadonlyMap<string, InitialState>;
  readonly touched = new Map<string, TouchedState>();
  readonly receipts = new Map<string, Receipt>();
  readonly newReceipts: Receipt[] = [];
  readonly conflicts = new Map<string, ConflictEntry>();

  constructor(initial: ReadonlyMap<string, InitialState>, known: readonly Receipt[]) {
    this.initial = initial;
    for (const receipt of known) this.receipts.set(receiptKey(receipt), receipt);
  }
}

/** One push's decisions; `keep` adds them to the group, dropping the draft forgets them all. */
export class PushDraft {
  readonly rows: RowDraft[] = [];
  readonly #group: GroupDraft;
  readonly #touched = new Map<string, TouchedState>();
  readonly #receipts = new Map<string, Receipt>();
  readonly #conflicts = new Map<string, ConflictEntry>();
  /** Per document: the version that this push's newest change to it left; "lost" once one has lost. */
  readonly #lineage = new Map<string, { readonly version: Hlc | null } | 'lost'>();

  constructor(group: GroupDraft) {
    this.#group = group;
  }

  /** The document as the change before left it. */
  state(collection: string, doc_id: string): DocumentState {
    const key = documentKey(collection, doc_id);
    const touched = this.#touched.get(key) ?? this.#group.touched.get(key);
    return touched?.state ?? this.#group.initial.get(key)?.state ?? { kind: 'absent' };
  }

  /** Sets the document's new state. */
  touch(next: TouchedState): void {
    this.#touched.set(documentKey(next.collection, next.doc_id), next);
  }

  /** True when the document stands as this push's earlier changes left it and none of them lost [CR-5]. */
  continuesLineage({ collection, doc_id }: DocumentKey, current: Hlc | null): boolean {
    const left = this.#lineage.get(documentKey(collection, doc_id));
    return left !== undefined && left !== 'lost' && left.version === current;
  }

  /** Records the version that a change left. A repeat counts too: what follows was made on it. */
  extendLineage({ collection, doc_id }: DocumentKey, version: Hlc | null): void {
    const key = documentKey(collection, doc_id);
    if (this.#lineage.get(key) !== 'lost') this.#lineage.set(key, { version });
  }

  /** Records that a change to the document lost: later ones of this push stand for themselves. */
  breakLineage({ collection, doc_id }: DocumentKey): void {
    this.#lineage.set(documentKey(collection, doc_id), 'lost');
  }

  receipt(owner: ReceiptOwner): Receipt | undefined {
    const key = receiptKey(owner);
    return this.#receipts.get(key) ?? this.#group.receipts.get(key);
  }

  /** True when the mutation was answered before this push, by the store or earlier in the group. */
  isStored(owner: ReceiptOwner): boolean {
    return this.#group.receipts.has(receiptKey(owner));
  }

  addReceipt(receipt: Receipt): void {
    this.#receipts.set(receiptKey(receipt), receipt);
  }

  addConflict(entry: ConflictEntry): void {
    this.#conflicts.set(entry.conflict_id, entry);
  }

  /** The conflicts that this push met, each once. */
  get conflicts(): readonly ConflictEntry[] {
    return [...this.#conflicts.values()];
  }

  /** Adds everything to the group. `bundle_seq` is null when no row was written. */
  keep(bundle_seq: number | null): void {
    for (const [key, touched] of this.#touched) this.#group.touched.set(key, touched);
    for (const [key, receipt] of this.#receipts) {
      const full = { ...receipt, result: { ...receipt.result, bundle_seq } };
      this.#group.receipts.set(key, full);
      this.#group.newReceipts.push(full);
    }
    for (const [id, entry] of this.#conflicts) this.#group.conflicts.set(id, entry);
  }
}

/** Who made a mutation. The scope is no part of it: a token may change scope between try and retry. */
export interface ReceiptOwner {
  readonly actor_id: string;
  readonly client_id: string;
  readonly mutation_id: string;
}

/**
 * Whose receipts a push leaves and finds. A back end's are set apart by a character that no client id
 * holds, so that a device that bears its name neither spends its mutation ids nor reads its answers.
 */
export function receiptOwner({
  origin,
  actor_id,
  client_id,
}: Pick<CheckedPush, 'origin' | 'actor_id' | 'client_id'>): Omit<ReceiptOwner, 'mutation_id'> {
  return { actor_id, client_id: origin === 'server' ? `\u0001${client_id}` : client_id };
}

/** Map key of a receipt; the parts cannot hold the separator's control character. */
export function receiptKey(owner: ReceiptOwner): string {
  return `${owner.actor_id}\u0000${owner.client_id}\u0000${owner.mutation_id}`;
}
