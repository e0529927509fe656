/**
 * Decides what the writes of other programs become: level-triggered, by comparing what is stored with
 * what the engine wrote. Equal content is an echo or a repeat and changes nothing, so any number of
 * workers may look at the same document, in any order, as often as they like [FW-1]. Pure.
 */

import type { Digest } from '../../protocol/pure/hash.ts';
import { compareHlc, type Hlc, parseHlc } from '../../protocol/pure/hlc.ts';
import type { Catalogue } from '../collections.ts';
import type { DecisionInput } from '../commit-decision.ts';
import { isTombstone } from '../ports/group-rules.ts';
import type { DocumentTrace, Origin, Receipt, StoredDocument } from '../ports/records.ts';
import type {
  ChangeRef,
  Decision,
  DocumentKey,
  DocumentWrite,
  ReceiptKey,
} from '../ports/store.ts';
import {
  type DocumentState,
  placeOf,
  type InitialState,
  initialStates,
  type LiveState,
} from '../push/document-state.ts';
import { planGroup } from '../push/plan-group.ts';
import { GroupDraft, PushDraft } from '../push/push-draft.ts';
import { BundleSealer } from '../push/seal-bundle.ts';
import { declaredScope } from './declared-scope.ts';
import { adoptContent, barrierRow, goneRow } from './external-row.ts';

/** What became of one document. */
export type ForeignVerdict =
  /** The engine knows this content. */
  | 'known'
  /** A version was given without a row: a barrier row tells clients later. */
  | 'stamped'
  | 'upserted'
  /** Too large for a row: it got a version, and clients read its collection anew. */
  | 'barred'
  | 'deleted'
  /** It names another scope now and left this one; the other scope takes it next. */
  | 'moved'
  /** Another scope's, or no scope is known. */
  | 'unavailable'
  /** The database refused to store the engine's fields in it. */
  | 'refused'
  /** It alone could not be taken over, for a reason that is logged. */
  | 'failed';

/** How foreign writes are taken over. */
export interface ForeignOptions {
  /** `rows`: each leaves a row. `stamps`: documents that never had a hash get a version alone. */
  readonly mode: 'rows' | 'stamps';
  readonly origin: Origin;
  readonly actor_id?: string | null;
  /**
   * Whose a document of a captured collection is that has the engine's hash and no trace. Before the
   * first comparison the engine's; after it a copy that another program made, or brought back.
   */
  readonly untraced?: 'own' | 'foreign';
  /** Left as a receipt when a document was stamped, so that the scope gets its barrier later. */
  readonly mark?: ReceiptKey;
  /** Receipt of that barrier: once it is there, what is found later leaves rows [MI-10]. */
  readonly barrier?: ReceiptKey;
}

/** Everything the decision depends on. */
export interface ForeignInput extends DecisionInput {
  readonly scope_id: string;
  readonly keys: readonly DocumentKey[];
  readonly options: ForeignOptions;
  readonly catalogue: Catalogue;
  readonly digest: Digest;
}

/** Takes over what other programs wrote to these documents, as one bundle. */
export function decideForeign(input: ForeignInput): Decision<readonly ForeignVerdict[]> {
  const { snapshot, scope_id, catalogue, versions } = input;
  const traces = new Map((snapshot.traces ?? []).map((one) => [placeOf(one), one.version]));
  const documents = snapshot.documents.map((one) => inItsScope(one, traces, input));
  const states = initialStates({ ...snapshot, documents }, scope_id, input);
  const group = new GroupDraft(states, []);
  const work: Work = {
    input,
    draft: new PushDraft(group),
    initial: states,
    releases: [],
    newTraces: [],
    staleTraces: [],
    kept: [],
    found: new Map(documents.map((one) => [placeOf(one), one])),
    scoped: new Set(
      snapshot.documents.flatMap((one) => (one.scope_id === null ? [] : placeOf(one))),
    ),
    traces,
  };
  const outcome = input.keys.map((key, index) => decideOne(key, `0:${index}`, work));
  const sealer = new BundleSealer(snapshot.head);
  work.draft.keep(sealer.seal(work.draft.rows));
  const plan = planGroup(scope_id, { group, sealer, now_ms: snapshot.now_ms, catalogue });
  const { p: hlc_p, c: hlc_c } = newest(versions.last, work.kept);
  return {
    plan: {
      ...plan,
      documents: [...plan.documents, ...work.releases],
      receipts: outcome.includes('stamped') ? markOf(input) : [],
      traces: {
        put: [...(plan.traces?.put ?? []), ...work.newTraces],
        drop: [...(plan.traces?.drop ?? []), ...work.staleTraces],
      },
      // Versions of stamps alone, drawn or kept, must stay below everything that is drawn later.
      head: { ...plan.head, hlc_p, hlc_c },
    },
    outcome,
  };
}

/** The newest place in time, so that a clock that steps back draws nothing below a kept version. */
function newest(last: Tick, kept: readonly Hlc[]): Tick {
  return kept.reduce((above, version) => {
    const { p, c } = parseHlc(version) ?? above;
    return p > above.p || (p === above.p && c > above.c) ? { p, c } : above;
  }, last);
}

