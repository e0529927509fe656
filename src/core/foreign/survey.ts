/** What adopting a collection would do: every document is read once and nothing is written. */

import type { CollectionPolicy } from '../collections.ts';
import { invariant } from '../invariant.ts';
import type { EngineCore } from '../parts.ts';
import type { StoredDocument } from '../ports/records.ts';
import { foreignOf, isKnown, scopeOf } from './compare.ts';

/** The plan of one collection, in numbers of documents. */
export interface Survey {
  readonly collection: string;
  readonly documents: number;
  /** Have a version and the content that belongs to it. */
  readonly known: number;
  /** Get a version. */
  readonly unstamped: number;
  /** Have a version, and content that another program wrote since. */
  readonly changed: number;
  /** Have a version of an earlier server of the same protocol, which they keep. */
  readonly earlier: number;
  readonly without_scope: number;
  /** Larger than a push may carry: they get no version. */
  readonly too_large: number;
  /** Hold BSON types that a push cannot carry: served, never written. */
  readonly read_only: number;
  /** By BSON type of `_id`. */
  readonly id_types: Readonly<Record<string, number>>;
  readonly id_type: string;
  /** Where a scope comes from: a constant, a field, or nothing. */
  readonly scope_source: string;
  readonly scopes: number;
  /** More than `scopes` when there were too many to count. */
  readonly scopes_counted: boolean;
  readonly bytes: number;
  /** First ids of documents that cannot be adopted, by reason. */
  readonly examples: Readonly<Record<string, readonly string[]>>;
}

/** Documents that cannot get a version. */
export function skippedBy(survey: Survey): number {
  return survey.without_scope + survey.too_large + otherIds(survey);
}

/** Documents whose id is of another type than configured. */
export function otherIds({ id_types, id_type }: Survey): number {
  return Object.entries(id_types).reduce((sum, [type, n]) => sum + (type === id_type ? 0 : n), 0);
}

const BATCH_SIZE = 1_000;
const EXAMPLES_MAX = 3;
/** Scopes that are told apart; a survey must not grow with the number of users. */
const SCOPES_MAX = 100_000;

/** What a survey needs of an engine. */
export type SurveyCore = Pick<EngineCore, 'store' | 'catalogue' | 'system'>;

/** Reads a collection. `onBatch` hears how many documents were read so far. */
export async function surveyCollection(
  core: SurveyCore,
  collection: string,
  options: { readonly max_bytes: number; onBatch?(documents: number): Promise<void> },
): Promise<Survey> {
  const policy = core.catalogue.get(collection);
  invariant(policy !== undefined, 'a surveyed collection is configured');
  const tally = new Tally();
  const scan = { position: null, batch_size: BATCH_SIZE };
  for await (const { documents } of foreignOf(core).scan(collection, scan)) {
    for (const { document, bytes, id_kind } of documents) {
      tally.document(id_kind, bytes);
      if (document === null) tally.example('other_id_type', id_kind);
      else survey(document, bytes, { tally, policy, core, max_bytes: options.max_bytes });
    }
    await options.onBatch?.(tally.count('documents'));
  }
  return tally.survey(policy);
}

function survey(
  document: StoredDocument,
  bytes: number,
  by: {
    readonly tally: Tally;
    readonly policy: CollectionPolicy;
    readonly core: SurveyCore;
    readonly max_bytes: number;
  },
): void {
  const { tally, policy, core, max_bytes } = by;
  if (document.read_only) tally.add('read_only');
  if (document.version !== null && document.hash === null) tally.add('earlier');
  const scope_id = scopeOf(document, policy);
  if (scope_id !== null) tally.scope(scope_id);
  if (isKnown(document, policy, core.system.crypto.sha256)) tally.add('known');
  else if (scope_id === null) tally.skip('without_scope', document.doc_id);
  else if (bytes > max_bytes) tally.skip('too_large', document.doc_id);
  else tally.add(document.hash === null ? 'unstamped' : 'changed');
}

type Counted =
  | 'documents'
  | 'known'
  | 'unstamped'
  | 'changed'
  | 'earlier'
  | 'without_scope'
  | 'too_large'
  | 'read_only';

class Tally {
  #bytes = 0;
  readonly #idTypes = new Map<string, number>();
  readonly #counts = new Map<Counted, number>();
  readonly #scopes = new Set<string>();
  readonly #examples = new Map<string, string[]>();

  document(id_kind: string, bytes: number): void {
    this.add('documents');
    this.#bytes += bytes;
    this.#idTypes.set(id_kind, (this.#idTypes.get(id_kind) ?? 0) + 1);
  }

  add(what: Counted): void {
    this.#counts.set(what, this.count(what) + 1);
  }

  count(what: Counted): number {
    return this.#counts.get(what) ?? 0;
  }

  scope(scope_id: string): void {
    if (this.#scopes.size < SCOPES_MAX) this.#scopes.add(scope_id);
  }

  skip(why: 'without_scope' | 'too_large', doc_id: string): void {
    this.add(why);
    this.example(why, doc_id);
  }

  example(why: string, text: string): void {
    const known = this.#examples.get(why) ?? [];
    if (known.length < EXAMPLES_MAX && !known.includes(text)) known.push(text);
    this.#examples.set(why, known);
  }

  survey({ name, id_type, scope, scope_field }: CollectionPolicy): Survey {
    return {
      collection: name,
      documents: this.count('documents'),
      known: this.count('known'),
      unstamped: this.count('unstamped'),
      changed: this.count('changed'),
      earlier: this.count('earlier'),
      without_scope: this.count('without_scope'),
      too_large: this.count('too_large'),
      read_only: this.count('read_only'),
      id_types: Object.fromEntries(this.#idTypes),
      id_type,
      scope_source:
        scope !== null ? `scope ${scope}` : scope_field ? `field ${scope_field.join('.')}` : 'none',
      scopes: this.#scopes.size,
      scopes_counted: this.#scopes.size < SCOPES_MAX,
      bytes: this.#bytes,
      examples: Object.fromEntries(this.#examples),
    };
  }
}
