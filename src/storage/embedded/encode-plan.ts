/** A group as it crosses to the writer thread: the load, and the plan as rows ready to be bound. */

import { invariant } from '../../core/invariant.ts';
import type { OplogRow, ScopeHead, Tombstone } from '../../core/ports/records.ts';
import type { DocumentWrite, GroupLoad, GroupPlan, ReceiptKey } from '../../core/ports/store.ts';
import { fullLine, tombstoneLine } from '../../protocol/full.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import { openPullLine } from '../../protocol/pull.ts';
import type { LoadMessage, PlanMessage, ReceiptKeyRow, Row } from './messages.ts';

/** The load of a group as it travels. */
export function encodeLoad(scope_id: string, load: GroupLoad): LoadMessage {
  return {
    scope_id,
    documents: load.documents.map((key) => [key.collection, key.doc_id, key.parent_version]),
    receipts: encodeReceiptKeys(load.receipts),
  };
}

/** Receipt keys as they travel. */
export function encodeReceiptKeys(keys: readonly ReceiptKey[]): ReceiptKeyRow[] {
  return keys.map((key) => [key.scope_ids, key.actor_id, key.client_id, key.mutation_id]);
}

/**
 * The plan of a group as rows. Wire text is made here, once per row, so that every later read only
 * copies it. Throws `InvariantError` when the plan does not continue `before` or leaves its scope.
 */
export function encodePlan(scope_id: string, plan: GroupPlan, before: ScopeHead): PlanMessage {
  checkRows(scope_id, plan, before);
  const { head } = plan;
  const texts = new DataTexts();
  return {
    ...encodeDocuments(scope_id, plan.documents, texts),
    putTombstones: plan.tombstones.put.map((stone) => tombstoneRow(scope_id, stone)),
    dropTombstones: plan.tombstones.drop.map((key) => {
      invariant(key.scope_id === scope_id, 'a dropped tombstone belongs to the scope');
      return [scope_id, key.collection, key.doc_id];
    }),
    rows: plan.rows.map((row) => oplogRow(row, texts)),
    receipts: plan.receipts.map((receipt) => [
      receipt.actor_id,
      receipt.client_id,
      receipt.mutation_id,
      receipt.scope_id,
      receipt.hash,
      receipt.collection,
      receipt.doc_id,
      JSON.stringify(receipt.result),
      receipt.at_ms,
    ]),
    conflicts: plan.conflicts.map((entry) => [
      entry.conflict_id,
      entry.scope_id,
      entry.collection,
      entry.doc_id,
      JSON.stringify(entry),
      entry.at_ms,
    ]),
    head: [
      head.head_version,
      head.head_seq,
      head.head_bundle_seq,
      head.hlc_p,
      head.hlc_c,
      head.chain_start,
    ],
  };
}

/** JSON texts by document: a document and its newest row share one. */
class DataTexts {
  readonly #texts = new Map<JsonObject, string>();

  of(data: JsonObject | null): string {
    if (data === null) return 'null';
    const known = this.#texts.get(data);
    if (known !== undefined) return known;
    const text = JSON.stringify(data);
    this.#texts.set(data, text);
    return text;
  }
}

/** The rows continue the head one by one: a plan that forks the chain must never be written. */
function checkRows(scope_id: string, plan: GroupPlan, before: ScopeHead): void {
  let { head_version: prev, head_seq: seq } = before;
  for (const row of plan.rows) {
    seq += 1;
    invariant(row.scope_id === scope_id, 'a row belongs to the scope of its group');
    invariant(row.seq === seq && row.prev === prev, 'rows continue the head without a gap');
    invariant(row.version > prev, 'versions rise within a scope');
    prev = row.version;
  }
  const { head } = plan;
  invariant(head.scope_id === scope_id, 'a plan keeps the scope of its group');
  invariant(head.head_version === prev && head.head_seq === seq, 'the head names the newest row');
}

function encodeDocuments(
  scope_id: string,
  writes: readonly DocumentWrite[],
  texts: DataTexts,
): Pick<PlanMessage, 'inserts' | 'updates' | 'deletes'> {
  const inserts: Row[] = [];
  const updates: Row[] = [];
  const deletes: Row[] = [];
  for (const write of writes) {
    const { guard } = write;
    if (write.kind === 'drop') {
      invariant(write.scope_id === scope_id, 'a dropped document belongs to the scope');
      const { collection, doc_id } = write;
      deletes.push([collection, doc_id, scope_id, write.guard.version, write.guard.hash]);
      continue;
    }
    invariant(write.kind === 'put', 'no document leaves a store that has no foreign writers');
    const { collection, doc_id, version, data } = write.document;
    invariant(write.document.scope_id === scope_id, 'a written document belongs to the scope');
    const line = `${fullLine({ collection, doc_id, version, data }, texts.of(data))}\n`;
    const { change_version, hash, actor_id, client_id } = write.document;
    const content = [version, change_version, hash, actor_id, client_id, line];
    if (guard === null) inserts.push([collection, doc_id, scope_id, ...content]);
    else updates.push([...content, collection, doc_id, scope_id, guard.version, guard.hash]);
  }
  return { inserts, updates, deletes };
}

function tombstoneRow(scope_id: string, stone: Tombstone): Row {
  invariant(stone.scope_id === scope_id, 'a tombstone belongs to the scope');
  const { collection, doc_id, version, change_version, client_id, at_ms } = stone;
  const line = `${tombstoneLine(collection, doc_id, version)}\n`;
  return [scope_id, collection, doc_id, version, change_version, client_id, at_ms, line];
}

/** Separators of the range read (see `RowsMessage`); the rules of ids and names exclude them. */
const SEPARATORS = /[\t\n]/;

function oplogRow(row: OplogRow, texts: DataTexts): Row {
  invariant(!SEPARATORS.test(`${row.collection}${row.doc_id}`), 'ids hold no control characters');
  return [
    row.version,
    row.scope_id,
    row.seq,
    row.prev,
    row.bundle_seq,
    row.ordinal,
    row.bundle_rows,
    row.collection,
    row.doc_id,
    row.operation,
    row.origin,
    row.change_version,
    row.timestamp_ms,
    openPullLine(row, texts.of(row.data)),
  ];
}
