/** Checks every stamp, hash and head of an adopted database. Reads only; judges what it finds. */

import { compareHlc, type Hlc, joins, parseHlc } from '../../protocol/pure/hlc.ts';
import { invariant } from '../invariant.ts';
import type { EngineCore } from '../parts.ts';
import type { CollectionPolicy } from '../collections.ts';
import type { ScopeHead, StoredDocument } from '../ports/records.ts';
import type { RowPosition } from '../ports/store.ts';
import { foreignOf, isKnown, scopeOf } from './compare.ts';

/** One fault, with what it is about. No content of documents. */
export interface VerifyFinding {
  readonly fault:
    | 'other_id_type'
    | 'no_scope'
    | 'no_version'
    | 'foreign_content'
    | 'version_above_head'
    | 'no_head'
    | 'head_is_not_newest_row'
    | 'chain_broken';
  readonly place: string;
}

/** Findings and how much was looked at. */
export interface VerifyReport {
  readonly documents: number;
  readonly scopes: number;
  readonly rows: number;
  /** All findings are counted, the first ones are kept. */
  readonly faults: number;
  readonly findings: readonly VerifyFinding[];
}

const BATCH_SIZE = 1_000;
const FINDINGS_MAX = 100;
const ROWS_PAGE = 1_000;
const ROWS_BYTES = 8_388_608;
const SCOPES_PAGE = 500;

/** Verifies the collections and all heads. `onStep` hears how many documents and rows were read. */
export async function verifyAll(
  core: EngineCore,
  collections: readonly string[],
  onStep: (read: number) => Promise<void> = async () => {},
): Promise<VerifyReport> {
  const report = new Report(onStep);
  const heads = new Heads(core);
  for (const collection of collections) await verifyDocuments(core, collection, { report, heads });
  for (let after: string | null = null; ; ) {
    const scopes: readonly string[] = await core.store.listScopes(after, SCOPES_PAGE);
    for (const scope_id of scopes) await verifyScope(core, scope_id, report);
    after = scopes.at(-1) ?? null;
    if (after === null) return report.result();
  }
}

class Report {
  documents = 0;
  scopes = 0;
  rows = 0;
  #faults = 0;
  readonly #findings: VerifyFinding[] = [];
  readonly #onStep: (read: number) => Promise<void>;

  constructor(onStep: (read: number) => Promise<void>) {
    this.#onStep = onStep;
  }

  add(fault: VerifyFinding['fault'], place: string): void {
    this.#faults += 1;
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push({ fault, place });
  }

  step(): Promise<void> {
    return this.#onStep(this.documents + this.rows);
  }

  result(): VerifyReport {
    const { documents, scopes, rows } = this;
    return { documents, scopes, rows, faults: this.#faults, findings: this.#findings };
  }
}

/** Heads by scope. One that is behind a version is read again: pushes go on meanwhile. */
class Heads {
  readonly #core: EngineCore;
  readonly #heads = new Map<string, ScopeHead | null>();

  constructor(core: EngineCore) {
    this.#core = core;
  }

  async of(scope_id: string, fresh = false): Promise<ScopeHead | null> {
    const known = this.#heads.get(scope_id);
    if (known !== undefined && !fresh) return known;
    const { head } = await this.#core.store.readScope(scope_id, null);
    this.#heads.set(scope_id, head);
    return head;
  }
}

async function verifyDocuments(
  core: EngineCore,
  collection: string,
  to: { readonly report: Report; readonly heads: Heads },
): Promise<void> {
  const policy = core.catalogue.get(collection);
  invariant(policy !== undefined, 'a verified collection is configured');
  const { report } = to;
  const scan = { position: null, batch_size: BATCH_SIZE };
  for await (const { documents } of foreignOf(core).scan(collection, scan)) {
    for (const { document, id_kind } of documents) {
      report.documents += 1;
      if (document === null) report.add('other_id_type', `${collection} (${id_kind})`);
      else await verifyDocument(core, document, { ...to, policy });
    }
    await report.step();
  }
}

async function verifyDocument(
  core: EngineCore,
  document: StoredDocument,
  by: { readonly report: Report; readonly heads: Heads; readonly policy: CollectionPolicy },
): Promise<void> {
  const { report, heads, policy } = by;
  const place = `${policy.name}/${document.doc_id}`;
  const scope_id = scopeOf(document, policy);
  if (scope_id === null) return report.add('no_scope', place);
  if (document.version === null) return report.add('no_version', place);
  if (!isKnown(document, policy, core.system.crypto.sha256)) {
    return report.add('foreign_content', place);
  }
  await checkBelowHead(document.version, { scope_id, place, report, heads });
}

async function checkBelowHead(
  version: string,
  of: {
    readonly scope_id: string;
    readonly place: string;
    readonly report: Report;
    readonly heads: Heads;
  },
): Promise<void> {
  const { scope_id, place, report, heads } = of;
  const isBelow = (head: ScopeHead) => {
    const parts = parseHlc(version);
    if (parts === undefined) return false;
    return parts.p < head.hlc_p || (parts.p === head.hlc_p && parts.c <= head.hlc_c);
  };
  const head = await heads.of(scope_id);
  if (head !== null && isBelow(head)) return;
  const again = await heads.of(scope_id, true);
  if (again === null) report.add('no_head', place);
  else if (!isBelow(again)) report.add('version_above_head', place);
}

/** The rows of a scope join each other up to the head. */
async function verifyScope(core: EngineCore, scope_id: string, report: Report): Promise<void> {
  report.scopes += 1;
  const { head } = await core.store.readScope(scope_id, null);
  if (head === null) return;
  const first = await core.store.firstRow(scope_id);
  let last: { version: Hlc | ''; seq: number } | null =
    first === null ? null : { version: first.prev, seq: first.seq - 1 };
  while (last !== null && last.seq < head.head_seq) {
    const { seq: after_seq } = last;
    const range = { scope_id, after_seq, max_rows: ROWS_PAGE, max_bytes: ROWS_BYTES };
    const rows = await core.store.readRows(range);
    if (rows.length === 0) break;
    for (const row of rows.filter(({ seq }) => seq <= head.head_seq)) {
      last = verifyRow(row, { last, scope_id, report });
    }
    await report.step();
  }
  if (last !== null && compareHlc(last.version, head.head_version) !== 0) {
    report.add('head_is_not_newest_row', scope_id);
  }
}

function verifyRow(
  { version, prev, seq }: RowPosition,
  of: {
    readonly last: { readonly version: Hlc | ''; readonly seq: number };
    readonly scope_id: string;
    readonly report: Report;
  },
): { readonly version: Hlc; readonly seq: number } {
  const { last, scope_id, report } = of;
  const joined = seq === last.seq + 1 && joins(prev, last.version);
  if (!joined) report.add('chain_broken', `${scope_id} seq ${seq}`);
  report.rows += 1;
  return { version, seq };
}