/** The mark of the adoption, unless an earlier batch left it. */
function markOf({ options, scope_id, snapshot, keys }: ForeignInput): readonly Receipt[] {
  const { mark } = options;
  const known = snapshot.receipts.some(({ mutation_id }) => mutation_id === mark?.mutation_id);
  if (mark === undefined || known) return [];
  const { actor_id, client_id, mutation_id } = mark;
  const result = {
    status: 'accepted',
    resolution: 'applied',
    new_version: null,
    server_version: null,
    bundle_seq: null,
  } as const;
  return [
    {
      ...{ scope_id, actor_id, client_id, mutation_id, hash: '', result },
      ...{ collection: keys[0]?.collection ?? '', doc_id: '', at_ms: snapshot.now_ms },
    },
  ];
}

interface Tick {
  readonly p: number;
  readonly c: number;
}

interface Work {
  readonly input: ForeignInput;
  readonly draft: PushDraft;
  readonly initial: ReadonlyMap<string, InitialState>;
  readonly releases: DocumentWrite[];
  readonly newTraces: DocumentTrace[];
  readonly staleTraces: (DocumentKey & { readonly scope_id: string })[];
  /** Versions of an earlier server that documents keep. */
  readonly kept: Hlc[];
  readonly found: ReadonlyMap<string, StoredDocument>;
  /** Documents that say which scope they are in. */
  readonly scoped: ReadonlySet<string>;
  readonly traces: ReadonlyMap<string, Hlc>;
}

/** One that names no scope any more, by field or stamp, stays where its trace says that it was. */
function inItsScope(
  document: StoredDocument,
  traces: ReadonlyMap<string, Hlc>,
  { catalogue, scope_id }: ForeignInput,
): StoredDocument {
  const policy = catalogue.get(document.collection);
  const homeless =
    document.scope_id === null &&
    policy !== undefined &&
    declaredScope(document.data, policy) === null;
  return homeless && traces.has(placeOf(document)) ? { ...document, scope_id } : document;
}

function decideOne(key: DocumentKey, change: ChangeRef, work: Work): ForeignVerdict {
  if (work.input.refused.has(change)) return 'refused';
  const state = work.draft.state(key.collection, key.doc_id);
  const document = work.found.get(placeOf(key));
  if (document === undefined) return decideAbsent(key, change, { work, state });
  if (document.soft_deleted === true && state.kind !== 'unavailable') {
    return takeDeletion(key, change, { work, state, document });
  }
  if (leavesScope(document, work.input)) {
    release(key, change, { work, document });
    return 'moved';
  }
  if (state.kind === 'unavailable') return decideUnavailable(key, work);
  const live = liveState(document, state, work.input);
  if (isOwn(key, { work, live })) {
    traceIt(key, { work, live });
    return 'known';
  }
  return take(key, change, { work, document, live });
}

/** Another scope took the document: the trace says that it was in this one until now. */
function decideUnavailable(key: DocumentKey, work: Work): ForeignVerdict {
  const parent_version = work.traces.get(placeOf(key));
  if (parent_version === undefined) return 'unavailable';
  leave(key, { work, parent_version });
  return 'moved';
}

/**
 * Whether the engine left it as it is. The hash alone does not say so: another program may copy a
 * document with the engine's fields to another id, or put an older state of one back [FW-10].
 */
function isOwn(
  key: DocumentKey,
  { work, live }: { readonly work: Work; readonly live: LiveState },
): boolean {
  if (live.foreign || !work.scoped.has(placeOf(key))) return false;
  const { catalogue, snapshot, options } = work.input;
  if (catalogue.get(key.collection)?.capture !== true) return true;
  const traced = work.traces.get(placeOf(key));
  if (traced !== undefined) return traced === live.version;
  if (work.initial.get(placeOf(key))?.tombstone === true) return false;
  const row = snapshot.parents.find(({ version }) => version === live.version);
  if (row === undefined) return options.untraced !== 'foreign';
  return row.collection === key.collection && row.doc_id === key.doc_id;
}

/** Capture that was switched on later finds documents that no trace was kept of. */
function traceIt(
  key: DocumentKey,
  { work, live }: { readonly work: Work; readonly live: LiveState },
): void {
  const { scope_id, catalogue } = work.input;
  if (catalogue.get(key.collection)?.capture !== true || work.traces.has(placeOf(key))) return;
  if (live.version !== null) work.newTraces.push({ ...key, scope_id, version: live.version });
}

/** A read-only document cannot be pushed to, and its content is taken over like any other. */
function liveState(document: StoredDocument, state: DocumentState, input: ForeignInput): LiveState {
  if (state.kind === 'live') return state;
  const states = initialStates(
    { ...input.snapshot, documents: [{ ...document, read_only: false, too_large: false }] },
    input.scope_id,
    input,
  );
  return states.get(placeOf(document))?.state as LiveState;
}

