/**
 * Verdicts on changes before any I/O: names, ids, versions, documents, sizes and rights. What is
 * wrong inside a change rejects that change, never the request [PU-2].
 */

import { CHANGE_FIELDS } from '../../protocol/change.ts';
import { fieldIssues } from '../../protocol/near-miss.ts';
import { canonicalJson, type Json, type JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { Issue, IssueCode, RejectionCode } from '../../protocol/pure/error-codes.ts';
import { checkDocument, isDocumentFault } from '../../protocol/pure/extended-json.ts';
import { type Digest, mutationHash } from '../../protocol/pure/hash.ts';
import { compareHlc, type Hlc, isHlc } from '../../protocol/pure/hlc.ts';
import { canonicalDocId, isMutationId } from '../../protocol/pure/ids.ts';
import type { Catalogue, CollectionPolicy } from '../collections.ts';
import { scopeText } from '../foreign/declared-scope.ts';

/** A change that may be decided. */
export interface AdmittedChange {
  readonly kind: 'admitted';
  readonly index: number;
  readonly collection: string;
  readonly operation: 'upsert' | 'delete';
  readonly doc_id: string;
  /** Canonical document with the scope field stamped; null for a delete. */
  readonly data: JsonObject | null;
  readonly typed: JsonObject | null;
  /** Content hash of `data`; "" for a delete. */
  readonly content_hash: string;
  /** Hash of the mutation as it was sent. */
  readonly mutation_hash: string;
  readonly parent_version: Hlc | null;
  readonly change_version: Hlc | null;
  readonly mutation_id: string | null;
  readonly parent_mutation_id: string | null;
  /** Stored size, bytes. */
  readonly bytes: number;
}

/** A change that was refused, with everything its result needs. */
export interface RejectedChange {
  readonly kind: 'rejected';
  readonly index: number;
  readonly collection: string | null;
  readonly doc_id: string | null;
  readonly mutation_id: string | null;
  readonly code: RejectionCode;
  readonly issues: readonly Issue[];
}

/** Verdict on one change. */
export type CheckedChange = AdmittedChange | RejectedChange;

/** What a check needs beside the change. */
export interface CheckOptions {
  readonly catalogue: Catalogue;
  readonly scope_id: string;
  readonly max_document_bytes: number;
  readonly digest: Digest;
  /** Whether the caller may push to a configured collection. */
  mayPush(collection: string): boolean;
}

/** Judges every change of a push, in order. Pure. */
export function checkChanges(
  changes: readonly unknown[],
  options: CheckOptions,
): readonly CheckedChange[] {
  return changes.map((change, index) => checkChange(change, index, options));
}

class Refusal extends Error {
  readonly code: RejectionCode;
  readonly issues: readonly Issue[];
  constructor(code: RejectionCode, issues: readonly Issue[]) {
    super(code);
    this.code = code;
    this.issues = issues;
  }
}

function checkChange(change: unknown, index: number, options: CheckOptions): CheckedChange {
  try {
    return admit(change, index, options);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const source = isObject(change) ? change : {};
    return {
      kind: 'rejected',
      index,
      collection: shortText(source.collection),
      doc_id: shortText(source.doc_id),
      mutation_id: isMutationId(source.mutation_id) ? source.mutation_id : null,
      code: error.code,
      issues: error.issues.map((issue) => ({ ...issue, path: `/changes/${index}${issue.path}` })),
    };
  }
}

function admit(change: unknown, index: number, options: CheckOptions): AdmittedChange {
  if (!isObject(change)) throw refuse('', 'invalid_change', 'a change must be a JSON object');
  const names = fieldIssues(change, CHANGE_FIELDS, 'change');
  if (names.length > 0) throw new Refusal('validation_failed', names);
  const policy = policyOf(change.collection, options);
  const operation = operationOf(change.operation);
  const doc_id = canonicalDocId(change.doc_id, policy.id_type);
  if (doc_id === undefined) {
    throw refuse('/doc_id', 'invalid_doc_id', `doc_id must be a string of type ${policy.id_type}`);
  }
  const parent_version = version(change.parent_version, '/parent_version', true);
  const change_version = version(change.change_version, '/change_version', false);
  const mutation_id = mutationId(change.mutation_id, '/mutation_id');
  const parent_mutation_id = mutationId(change.parent_mutation_id, '/parent_mutation_id');
  const content =
    operation === 'upsert' ? checkContent(change.data, { doc_id, policy }, options) : EMPTY;
  const identity = { collection: policy.name, operation, doc_id, parent_version, change_version };
  return {
    kind: 'admitted',
    index,
    ...identity,
    data: content.data,
    typed: content.typed,
    content_hash: content.hash,
    mutation_hash: mutationHash(options.digest, identity, content.sentText),
    mutation_id,
    parent_mutation_id,
    bytes: content.bytes + doc_id.length,
  };
}

function policyOf(name: unknown, options: CheckOptions): CollectionPolicy {
  const policy = typeof name === 'string' ? options.catalogue.get(name) : undefined;
  if (policy === undefined || !options.mayPush(policy.name)) {
    throw new Refusal('collection_forbidden', [
      { path: '/collection', code: 'invalid_collection', message: 'see GET /sync/capabilities' },
    ]);
  }
  if (policy.scope !== null && policy.scope !== options.scope_id) {
    throw new Refusal('scope_forbidden', [
      { path: '/collection', code: 'invalid_collection', message: 'it belongs to another scope' },
    ]);
  }
  return policy;
}

function operationOf(value: unknown): 'upsert' | 'delete' {
  if (value === 'upsert' || value === 'delete') return value;
  throw refuse('/operation', 'invalid_operation', 'operation must be "upsert" or "delete"');
}

interface Content {
  readonly data: JsonObject | null;
  readonly typed: JsonObject | null;
  readonly hash: string;
  readonly sentText: string;
  readonly bytes: number;
}

const EMPTY: Content = { data: null, typed: null, hash: '', sentText: 'null', bytes: 0 };

function checkContent(
  sent: unknown,
  target: { readonly doc_id: string; readonly policy: CollectionPolicy },
  options: CheckOptions,
): Content {
  const { doc_id, policy } = target;
  const checked = checkDocument(withoutId(sent ?? {}, doc_id, policy));
  if (isDocumentFault(checked)) {
    const issue = { path: `/data${checked.path}`, code: checked.code, message: checked.message };
    throw new Refusal(checked.code === 'invalid_key' ? 'invalid_key' : 'validation_failed', [
      issue,
    ]);
  }
  if (checked.bytes > options.max_document_bytes) {
    throw new Refusal('document_too_large', [
      {
        path: '/data',
        code: 'invalid_data',
        message: `a document has at most ${options.max_document_bytes} bytes`,
      },
    ]);
  }
  const sentText = canonicalJson(checked.data);
  const data = stampScope(checked.data, policy, options.scope_id);
  const typed = checked.typed && stampScope(checked.typed, policy, options.scope_id);
  const text = data === checked.data ? sentText : canonicalJson(data);
  return { data, typed, hash: options.digest(text), sentText, bytes: checked.bytes };
}

/** Refuses engine fields, checks `_id` against the id, and takes it out of the document. */
function withoutId(sent: unknown, doc_id: string, policy: CollectionPolicy): unknown {
  if (!isObject(sent)) return sent;
  const reserved = Object.keys(sent).find((key) => key.startsWith('_sync_'));
  if (reserved !== undefined) {
    throw new Refusal('reserved_field', [
      { path: `/data/${reserved.slice(0, 64)}`, code: 'reserved_field', message: 'leave it out' },
    ]);
  }
  if (!Object.hasOwn(sent, '_id')) return sent;
  const { _id, ...rest } = sent;
  const own = isObject(_id) ? (_id.$oid ?? _id.$uuid) : typeof _id === 'number' ? String(_id) : _id;
  if (canonicalDocId(own, policy.id_type) !== doc_id) {
    throw refuse('/data/_id', 'id_mismatch', '_id must be equal to doc_id, or left out');
  }
  return rest;
}

/** Puts the scope into the collection's scope field; refuses another value there [PU-5]. */
function stampScope(data: JsonObject, policy: CollectionPolicy, scope_id: string): JsonObject {
  if (policy.scope_field === null) return data;
  return stampPath(data, policy.scope_field, scope_id);
}

function stampPath(data: JsonObject, path: readonly string[], scope_id: string): JsonObject {
  const [key, ...rest] = path as [string, ...string[]];
  const value: Json | undefined = Object.hasOwn(data, key) ? data[key] : undefined;
  if (rest.length === 0) {
    if (value === undefined) return { ...data, [key]: scope_id };
    if (scopeText(value) === scope_id) return data;
  } else if (value === undefined || (isObject(value) && !isWrapper(value))) {
    return { ...data, [key]: stampPath((value ?? {}) as JsonObject, rest, scope_id) };
  }
  throw new Refusal('scope_forbidden', [
    {
      path: '/data',
      code: 'invalid_data',
      message: "leave the scope field out or send the request's scope",
    },
  ]);
}

/** True for an Extended JSON value of a checked document: it is one value, nothing goes into it. */
function isWrapper(value: Record<string, unknown>): boolean {
  return Object.keys(value).some((key) => key.startsWith('$'));
}

/** "" and the zero HLC mean "no parent", because seed clients send them on their first edits. */
function version(value: unknown, path: string, mayBeEmpty: boolean): Hlc | null {
  if (value === undefined || value === null || (mayBeEmpty && value === '')) return null;
  if (!isHlc(value)) {
    throw new Refusal('hlc_invalid', [
      { path, code: 'invalid_version', message: 'for example 20260502T120000.000Z-0001-a1b2' },
    ]);
  }
  return mayBeEmpty && compareHlc(value, '') === 0 ? null : value;
}

function mutationId(value: unknown, path: string): string | null {
  if (value === undefined || value === null) return null;
  if (isMutationId(value)) return value;
  throw refuse(path, 'invalid_mutation_id', 'use 1 to 64 characters, for example a UUID');
}

function refuse(path: string, code: IssueCode, message: string): Refusal {
  return new Refusal('validation_failed', [{ path, code, message }]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Echoes a refused name only when it is short: an answer never grows with hostile input. */
function shortText(value: unknown): string | null {
  return typeof value === 'string' && value.length <= 256 ? value : null;
}
