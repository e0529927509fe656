/** Compares whole collections with what the engine knows, and takes over what differs. */

import { documentHash, type Digest } from '../../protocol/pure/hash.ts';
import type { CollectionPolicy } from '../collections.ts';
import { invariant } from '../invariant.ts';
import type { EngineCore } from '../parts.ts';
import type { ForeignStore, ScannedDocument } from '../ports/foreign.ts';
import { isTombstone } from '../ports/group-rules.ts';
import { placeOf } from '../push/document-state.ts';
import type { DocumentTrace, StoredDocument } from '../ports/records.ts';
import { adoptDocuments, type ForeignDocument } from './adopt.ts';
import { declaredScope } from './declared-scope.ts';
import type { ForeignOptions, ForeignVerdict } from './decide-foreign.ts';
import { RESET_AUTHOR, RESET_CLIENT, resetKey } from './write-resets.ts';

/** What a comparison is told beside the collection. */
export interface CompareOptions extends Omit<ForeignOptions, 'mark' | 'barrier'> {
  /** Ends the comparison early, resumable from the last step. */
  readonly signal?: AbortSignal;
  readonly position?: string | null;
  readonly batch_size?: number;
  /** The adoption whose mark stamped scopes get. */
  readonly run?: string;
  /** Documents over this size get no version, bytes; absent = no limit. */
  readonly max_bytes?: number;
}

/** One batch of a comparison. */
export interface CompareStep {
  readonly position: string;
  readonly scanned: number;
  readonly verdicts: Readonly<Partial<Record<ForeignVerdict | SkippedReason, number>>>;
  /** Ids of the documents that the database refused to have stamped. */
  readonly refused: readonly string[];
}

/** Why a document was not looked at. */
export type SkippedReason = 'other_id_type' | 'no_scope' | 'too_large';

const BATCH_SIZE = 500;
/** Scopes whose groups are committed at the same time. */
const SCOPES_AT_ONCE = 8;
/** Scopes that one document may pass through in one look. */
const MOVES_MAX = 3;

/** The port to foreign documents, which this engine's store has. */
export function foreignOf(core: Pick<EngineCore, 'store'>): ForeignStore {
  const { foreign } = core.store;
  invariant(foreign !== null, 'only a store that others write to is compared');
  return foreign;
}

/** Scans a collection in `_id` order; each step is durable when it is given back. */
export async function* compareCollection(
  core: EngineCore,
  collection: string,
  options: CompareOptions,
): AsyncGenerator<CompareStep> {
  const policy = core.catalogue.get(collection);
  invariant(policy !== undefined, 'a compared collection is configured');
  const foreign = foreignOf(core);
  const { position = null, batch_size = BATCH_SIZE } = options;
  for await (const batch of foreign.scan(collection, { position, batch_size })) {
    if (options.signal?.aborted === true) return;
    const keys = batch.documents.flatMap(({ document }) => document ?? []);
    const traces = tracesBy(policy.capture ? await foreign.findTraces(keys) : []);
    const judged = batch.documents.map((found) =>
      judge(core, found, { policy, traces, ...options }),
    );
    const different = judged.flatMap((one) => (typeof one === 'string' ? [] : one));
    const taken = await adoptByScope(core, different, options);
    const counts = new Map<string, number>();
    const skipped = judged.filter((one) => typeof one === 'string' && one !== 'known');
    for (const one of [...taken.map(({ verdict }) => verdict), ...skipped] as string[]) {
      counts.set(one, (counts.get(one) ?? 0) + 1);
    }
    yield {
      position: batch.position,
      scanned: batch.documents.length,
      verdicts: Object.fromEntries(counts),
      refused: taken.flatMap(({ document, verdict }) =>
        verdict === 'refused' ? [document.doc_id] : [],
      ),
    };
  }
}

/** Takes over documents that another program deleted: those whose traces have no document. */
export async function compareTraces(
  core: EngineCore,
  collection: string,
  options: CompareOptions,
): Promise<void> {
  const foreign = foreignOf(core);
  for await (const traces of foreign.scanTraces(collection, BATCH_SIZE)) {
    if (options.signal?.aborted === true) return;
    const there = new Set<string>();
    for await (const { document } of foreign.findDocuments(traces)) there.add(document.doc_id);
    const gone = traces.filter(({ doc_id }) => !there.has(doc_id));
    await adoptByScope(core, gone.map(targetOf), options);
  }
}

/** A document with the scope that has to look at it. */
export interface ScopedDocument extends ForeignDocument {
  readonly scope_id: string;
}

function targetOf({ scope_id, collection, doc_id }: DocumentTrace): ScopedDocument {
  return { scope_id, collection, doc_id, bytes: 0 };
}

/** A document that was looked at. */
export interface TakenDocument {
  readonly document: ScopedDocument;
  readonly verdict: ForeignVerdict;
}

/** Commits scope by scope; documents that changed scope meanwhile are handed to the new one. */
export async function adoptByScope(
  core: EngineCore,
  documents: readonly ScopedDocument[],
  options: CompareOptions,
): Promise<readonly TakenDocument[]> {
  const taken: TakenDocument[] = [];
  let next = documents;
  // One that moves on and on while it is looked at is left to its next hint.
  for (let moves = 0; next.length > 0 && moves <= MOVES_MAX; moves += 1) {
    const looked: TakenDocument[] = [];
    await eachOf([...byScope(next)], SCOPES_AT_ONCE, async ([scope_id, own]) => {
      const how = { documents: own, options: withMark(options, own, scope_id) };
      const found = await adoptDocuments(core, scope_id, how);
      for (const [index, document] of own.entries()) {
        looked.push({ document, verdict: found[index] as ForeignVerdict });
      }
    });
    next = await movedTo(core, looked);
    const elsewhere = new Set(next.map(placeOf));
    // What another scope is asked for next is not yet judged.
    taken.push(
      ...looked.filter(
        ({ document, verdict }) => verdict !== 'unavailable' || !elsewhere.has(placeOf(document)),
      ),
    );
  }
  return taken;
}

