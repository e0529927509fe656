/** Pure retries: a push whose every admitted change has a receipt is answered without a lock. */

import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import { invariant } from '../invariant.ts';
import type { ReceiptKey, SyncStore } from '../ports/store.ts';
import type { AdmittedChange } from './check-changes.ts';
import type { CheckedPush, PushOutcome } from './group-input.ts';
import { documentKey } from './document-state.ts';
import { receiptKey, receiptOwner } from './push-draft.ts';
import { effectResult, rejection } from './results.ts';

/** Receipts that a push may have left, and those of the mutations its changes name as parents. */
export function receiptKeys(push: CheckedPush): readonly ReceiptKey[] {
  const { scope_ids } = push;
  const owner = receiptOwner(push);
  const ids = new Set<string>();
  for (const change of push.changes) {
    if (change.kind !== 'admitted') continue;
    if (change.mutation_id !== null) ids.add(change.mutation_id);
    if (change.parent_mutation_id !== null) ids.add(change.parent_mutation_id);
  }
  return [...ids].map((mutation_id) => ({ scope_ids, ...owner, mutation_id }));
}

/** The stored answers, when every admitted change was answered before; else undefined. */
export async function answerRetries(
  store: SyncStore,
  push: CheckedPush,
): Promise<PushOutcome | undefined> {
  const admitted = push.changes.filter((change) => change.kind === 'admitted');
  if (admitted.some((change) => change.mutation_id === null)) return undefined;
  const found = await store.findReceipts(receiptKeys(push));
  const receipts = new Map(found.map((receipt) => [receiptKey(receipt), receipt]));
  const receiptOf = (change: AdmittedChange) =>
    receipts.get(receiptKey({ ...receiptOwner(push), mutation_id: change.mutation_id as string }));
  // A reused id is no repeat: the decision refuses it, and in bundle mode the push with it.
  if (admitted.some((change) => receiptOf(change)?.hash !== change.mutation_hash)) return undefined;
  const current = await readCurrent(
    store,
    push.scope_id,
    admitted.filter((change) => receiptOf(change)?.result.resolution === 'current'),
  );
  const results = push.changes.map((change) => {
    if (change.kind === 'rejected') return rejection(change, change.code, change.issues);
    const receipt = receiptOf(change);
    invariant(receipt !== undefined, 'every admitted change was found');
    const data = current.get(documentKey(change.collection, change.doc_id)) ?? null;
    return effectResult(change, receipt.result, {
      duplicate: true,
      ...(receipt.result.resolution === 'current' ? { data } : {}),
    });
  });
  const bundle_seq = sharedBundle(admitted.map((change) => receiptOf(change)?.result.bundle_seq));
  return { results, bundle_seq, rolled_back: false, rows: 0, conflicts: [] };
}

/** The bundle that a repeated push had, when all its receipts agree on one. */
function sharedBundle(numbers: readonly (number | null | undefined)[]): number | null {
  const distinct = new Set(numbers.filter((number) => typeof number === 'number'));
  const [only] = distinct;
  return distinct.size === 1 && only !== undefined ? only : null;
}

async function readCurrent(
  store: SyncStore,
  scope_id: string,
  changes: readonly AdmittedChange[],
): Promise<ReadonlyMap<string, JsonObject>> {
  if (changes.length === 0) return new Map();
  const keys = changes.map(({ collection, doc_id }) => ({ collection, doc_id }));
  const documents = await store.readDocuments(scope_id, keys);
  return new Map(documents.map((d) => [documentKey(d.collection, d.doc_id), d.data]));
}
