/** Rules and canonical forms of the ids that travel: documents, clients, mutations. */

import {
  CLIENT_ID_LENGTH_MAX,
  DOC_ID_LENGTH_MAX,
  IDENTITY_LENGTH_MAX,
  MUTATION_ID_LENGTH_MAX,
} from './limits.ts';

/** How a collection's `_id` is stored; on the wire it is always the canonical string. */
export type IdType = 'string' | 'objectid' | 'int' | 'uuid';

/** Every id type. */
export const ID_TYPES = ['string', 'objectid', 'int', 'uuid'] as const;

// C0, DEL, C1, line and paragraph separators, and the two non-characters that break readers.
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the purpose
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]/;

/** True when every surrogate has its partner; a lone one would be replaced on storage and merge two ids. */
export function isWellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}

function isSafeText(text: unknown, max: number): text is string {
  return (
    typeof text === 'string' &&
    text.length > 0 &&
    text.length <= max &&
    !UNSAFE.test(text) &&
    isWellFormed(text)
  );
}

/** 1–128 characters without control characters. */
export function isClientId(value: unknown): value is string {
  return isSafeText(value, CLIENT_ID_LENGTH_MAX);
}

/** 1–64 characters without control characters; a UUID or ULID is expected, not demanded. */
export function isMutationId(value: unknown): value is string {
  return isSafeText(value, MUTATION_ID_LENGTH_MAX);
}

/** Scope and actor ids from a token: 1–128 characters without control characters. */
export function isIdentityText(value: unknown): value is string {
  return isSafeText(value, IDENTITY_LENGTH_MAX);
}

/**
 * The canonical wire form of a document id for its collection's type, or undefined when the value
 * is no id of that type. Numbers are never accepted: on the wire an id is a string [ID-1].
 */
export function canonicalDocId(value: unknown, type: IdType): string | undefined {
  if (!isSafeText(value, DOC_ID_LENGTH_MAX)) return undefined;
  switch (type) {
    case 'string':
      return value;
    case 'objectid':
      return /^[0-9a-fA-F]{24}$/.test(value) ? value.toLowerCase() : undefined;
    case 'uuid':
      return /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(value)
        ? value.toLowerCase()
        : undefined;
    case 'int': {
      if (!/^(0|-?[1-9]\d{0,15})$/.test(value)) return undefined;
      return Number.isSafeInteger(Number(value)) ? value : undefined;
    }
  }
}
