/** Builds plans for the contract suite: small bundles over a snapshot, without the engine. Pure. */

import { createHash } from 'node:crypto';
import { canonicalJson, type JsonObject } from '../../src/protocol/pure/canonical-json.ts';
import { formatHlc, type Hlc, nextTick, parseHlc } from '../../src/protocol/pure/hlc.ts';
import type {
  ConflictEntry,
  OplogRow,
  Receipt,
  ScopeHead,
  Tombstone,
} from '../../src/core/ports/records.ts';
import type {
  DocumentKey,
  DocumentWrite,
  GroupLoad,
  GroupPlan,
  GroupSnapshot,
  ReceiptKey,
  WriteGuard,
} from '../../src/core/ports/store.ts';

/** Who pushes in the suite. */
export const ACTOR = 'actor-1';
export const CLIENT = 'client-1';

/** One change of a bundle. `data` null deletes; `mutation_id` asks for a receipt. */
export interface PlannedChange {
  readonly doc_id: string;
  readonly data: JsonObject | null;
  readonly collection?: string;
  readonly typed?: JsonObject;
  readonly mutation_id?: string;
  readonly parent_version?: Hlc;
  /** Replaces the guard that the snapshot gives. */
  readonly guard?: WriteGuard | null;
  /** Names the conflict that this change also stores. */
  readonly conflict_id?: string;
}

/** Time and extra rows of a bundle. `at_ms` replaces the store's clock, to make old rows. */
export interface BundleOptions {
  readonly at_ms?: number;
  /** Collections for which a `reset` row ends the bundle. */
  readonly resets?: readonly string[];
  /** Replaces the version of the first row. */
  readonly first_version?: Hlc;
}

/** Collection of a change. */
export function collectionOf(change: PlannedChange): string {
  return change.collection ?? 'tasks';
}

/** What a group with these changes loads. */
export function loadOf(scope_id: string, changes: readonly PlannedChange[]): GroupLoad {
  return {
    receipts: changes.flatMap((change) =>
      change.mutation_id === undefined ? [] : [receiptKey([scope_id], change.mutation_id)],
    ),
    documents: changes.map((change) => ({
      collection: collectionOf(change),
      doc_id: change.doc_id,
      parent_version: change.parent_version ?? null,
    })),
  };
}

/** Key of a mutation of the suite's actor and client. */
export function receiptKey(scope_ids: readonly string[], mutation_id: string): ReceiptKey {
  return { scope_ids, actor_id: ACTOR, client_id: CLIENT, mutation_id };
}

/** Content hash as the engine writes it. */
export function hashOf(data: JsonObject): string {
  return createHash('sha256').update(canonicalJson(data)).digest('hex');
}

/** The version of row `place` after `head` at a time; unique per scope by its node part. */
export function versionAfter(head: ScopeHead, now_ms: number, place: number): Hlc {
  let last = { p: head.hlc_p, c: head.hlc_c };
  for (let i = 0; i <= place; i += 1) last = nextTick(last, now_ms);
  return formatHlc({ ...last, node: nodeOf(head.scope_id) });
}

/** The plan of one bundle with these changes on top of `snapshot`. */
export function planBundle(
  snapshot: GroupSnapshot,
  changes: readonly PlannedChange[],
  options: BundleOptions = {},
): GroupPlan {
  const rows = bundleRows(snapshot, changes, options);
  const at_ms = options.at_ms ?? snapshot.now_ms;
  const written = changes.map((change, i) => ({ change, version: (rows[i] as OplogRow).version }));
  return {
    documents: written.flatMap(({ change, version }, i) =>
      documentWrite(snapshot, change, { version, place: i }),
    ),
    tombstones: {
      put: written.flatMap(({ change, version }) =>
        change.data === null ? [tombstone(snapshot, change, { version, at_ms })] : [],
      ),
      drop: written.flatMap(({ change }) => droppedTombstone(snapshot, change)),
    },
    rows,
    receipts: written.flatMap(({ change, version }) =>
      change.mutation_id === undefined
        ? []
        : [receipt(snapshot.head, change.mutation_id, { change, version, at_ms })],
    ),
    conflicts: written.flatMap(({ change }) => conflictOf(snapshot, change, at_ms)),
    head: headAfter(snapshot.head, rows),
  };
}

/** A plan that writes nothing. */
export function emptyPlan(snapshot: GroupSnapshot): GroupPlan {
  return {
    documents: [],
    tombstones: { put: [], drop: [] },
    rows: [],
    receipts: [],
    conflicts: [],
    head: snapshot.head,
  };
}

function bundleRows(
  snapshot: GroupSnapshot,
  changes: readonly PlannedChange[],
  options: BundleOptions,
): OplogRow[] {
  const { head } = snapshot;
  const contents = [
    ...changes.map((change) => changeContent(snapshot, change)),
    ...(options.resets ?? []).map(resetContent),
  ];
  const rows: OplogRow[] = [];
  contents.forEach((content, ordinal) => {
    const forced = ordinal === 0 ? options.first_version : undefined;
    const version = forced ?? versionAfter(head, options.at_ms ?? snapshot.now_ms, ordinal);
    rows.push({
      ...content,
      version,
      scope_id: head.scope_id,
      seq: head.head_seq + 1 + ordinal,
      prev: rows.at(-1)?.version ?? head.head_version,
      bundle_seq: head.head_bundle_seq + 1,
      ordinal,
      bundle_rows: contents.length,
      timestamp_ms: parseHlc(version)?.p ?? 0,
    });
  });
  return rows;
}

