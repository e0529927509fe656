/** Edits that arrive one after the other at one document, for laws about where they end. */

import fc from 'fast-check';
import { lastWriterWins } from '../../../src/core/conflict/last-writer-wins.ts';
import type { StoredDocument, Tombstone } from '../../../src/core/ports/records.ts';
import type { GroupPlan, GroupSnapshot } from '../../../src/core/ports/store.ts';
import type { CheckedPush } from '../../../src/core/push/group-input.ts';
import { canonicalJson, type JsonObject } from '../../../src/protocol/pure/canonical-json.ts';
import { documentHash } from '../../../src/protocol/pure/hash.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';
import { change, decide, push, snapshot } from './deciding.ts';
import { NOON, sha256 } from './fake-system.ts';
import { document, hlc } from './records.ts';

/** Version of the document before the edits. */
export const BASE = hlc(-3_600_000);

/** An edit of one client; data null deletes. Few stamps and contents, so that ties and repeats happen. */
export interface Edit {
  readonly stamp: Hlc;
  readonly client_id: string;
  readonly data: JsonObject | null;
}

export const contents = fc.constantFrom<JsonObject | null>({ n: 0 }, { n: 1 }, { n: 2 }, null);
export const stamps = fc
  .tuple(fc.integer({ min: -20, max: -1 }), fc.constantFrom('a1b2', 'zzzz'))
  .map(([minutes, node]) => hlc(minutes * 60_000, 0, node));
export const clients = fc.constantFrom('a', 'b', 'c', 'd');
export const edit: fc.Arbitrary<Edit> = fc.record({
  stamp: stamps,
  client_id: clients,
  data: contents,
});

/** The snapshot that a plan leaves behind. */
export function after(over: GroupSnapshot, plan: GroupPlan, now_ms: number): GroupSnapshot {
  const documents = new Map(
    over.documents.map((one): [string, StoredDocument] => [one.doc_id, one]),
  );
  const tombstones = new Map(over.tombstones.map((one): [string, Tombstone] => [one.doc_id, one]));
  for (const write of plan.documents) {
    if (write.kind === 'drop') documents.delete(write.doc_id);
    else if (write.kind === 'put')
      documents.set(write.document.doc_id, { ...write.document, read_only: false });
  }
  for (const { doc_id } of plan.tombstones.drop) tombstones.delete(doc_id);
  for (const one of plan.tombstones.put) tombstones.set(one.doc_id, one);
  return {
    ...over,
    documents: [...documents.values()],
    tombstones: [...tombstones.values()],
    receipts: [...over.receipts, ...plan.receipts],
    head: plan.head,
    now_ms,
  };
}

/** The document at `BASE`, or nothing at all. */
export function start(existing: boolean, collection = 'tasks'): GroupSnapshot {
  const stored = document(BASE, { collection, data: { n: 9 }, client_id: 'base' });
  const row = { version: BASE, collection, doc_id: 't1', change_version: BASE };
  return snapshot(existing ? { documents: [stored], parents: [row] } : {});
}

/** One push per chain: the edits of one client, made one on top of the other. */
export function pushOf(
  edits: readonly Edit[],
  parent_version: Hlc | null,
  collection = 'tasks',
): CheckedPush {
  const changes = edits.map(({ stamp, data }) =>
    change({
      collection,
      parent_version,
      change_version: stamp,
      data: data as Record<string, unknown> | null,
      operation: data === null ? 'delete' : 'upsert',
    }),
  );
  return push(changes, { client_id: edits[0]?.client_id ?? 'a' });
}

/** Content after the pushes arrived one by one, seconds apart; "deleted" when it is gone. */
export function arrive(
  pushes: readonly CheckedPush[],
  existing: boolean,
  collection = 'tasks',
): string {
  let over = start(existing, collection);
  pushes.forEach((one, place) => {
    const { plan } = decide([one], over);
    over = after(over, plan, NOON + (place + 1) * 1_000);
  });
  const [stored] = over.documents;
  return contentText(stored?.data ?? null);
}

/** How `arrive` names a content; null is the deleted document. */
export function contentText(data: JsonObject | null): string {
  return data === null ? 'deleted' : canonicalJson(data);
}

/** The edits in an order that the picks choose. */
export function shuffled(edits: readonly Edit[], picks: readonly number[]): Edit[] {
  const left = [...edits];
  return edits.flatMap((_, place) => left.splice((picks[place] ?? 0) % left.length, 1));
}

/** An edit as the order of last-writer-wins sees it. */
export function contender({ stamp, client_id, data }: Edit) {
  return { stamp, client_id, hash: data === null ? '' : documentHash(sha256, data) };
}

/** Content of the edit that last-writer-wins lets stand. */
export function winner(edits: readonly Edit[]): string {
  const [first, ...rest] = edits as [Edit, ...Edit[]];
  const last = rest.reduce((a, b) => (lastWriterWins(contender(b), contender(a)) ? b : a), first);
  return contentText(last.data);
}
