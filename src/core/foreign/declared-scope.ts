/** The scope that a document belongs to by its configuration: by constant, or by its own field. Pure. */

import type { Json, JsonObject } from '../../protocol/pure/canonical-json.ts';
import { isIdentityText } from '../../protocol/pure/ids.ts';
import type { CollectionPolicy } from '../collections.ts';

/** The scope that configuration and content name, or null when they name none. */
export function declaredScope(
  data: JsonObject,
  policy: Pick<CollectionPolicy, 'scope' | 'scope_field'>,
): string | null {
  if (policy.scope !== null) return policy.scope;
  if (policy.scope_field === null) return null;
  let value: Json | undefined = data;
  for (const key of policy.scope_field) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    value = (value as JsonObject)[key];
  }
  return scopeText(value);
}

/** A value of a scope field as a scope id: text, or the text of an ObjectId, a UUID or an integer. */
export function scopeText(value: Json | undefined): string | null {
  if (Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { $oid, $uuid, $numberLong } = value as JsonObject;
    const id = $oid ?? $uuid ?? $numberLong;
    return typeof id === 'string' && Object.keys(value).length === 1 ? id : null;
  }
  return isIdentityText(value) ? value : null;
}