type RowContent = Omit<
  OplogRow,
  | 'version'
  | 'scope_id'
  | 'seq'
  | 'prev'
  | 'bundle_seq'
  | 'ordinal'
  | 'bundle_rows'
  | 'timestamp_ms'
>;

function changeContent(snapshot: GroupSnapshot, change: PlannedChange): RowContent {
  return {
    collection: collectionOf(change),
    doc_id: change.doc_id,
    operation: change.data === null ? 'delete' : 'upsert',
    data: change.data,
    typed: change.typed ?? null,
    actor_id: ACTOR,
    client_id: CLIENT,
    mutation_id: change.mutation_id ?? null,
    change_version: null,
    parent_version: documentIn(snapshot, change)?.version ?? null,
    origin: 'push',
  };
}

function resetContent(collection: string): RowContent {
  return {
    collection,
    doc_id: null,
    operation: 'reset',
    data: null,
    typed: null,
    actor_id: null,
    client_id: null,
    mutation_id: null,
    change_version: null,
    parent_version: null,
    origin: 'server',
  };
}

function documentWrite(
  snapshot: GroupSnapshot,
  change: PlannedChange,
  at: { readonly version: Hlc; readonly place: number },
): DocumentWrite[] {
  const { scope_id } = snapshot.head;
  const existing = documentIn(snapshot, change);
  const found = existing ? { version: existing.version, hash: existing.hash } : null;
  const guard = change.guard === undefined ? found : change.guard;
  const collection = collectionOf(change);
  const { doc_id, data } = change;
  if (data === null) {
    return guard === null
      ? []
      : [{ kind: 'drop', change: `0:${at.place}`, guard, collection, doc_id, scope_id }];
  }
  return [
    {
      kind: 'put',
      change: `0:${at.place}`,
      guard,
      document: {
        collection,
        doc_id,
        scope_id,
        version: at.version,
        change_version: at.version,
        hash: hashOf(data),
        actor_id: ACTOR,
        client_id: CLIENT,
        data,
        typed: change.typed ?? null,
      },
    },
  ];
}

function documentIn(snapshot: GroupSnapshot, key: PlannedChange) {
  return snapshot.documents.find(
    (document) =>
      document.collection === collectionOf(key) &&
      document.doc_id === key.doc_id &&
      document.scope_id === snapshot.head.scope_id,
  );
}

function tombstone(
  snapshot: GroupSnapshot,
  change: PlannedChange,
  at: { readonly version: Hlc; readonly at_ms: number },
): Tombstone {
  return {
    scope_id: snapshot.head.scope_id,
    collection: collectionOf(change),
    doc_id: change.doc_id,
    version: at.version,
    change_version: at.version,
    client_id: CLIENT,
    at_ms: at.at_ms,
  };
}

function droppedTombstone(
  snapshot: GroupSnapshot,
  change: PlannedChange,
): (DocumentKey & { scope_id: string })[] {
  const collection = collectionOf(change);
  const there = snapshot.tombstones.some(
    (stone) => stone.collection === collection && stone.doc_id === change.doc_id,
  );
  return change.data !== null && there
    ? [{ collection, doc_id: change.doc_id, scope_id: snapshot.head.scope_id }]
    : [];
}

function receipt(
  head: ScopeHead,
  mutation_id: string,
  of: { readonly change: PlannedChange; readonly version: Hlc; readonly at_ms: number },
): Receipt {
  return {
    scope_id: head.scope_id,
    actor_id: ACTOR,
    client_id: CLIENT,
    mutation_id,
    hash: hashOf(of.change.data ?? {}),
    collection: collectionOf(of.change),
    doc_id: of.change.doc_id,
    result: {
      status: 'accepted',
      resolution: 'applied',
      new_version: of.version,
      server_version: of.version,
      bundle_seq: head.head_bundle_seq + 1,
    },
    at_ms: of.at_ms,
  };
}

function conflictOf(
  snapshot: GroupSnapshot,
  change: PlannedChange,
  at_ms: number,
): ConflictEntry[] {
  if (change.conflict_id === undefined) return [];
  const side = { version: null, change_version: null, client_id: CLIENT } as const;
  return [
    {
      conflict_id: change.conflict_id,
      scope_id: snapshot.head.scope_id,
      collection: collectionOf(change),
      doc_id: change.doc_id,
      conflict_type: 'modified_both',
      winner: 'incoming',
      actor_id: ACTOR,
      client_id: CLIENT,
      mutation_id: change.mutation_id ?? null,
      parent_version: null,
      local: { ...side, operation: 'upsert', data: change.data },
      remote: { ...side, operation: 'delete', data: null },
      at_ms,
    },
  ];
}

function headAfter(head: ScopeHead, rows: readonly OplogRow[]): ScopeHead {
  const last = rows.at(-1);
  const parts = last && parseHlc(last.version);
  if (last === undefined || parts === undefined) return head;
  return {
    ...head,
    head_version: last.version,
    head_seq: last.seq,
    head_bundle_seq: last.bundle_seq,
    hlc_p: parts.p,
    hlc_c: parts.c,
  };
}

function nodeOf(scope_id: string): string {
  const digest = createHash('sha256').update(scope_id).digest();
  return digest.readUIntBE(0, 6).toString(36).padStart(10, '0');
}
