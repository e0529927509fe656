/** The JSON Schema of the file, draft 7: what an editor completes and checks it with [CF-13]. */

import { z } from 'zod';
import { ConfigSchema } from './schema.ts';

type JsonObject = Record<string, unknown>;

/** A text that is replaced before the value is checked; an editor cannot know by what. */
const PLACEHOLDER = { type: 'string', pattern: '\\$\\{' };
const SCALARS: readonly unknown[] = ['string', 'integer', 'number', 'boolean'];
/** Keywords that help a person; they stay outside when a value gets an alternative. */
const HELP: readonly string[] = ['description', 'default', 'examples', 'writeOnly'];
/** Longer than any placeholder that one would write. */
const SHORTEST_BOUND = 5;

/** The schema, as `config schema` prints it and `config/sync.config.schema.json` holds it. */
export function configJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(ConfigSchema, { target: 'draft-7', io: 'input' });
  return withPlaceholders(schema as JsonObject);
}

/** The same schema, in which a value with bounds may also be `${VARIABLE}`. */
function withPlaceholders(schema: JsonObject): JsonObject {
  const copy = { ...schema };
  if (isObject(schema['properties'])) {
    const properties = Object.entries(schema['properties']);
    copy['properties'] = Object.fromEntries(
      properties.map(([name, value]) => [name, withPlaceholders(value as JsonObject)]),
    );
  }
  for (const keyword of ['items', 'additionalProperties']) {
    const inside = schema[keyword];
    if (isObject(inside)) copy[keyword] = withPlaceholders(inside);
  }
  if (Array.isArray(schema['anyOf'])) copy['anyOf'] = schema['anyOf'].map(withPlaceholders);
  return refusesPlaceholder(schema) ? withAlternative(copy) : copy;
}

function refusesPlaceholder({ type, pattern, enum: values, minLength }: JsonObject): boolean {
  if (!SCALARS.includes(type)) return false;
  const isLong = typeof minLength === 'number' && minLength >= SHORTEST_BOUND;
  return type !== 'string' || pattern !== undefined || values !== undefined || isLong;
}

function withAlternative(schema: JsonObject): JsonObject {
  const entries = Object.entries(schema);
  const help = entries.filter(([keyword]) => HELP.includes(keyword));
  const rule = entries.filter(([keyword]) => !HELP.includes(keyword));
  return { ...Object.fromEntries(help), anyOf: [Object.fromEntries(rule), PLACEHOLDER] };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