function take(
  key: DocumentKey,
  change: ChangeRef,
  of: { readonly work: Work; readonly document: StoredDocument; readonly live: LiveState },
): ForeignVerdict {
  const { work, document, live } = of;
  const { options } = work.input;
  const silent = isSilent(work.input) && document.hash === null;
  const version = silent ? stampOf(document, work) : work.input.versions.next();
  const { origin, actor_id = document.actor_id } = options;
  const taken = adoptContent(key, live, { version, origin, actor_id });
  const barred = document.too_large === true;
  work.draft.touch({ ...key, state: taken.state, change });
  if (silent) return 'stamped';
  work.draft.rows.push(barred ? barrierRow(key, { version, origin, actor_id }) : taken.row);
  return barred ? 'barred' : 'upserted';
}

/** A process that was paused and lost its right to adopt must not stamp behind the barrier. */
function isSilent({ options, snapshot }: ForeignInput): boolean {
  const { mode, barrier } = options;
  if (mode !== 'stamps') return false;
  return !snapshot.receipts.some(({ mutation_id }) => mutation_id === barrier?.mutation_id);
}

/** The version of a document that leaves no row. */
function stampOf(document: StoredDocument, work: Work): Hlc {
  const earlier = earlierVersion(document, work.input);
  if (earlier === null) return work.input.versions.next();
  work.kept.push(earlier);
  return earlier;
}

/** The version that an earlier server of the same protocol gave the document: its clients know it. */
function earlierVersion({ version }: StoredDocument, { snapshot }: ForeignInput): Hlc | null {
  const parts = version === null ? undefined : parseHlc(version);
  // One from the future could stand above what is drawn next.
  const past = parts !== undefined && parts.p < Math.max(snapshot.now_ms, snapshot.head.hlc_p);
  return past ? version : null;
}

function leavesScope(document: StoredDocument, input: ForeignInput): boolean {
  const policy = input.catalogue.get(document.collection);
  if (policy === undefined || document.scope_id !== input.scope_id) return false;
  const declared = declaredScope(document.data, policy);
  return declared !== null && declared !== input.scope_id;
}

function release(
  key: DocumentKey,
  change: ChangeRef,
  { work, document }: { readonly work: Work; readonly document: StoredDocument },
): void {
  const { version, hash } = document;
  leave(key, { work, parent_version: version });
  const { scope_id } = work.input;
  work.releases.push({ kind: 'release', change, guard: { version, hash }, ...key, scope_id });
}

/** The scope hears that the document is gone from it, and nothing of where it went. */
function leave(
  key: DocumentKey,
  { work, parent_version }: { readonly work: Work; readonly parent_version: Hlc | null },
): void {
  const { versions, options, scope_id } = work.input;
  const as = { ...options, version: versions.next(), parent_version };
  work.draft.rows.push(goneRow(key, { ...as, operation: 'remove' }));
  work.staleTraces.push({ ...key, scope_id });
}

/**
 * A document that stands there marked as deleted. One that never was current for the engine becomes a
 * tombstone without a row: no client can have it.
 */
function takeDeletion(
  key: DocumentKey,
  change: ChangeRef,
  of: { readonly work: Work; readonly state: DocumentState; readonly document: StoredDocument },
): ForeignVerdict {
  const { work, state, document } = of;
  const { options } = work.input;
  const unstamped = document.change_version === null && options.mode === 'stamps';
  if (isTombstone(document) && !unstamped) return decideAbsent(key, change, { work, state });
  if (document.hash !== null) {
    deleteIt(key, change, { work, parent_version: document.version });
    return 'deleted';
  }
  const version = stampOf(document, work);
  const deleted = { kind: 'deleted', version, change_version: version, client_id: null } as const;
  work.draft.touch({ ...key, state: deleted, change });
  return 'stamped';
}

/** Only a trace proves that an absent document was there. */
function decideAbsent(
  key: DocumentKey,
  change: ChangeRef,
  { work, state }: { readonly work: Work; readonly state: DocumentState },
): ForeignVerdict {
  const parent_version = work.traces.get(placeOf(key));
  if (parent_version === undefined) return 'known';
  if (state.kind === 'deleted' && !isOlder(state.version, parent_version)) {
    work.staleTraces.push({ ...key, scope_id: work.input.scope_id });
    return 'known';
  }
  deleteIt(key, change, { work, parent_version });
  return 'deleted';
}

/** A tombstone that is older than what its trace remembers was put back by another program. */
function isOlder(version: Hlc | null, than: Hlc): boolean {
  return version !== null && compareHlc(version, than) < 0;
}

function deleteIt(
  key: DocumentKey,
  change: ChangeRef,
  { work, parent_version }: { readonly work: Work; readonly parent_version: Hlc | null },
): void {
  const { versions, options } = work.input;
  const version = versions.next();
  work.draft.rows.push(goneRow(key, { ...options, version, operation: 'delete', parent_version }));
  const state = { kind: 'deleted', version, change_version: version, client_id: null } as const;
  work.draft.touch({ ...key, state, change });
}
