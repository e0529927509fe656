/** What a document is while a group is being decided, and where that comes from. */

import { documentHash, type Digest } from '../../protocol/pure/hash.ts';
import type { JsonObject } from '../../protocol/pure/canonical-json.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { Catalogue } from '../collections.ts';
import { declaredScope } from '../foreign/declared-scope.ts';
import { invariant } from '../invariant.ts';
import { isTombstone } from '../ports/group-rules.ts';
import type { StoredDocument, Tombstone } from '../ports/records.ts';
import type { DocumentKey, GroupSnapshot, WriteGuard } from '../ports/store.ts';

/** A current document of the scope. `foreign` = its content was not written by the engine. */
export interface LiveState {
  readonly kind: 'live';
  /** Null only for an unmigrated document that is provably the scope's. */
  readonly version: Hlc | null;
  readonly change_version: Hlc | null;
  readonly hash: string;
  readonly actor_id: string | null;
  readonly client_id: string | null;
  readonly data: JsonObject;
  readonly typed: JsonObject | null;
  readonly foreign: boolean;
  /** The content is what is stored: a write of it touches the engine's fields only. */
  readonly as_stored: boolean;
}

/** A deleted document. A null version = deleted by evidence only: its tombstone is gone. */
export interface DeletedState {
  readonly kind: 'deleted';
  readonly version: Hlc | null;
  readonly change_version: Hlc | null;
  readonly client_id: string | null;
}

/** A document that the application marked as deleted while the engine had it as current. */
export interface SoftDeletedState {
  readonly kind: 'soft_deleted';
  readonly version: Hlc | null;
}

/** State of one document. `unavailable` = another scope's or unmigrated; `read_only` = unsupported types, or too large. */
export type DocumentState =
  | LiveState
  | DeletedState
  | SoftDeletedState
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'read_only' };

/** What the store held before the group: the guard of the document, and whether a tombstone stood there. */
export interface InitialState {
  readonly state: DocumentState;
  readonly guard: WriteGuard | null;
  readonly tombstone: boolean;
}

/** Map key of a document. Neither part can hold the separator's control character. */
export function documentKey(collection: string, doc_id: string): string {
  return `${collection}\u0000${doc_id}`;
}

/** The same of a key as one value. */
export function placeOf({ collection, doc_id }: DocumentKey): string {
  return documentKey(collection, doc_id);
}

/** States of all loaded documents; a missing entry is absent. Pure. */
export function initialStates(
  snapshot: GroupSnapshot,
  scope_id: string,
  options: { readonly catalogue: Catalogue; readonly digest: Digest },
): Map<string, InitialState> {
  const states = new Map<string, InitialState>();
  for (const tombstone of snapshot.tombstones) {
    invariant(tombstone.scope_id === scope_id, 'a loaded tombstone belongs to the scope');
    states.set(documentKey(tombstone.collection, tombstone.doc_id), {
      state: deletedState(tombstone),
      guard: null,
      tombstone: true,
    });
  }
  for (const document of snapshot.documents) {
    const key = documentKey(document.collection, document.doc_id);
    states.set(key, {
      state: documentState(document, scope_id, options),
      guard: { version: document.version, hash: document.hash },
      tombstone: states.get(key)?.tombstone ?? false,
    });
  }
  return states;
}

function deletedState(
  tombstone: Pick<StoredDocument | Tombstone, 'version' | 'change_version' | 'client_id'>,
): DeletedState {
  const { version, change_version, client_id } = tombstone;
  return { kind: 'deleted', version, change_version: change_version ?? version, client_id };
}

function documentState(
  document: StoredDocument,
  scope_id: string,
  options: { readonly catalogue: Catalogue; readonly digest: Digest },
): DocumentState {
  const migrated = document.version !== null && document.scope_id !== null;
  if (migrated ? document.scope_id !== scope_id : !provesScope(document, scope_id, options)) {
    return { kind: 'unavailable' };
  }
  // Before the types are looked at: what is deleted has no content that could be altered.
  if (isTombstone(document)) return deletedState(document);
  if (document.soft_deleted === true) return { kind: 'soft_deleted', version: document.version };
  // Another program moved it, and nobody has looked yet: what it holds now is not this scope's to see.
  if (declaresOther(document, scope_id, options)) return { kind: 'unavailable' };
  if (document.read_only || document.too_large === true) return { kind: 'read_only' };
  const hash = documentHash(options.digest, document.data);
  return {
    kind: 'live',
    version: document.version,
    change_version: document.change_version ?? document.version,
    hash,
    actor_id: document.actor_id,
    client_id: document.client_id,
    data: document.data,
    typed: null,
    foreign: !migrated || document.hash !== hash,
    as_stored: true,
  };
}

function declaresOther(
  { collection, data }: StoredDocument,
  scope_id: string,
  { catalogue }: { readonly catalogue: Catalogue },
): boolean {
  const policy = catalogue.get(collection);
  const declared = policy === undefined ? null : declaredScope(data, policy);
  return declared !== null && declared !== scope_id;
}

/** Whether the configuration ties an unmigrated document to the scope: by constant, or by its own field. */
function provesScope(
  document: StoredDocument,
  scope_id: string,
  options: { readonly catalogue: Catalogue },
): boolean {
  if (document.scope_id !== null) return document.scope_id === scope_id;
  const policy = options.catalogue.get(document.collection);
  return policy !== undefined && declaredScope(document.data, policy) === scope_id;
}
