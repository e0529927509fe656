/** What a stored `_id` is, in the words of the configuration. */

import type { Json } from '../../protocol/pure/canonical-json.ts';
import type { IdType } from '../../protocol/pure/ids.ts';
import { decodeId } from './bson-codec.ts';
import { decodeRecord } from './bson-reader.ts';

/** The collection's type when the id is one of it, else the name of what it is. */
export function idKindOf(bytes: Uint8Array, type: IdType): string {
  const id = decodeRecord(bytes)['_id'] as Json | undefined;
  return decodeId(id, type) === undefined ? kindOf(id) : type;
}

function kindOf(id: Json | undefined): string {
  if (typeof id === 'string') return 'string';
  if (typeof id === 'number') return Number.isInteger(id) ? 'int' : 'double';
  if (id === null || typeof id !== 'object') return String(id);
  if (Array.isArray(id)) return 'array';
  const [key] = Object.keys(id);
  if (key === '$oid') return 'objectid';
  if (key === '$uuid') return 'uuid';
  return key?.startsWith('$') ? key.slice(1) : 'object';
}
