/**
 * Decides the rows about documents that the application wrote in its own transaction: by content,
 * as for any other program, but inside the transaction, with an author, and with what was there
 * before as the proof of a deletion. Pure.
 */

import { canonicalJson } from '../../protocol/pure/canonical-json.ts';
import { checkDocument, isDocumentFault, utf8Length } from '../../protocol/pure/extended-json.ts';
import type { Digest } from '../../protocol/pure/hash.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { BUNDLE_BYTES_MAX } from '../../protocol/pure/limits.ts';
import type { Catalogue, CollectionPolicy } from '../collections.ts';
import { declaredScope } from '../foreign/declared-scope.ts';
import { decideForeign } from '../foreign/decide-foreign.ts';
import type { VersionSource } from '../hybrid-clock.ts';
import type { DocumentTrace, OplogRow, StoredDocument } from '../ports/records.ts';
import {
  type EarlierDocument,
  ScopeWriteError,
  type WrittenDocuments,
} from '../ports/scope-writes.ts';
import type { Decision, DocumentKey } from '../ports/store.ts';
import { documentKey } from '../push/document-state.ts';

/** Everything the decision depends on. */
export interface ScopeWriteInput extends WrittenDocuments {
  readonly scope_id: string;
  readonly actor_id: string;
  readonly keys: readonly DocumentKey[];
  readonly versions: VersionSource;
  readonly catalogue: Catalogue;
  readonly digest: Digest;
  readonly max_documents: number;
  readonly max_document_bytes: number;
  /** A version that the application may have stamped itself, and the parent that it names. */
  readonly stamped?: Hlc;
  readonly parent_version?: Hlc | null;
}

/** One row that clients will pull. */
export interface WrittenRow extends DocumentKey {
  readonly operation: 'upsert' | 'delete';
  readonly version: Hlc;
}

/** What a write became. Without a row nothing had changed and `bundle_seq` is null. */
export interface WrittenBundle {
  readonly bundle_seq: number | null;
  readonly rows: readonly WrittenRow[];
}

/** Makes one bundle of what was written. Throws `ScopeWriteError` for what cannot be synced. */
export function decideScopeWrite(input: ScopeWriteInput): Decision<WrittenBundle> {
  const { snapshot, keys, scope_id, actor_id } = input;
  if (keys.length > input.max_documents) throw new ScopeWriteError('too_many_documents');
  const earlier = new Map(input.earlier.map((one) => [keyText(one), one]));
  const found = new Map(snapshot.documents.map((one) => [keyText(one), one]));
  for (const key of keys)
    checkKey(key, { input, now: found.get(keyText(key)), before: earlier.get(keyText(key)) });
  const { plan, outcome } = decideForeign({
    ...input,
    snapshot: {
      ...snapshot,
      documents: snapshot.documents.map((one) => ({ ...one, scope_id: one.scope_id ?? scope_id })),
      traces: [...(snapshot.traces ?? []), ...tracesOf(scope_id, earlier, found)],
    },
    options: { mode: 'rows', origin: 'server', actor_id },
  });
  outcome.forEach((verdict, index) => {
    const document = keys[index] as DocumentKey;
    if (verdict === 'refused') throw new ScopeWriteError('document_refused', { document });
    if (verdict === 'moved' || verdict === 'unavailable') throw moved(document);
  });
  const rows = plan.rows.map((row) => withParent(row, input, earlier));
  checkSizes(rows, input);
  return {
    plan: { ...plan, rows },
    outcome: { bundle_seq: rows[0]?.bundle_seq ?? null, rows: rows.map(writtenRow) },
  };
}

function keyText({ collection, doc_id }: DocumentKey): string {
  return documentKey(collection, doc_id);
}

/** Whoever writes as another scope's owner would make the stamp in the document a lie. */
function checkKey(
  document: DocumentKey,
  of: {
    readonly input: ScopeWriteInput;
    readonly now: StoredDocument | undefined;
    readonly before: EarlierDocument | undefined;
  },
): void {
  const { input, now, before } = of;
  const { scope_id, stamped } = input;
  const policy = input.catalogue.get(document.collection);
  if (policy === undefined) throw new ScopeWriteError('invalid_document', { document });
  if (policy.scope !== null && policy.scope !== scope_id) throw moved(document);
  if (before !== undefined && wasOfAnother(scope_id, before, policy)) throw moved(document);
  if (now === undefined) return;
  const declared = declaredScope(now.data, policy);
  if (declared !== null && declared !== scope_id) throw moved(document);
  const kept = now.version === null || now.version === (before?.version ?? null);
  if (!kept && now.version !== stamped)
    throw new ScopeWriteError('engine_fields_changed', { document });
  if (now.scope_id !== null && now.scope_id !== scope_id) throw moved(document);
}

/** What the engine did not take over yet is its scope's all the same, as in a push. */
function wasOfAnother(
  scope_id: string,
  { version, scope_id: owner, data }: EarlierDocument,
  policy: CollectionPolicy,
): boolean {
  if (version !== null || owner !== null) return owner !== scope_id;
  const named = data === undefined ? null : declaredScope(data, policy);
  return named !== null && named !== scope_id;
}

function moved(document: DocumentKey): ScopeWriteError {
  return new ScopeWriteError('scope_move_unsupported', { document });
}

/** A document that was the scope's before and is gone now was deleted: no other trace is needed. */
function tracesOf(
  scope_id: string,
  earlier: ReadonlyMap<string, EarlierDocument>,
  found: ReadonlyMap<string, StoredDocument>,
): DocumentTrace[] {
  return [...earlier].flatMap(([key, { collection, doc_id, version, deleted }]) =>
    found.has(key) || version === null || deleted
      ? []
      : [{ scope_id, collection, doc_id, version }],
  );
}

/** A replaced document has lost the stamp that names its predecessor. */
function withParent(
  row: OplogRow,
  input: ScopeWriteInput,
  earlier: ReadonlyMap<string, EarlierDocument>,
): OplogRow {
  const key = documentKey(row.collection, row.doc_id as string);
  const before = earlier.get(key)?.version ?? null;
  const parent_version = input.parent_version === undefined ? before : input.parent_version;
  return { ...row, parent_version };
}

function checkSizes(rows: readonly OplogRow[], input: ScopeWriteInput): void {
  let total = 0;
  for (const { collection, doc_id, data } of rows) {
    const bytes = data === null ? 0 : bytesOf(data);
    if (bytes > input.max_document_bytes) {
      const document = { collection, doc_id: doc_id as string };
      throw new ScopeWriteError('document_too_large', { document });
    }
    total += bytes;
  }
  if (total > BUNDLE_BYTES_MAX) throw new ScopeWriteError('bundle_too_large');
}

/** The stored size; of content outside the closed list the length of its text stands for it. */
function bytesOf(data: NonNullable<OplogRow['data']>): number {
  const checked = checkDocument(data);
  return isDocumentFault(checked) ? Math.abs(utf8Length(canonicalJson(data))) : checked.bytes;
}

function writtenRow({ collection, doc_id, operation, version }: OplogRow): WrittenRow {
  return {
    collection,
    doc_id: doc_id as string,
    operation: operation === 'delete' ? 'delete' : 'upsert',
    version,
  };
}
