/** Content hashes over canonical JSON. The digest is passed in, because this folder imports nothing. */

import { canonicalJson, type Json, type JsonObject } from './canonical-json.ts';
import type { Hlc } from './hlc.ts';

/** SHA-256 of the UTF-8 bytes of `text`, as 64 lower-case hex digits. */
export type Digest = (text: string) => string;

/** A row as the bundle hash sees it. */
export interface HashedRow {
  readonly collection: string;
  readonly doc_id: string | null;
  readonly operation: string;
  readonly data: JsonObject | null;
  readonly ordinal: number;
  readonly version: Hlc;
}

/** What identifies a mutation beside its data: a repeat must agree in all of it. */
export interface HashedMutation {
  readonly collection: string;
  readonly operation: string;
  readonly doc_id: string;
  readonly parent_version: Hlc | null;
  readonly change_version: Hlc | null;
}

/** Hash of a document's user fields. */
export function documentHash(digest: Digest, data: JsonObject): string {
  return digest(canonicalJson(data));
}

/** Hash of a bundle: its rows in order with place and version. */
export function bundleHash(digest: Digest, rows: readonly HashedRow[]): string {
  const plain: Json = rows.map(({ collection, data, doc_id, operation, ordinal, version }) => ({
    collection,
    data,
    doc_id,
    operation,
    ordinal,
    version,
  }));
  return digest(canonicalJson(plain));
}

/**
 * Hash that tells a repeated mutation from a reused id: canonical JSON of collection, operation,
 * doc_id, data, parent_version and change_version. `dataText` is the canonical text of the data
 * ("null" without data), so that a document is made canonical once per push.
 */
export function mutationHash(digest: Digest, mutation: HashedMutation, dataText: string): string {
  const text = (value: string | null): string => JSON.stringify(value);
  return digest(
    `{"change_version":${text(mutation.change_version)},"collection":${text(mutation.collection)}` +
      `,"data":${dataText},"doc_id":${text(mutation.doc_id)}` +
      `,"operation":${text(mutation.operation)}` +
      `,"parent_version":${text(mutation.parent_version)}}`,
  );
}
