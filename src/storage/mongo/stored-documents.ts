/** Business documents with their engine fields, both ways. */

import { BSON, type Document } from 'mongodb';
import type { StoredDocument } from '../../core/ports/records.ts';
import type { DocumentWrite, WriteGuard } from '../../core/ports/store.ts';
import type { Json } from '../../protocol/pure/canonical-json.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import { ROW_DOCUMENT_BYTES_MAX } from '../../protocol/pure/limits.ts';
import { decodeId, encodeDocument, encodeId, type StoredContent } from './bson-codec.ts';
import { decodeDocument, type StoredTypes } from './bson-reader.ts';

/** A document with its bytes and the odd number types it is stored with. */
export interface FoundDocument {
  readonly bytes: Uint8Array;
  readonly document: StoredDocument;
  readonly types: StoredTypes | undefined;
}

/** Reads a document. Undefined when its `_id` is not of the collection's type: no client can name it. */
export function documentFrom(
  bytes: Uint8Array,
  collection: string,
  type: IdType,
): FoundDocument | undefined {
  const { engine, data, read_only, types } = decodeDocument(bytes);
  const doc_id = decodeId(engine['_id'], type);
  if (doc_id === undefined) return undefined;
  const document: StoredDocument = {
    collection,
    doc_id,
    // An earlier server of the same protocol knew the actor alone, as user, and it was the scope.
    scope_id: textOrNull(engine['_sync_scope_id']) ?? textOrNull(engine['_sync_user_id']),
    version: textOrNull(engine['_sync_version']) as StoredDocument['version'],
    change_version: textOrNull(engine['_sync_change_version']) as StoredDocument['change_version'],
    hash: textOrNull(engine['_sync_hash']),
    actor_id: textOrNull(engine['_sync_actor_id']) ?? textOrNull(engine['_sync_user_id']),
    client_id: textOrNull(engine['_sync_client_id']),
    data,
    read_only,
    ...(engine['_sync_deleted'] === true ? { soft_deleted: true } : {}),
    ...(bytes.length > ROW_DOCUMENT_BYTES_MAX ? { too_large: true } : {}),
  };
  return { bytes, document, types };
}

/** The whole stored form of a document that is put. */
export function storedDocument(
  document: Extract<DocumentWrite, { kind: 'put' }>['document'],
  type: IdType,
  stored: StoredContent | undefined,
): Document {
  return {
    _id: encodeId(document.doc_id, type),
    ...encodeDocument(document.typed ?? document.data, stored),
    ...engineFields(document),
  };
}

/** The fields that the engine adds to a document. */
export function engineFields(
  document: Omit<Extract<DocumentWrite, { kind: 'put' }>['document'], 'data' | 'typed'>,
): Document {
  return {
    _sync_version: document.version,
    _sync_scope_id: document.scope_id,
    _sync_actor_id: document.actor_id,
    _sync_client_id: document.client_id,
    _sync_change_version: document.change_version,
    _sync_hash: document.hash,
  };
}

/** Every field that the engine may have added to a current document. */
export const ENGINE_FIELDS = [
  '_sync_version',
  '_sync_scope_id',
  '_sync_actor_id',
  '_sync_client_id',
  '_sync_change_version',
  '_sync_hash',
] as const;

/** Where a stamp keeps what an earlier server had under the same names, for `init --remove` [RM-7]. */
export const FIELDS_BEFORE = '_sync_before';

/** The field to add when a document is stamped for the first time; nothing where nobody stamped before. */
export function fieldsBefore(bytes: Uint8Array | undefined): Document {
  if (bytes === undefined) return {};
  // Text that is no UTF-8 elsewhere in the document must not be in the way.
  const document = BSON.deserialize(bytes, { promoteValues: false, validation: { utf8: false } });
  if ('_sync_hash' in document || FIELDS_BEFORE in document) return {};
  const there = ENGINE_FIELDS.filter((field) => field in document);
  if (there.length === 0) return {};
  return { [FIELDS_BEFORE]: Object.fromEntries(there.map((field) => [field, document[field]])) };
}

/** Takes the engine's fields off a document and leaves the rest as it is. */
export const RELEASE: Document = {
  $unset: Object.fromEntries(ENGINE_FIELDS.map((field) => [field, ''])),
};

/**
 * Matches the document only as the guard expects it. What was read as null may be any value that is no
 * text, because other programs write these fields too: a filter for null alone would never match it.
 */
export function guardFilter(
  target: { readonly doc_id: string; readonly scope_id: string },
  type: IdType,
  guard: WriteGuard,
): Document {
  return {
    _id: encodeId(target.doc_id, type),
    _sync_version: guard.version ?? NO_TEXT,
    _sync_hash: guard.hash ?? NO_TEXT,
    // The scope may be missing: it was taken away, or the engine never wrote the document. One
    // condition per field: behind a disjunction some planners do not look by id.
    _sync_scope_id: { $not: { $type: 'string', $ne: target.scope_id } },
  };
}

const NO_TEXT: Document = { $not: { $type: 'string' } };

function textOrNull(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