function byScope(documents: readonly ScopedDocument[]): Map<string, ScopedDocument[]> {
  const scopes = new Map<string, ScopedDocument[]>();
  for (const document of documents) {
    const own = scopes.get(document.scope_id);
    if (own === undefined) scopes.set(document.scope_id, [document]);
    else own.push(document);
  }
  return scopes;
}

/** The scopes that documents name now that left another one, before it looked or because of it. */
async function movedTo(
  core: EngineCore,
  looked: readonly TakenDocument[],
): Promise<readonly ScopedDocument[]> {
  const moved = looked.filter(({ verdict }) => verdict === 'moved' || verdict === 'unavailable');
  if (moved.length === 0) return [];
  const from = new Map(moved.map(({ document }) => [placeOf(document), document.scope_id]));
  const keys = moved.map(({ document }) => document);
  const targets: ScopedDocument[] = [];
  for await (const { document, bytes } of foreignOf(core).findDocuments(keys)) {
    const { collection, doc_id } = document;
    const policy = core.catalogue.get(collection);
    const scope_id = policy === undefined ? null : scopeOf(document, policy);
    if (scope_id === null || from.get(placeOf(document)) === scope_id) continue;
    targets.push({ scope_id, collection, doc_id, bytes });
  }
  return targets;
}

function withMark(
  { run, ...options }: CompareOptions,
  [first]: readonly ScopedDocument[],
  scope_id: string,
): ForeignOptions {
  const { mode, origin, actor_id, untraced } = options;
  const plain = {
    ...{ mode, origin },
    ...(actor_id === undefined ? {} : { actor_id }),
    ...(untraced === undefined ? {} : { untraced }),
  };
  if (run === undefined || first === undefined) return plain;
  const { collection } = first;
  return {
    ...plain,
    mark: markKey(collection, run, [scope_id]),
    barrier: resetKey(collection, run, [scope_id]),
  };
}

/** The receipt that says that an adoption stamped documents of a scope. */
export function markKey(collection: string, run: string, scope_ids: readonly string[]) {
  const mutation_id = `stamped:${collection}:${run}`;
  return { scope_ids, actor_id: RESET_AUTHOR, client_id: RESET_CLIENT, mutation_id };
}

/** Traces by document: one per scope that has it, or has not heard yet that it lost it. */
export type Traces = ReadonlyMap<string, readonly DocumentTrace[]>;

/** Sorts traces by their documents. */
export function tracesBy(found: readonly DocumentTrace[]): Traces {
  const traces = new Map<string, DocumentTrace[]>();
  for (const trace of found) {
    const own = traces.get(placeOf(trace));
    if (own === undefined) traces.set(placeOf(trace), [trace]);
    else own.push(trace);
  }
  return traces;
}

/** Which scope has to look at a document, or why none does. */
export function judge(
  core: Pick<EngineCore, 'system'>,
  { document, bytes }: Pick<ScannedDocument, 'document' | 'bytes'>,
  by: { readonly policy: CollectionPolicy; readonly traces: Traces; readonly max_bytes?: number },
): ScopedDocument | SkippedReason | 'known' {
  if (document === null) return 'other_id_type';
  const { policy } = by;
  const { collection, doc_id, version } = document;
  const traces = by.traces.get(placeOf(document)) ?? [];
  const scope_id = scopeOf(document, policy) ?? traces[0]?.scope_id ?? null;
  if (scope_id === null) return 'no_scope';
  // The scope that it left looks first: its trace proves that it was there.
  const left = traces.find((trace) => trace.scope_id !== scope_id);
  if (left !== undefined) return { ...targetOf(left), bytes };
  const [trace] = traces;
  const traced =
    !policy.capture || trace?.version === version || (trace === undefined && isTombstone(document));
  if (traced && isKnown(document, policy, core.system.crypto.sha256)) return 'known';
  if (bytes > (by.max_bytes ?? Number.POSITIVE_INFINITY)) return 'too_large';
  const untraced = trace === undefined && policy.capture ? { untraced_version: version } : {};
  return { scope_id, collection, doc_id, bytes, ...untraced };
}

/** True when the document is as the engine wrote it, in the scope that its content names. */
export function isKnown(
  document: StoredDocument,
  policy: CollectionPolicy,
  digest: Digest,
): boolean {
  const { version, scope_id, hash, soft_deleted, data } = document;
  // A tombstone in place that an earlier server left has no stamp yet.
  if (isTombstone(document)) return scope_id !== null && document.change_version !== null;
  if (version === null || scope_id === null || hash === null || soft_deleted === true) return false;
  const declared = declaredScope(data, policy);
  return (declared === null || declared === scope_id) && hash === documentHash(digest, data);
}

/** The scope that a document is in; one that has none yet is in the scope that it names. */
export function scopeOf(document: StoredDocument, policy: CollectionPolicy): string | null {
  return document.scope_id ?? declaredScope(document.data, policy);
}

/** Runs `work` for each item, at most `most` at once. The first failure ends it. */
async function eachOf<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  const workers = Array.from({ length: Math.min(most, items.length) }, worker);
  const ended = await Promise.allSettled(workers);
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
