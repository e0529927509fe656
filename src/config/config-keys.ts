/** The keys of the schema as a table: path, kind of value, secrecy and help. Derived, never written twice. */

import type { z } from 'zod';
import { CollectionOptions } from './collection-schema.ts';
import { ConfigSchema } from './schema.ts';

/** How a value is written in an environment variable or as a flag. */
export type ValueKind = 'integer' | 'boolean' | 'text' | 'choice' | 'list' | 'map';

/** One key that holds a value (sections such as `auth` hold keys). */
export interface ConfigKey {
  readonly path: readonly string[];
  /** The path with dots, for example `auth.secret`. */
  readonly name: string;
  readonly kind: ValueKind;
  readonly secret: boolean;
  readonly description: string;
  readonly example: unknown;
  /** What a valid value is, as a phrase. */
  readonly expected: string;
  readonly default: unknown;
}

type AnySchema = z.core.$ZodType & { meta(): Record<string, unknown> | undefined };

/** Every key of the file, in the order of the schema; the options of collections apart. */
export const CONFIG_KEYS: readonly ConfigKey[] = listKeys(ConfigSchema.shape, []);

/** The options of one collection. */
export const COLLECTION_KEYS: readonly ConfigKey[] = listKeys(CollectionOptions.shape, []);

/** The key at a path, also for `collections.<name>.<option>`; undefined for anything else. */
export function findKey(path: readonly PropertyKey[]): ConfigKey | undefined {
  const name = path.map(String).join('.');
  const exact = CONFIG_KEYS.find((key) => key.name === name);
  if (exact !== undefined) return exact;
  const head = CONFIG_KEYS.find((key) => key.name === String(path[0]) || isListItem(key, path));
  if (head?.kind === 'map' && path.length === 3) {
    return COLLECTION_KEYS.find((key) => key.name === String(path[2]));
  }
  return head;
}

/** Names that may stand at the level of `path`, for suggestions. */
export function siblingNames(path: readonly PropertyKey[]): readonly string[] {
  if (path[0] === 'collections') return COLLECTION_KEYS.map((key) => key.name);
  const inside = CONFIG_KEYS.filter((key) => path.every((part, i) => key.path[i] === part));
  return [...new Set(inside.map((key) => key.path[path.length] as string))];
}

function isListItem(key: ConfigKey, path: readonly PropertyKey[]): boolean {
  return key.kind === 'list' && path.length === key.path.length + 1
    ? key.path.every((part, i) => path[i] === part)
    : false;
}

function listKeys(shape: Record<string, unknown>, prefix: readonly string[]): ConfigKey[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const path = [...prefix, name];
    const inner = unwrap(schema as AnySchema);
    return inner.type === 'object'
      ? listKeys((inner.schema as unknown as { shape: Record<string, unknown> }).shape, path)
      : [describeKey(schema as AnySchema, inner, path)];
  });
}

interface Unwrapped {
  readonly schema: AnySchema;
  readonly type: string;
  readonly default: unknown;
}

function unwrap(schema: AnySchema): Unwrapped {
  let current = schema;
  let value: unknown;
  for (;;) {
    const def = current._zod.def as unknown as {
      type: string;
      innerType?: AnySchema;
      defaultValue?: unknown;
    };
    if (def.innerType === undefined) return { schema: current, type: def.type, default: value };
    if (def.type === 'default') value = def.defaultValue;
    current = def.innerType;
  }
}

function describeKey(outer: AnySchema, inner: Unwrapped, path: readonly string[]): ConfigKey {
  const meta = outer.meta() ?? {};
  const examples = meta.examples as readonly unknown[] | undefined;
  const kind = kindOf(inner.type);
  return {
    path,
    name: path.join('.'),
    kind,
    secret: meta.writeOnly === true,
    description: String(meta.description ?? ''),
    example: examples?.[0],
    expected: expectedOf(kind, inner.schema),
    default: inner.default,
  };
}

function kindOf(type: string): ValueKind {
  switch (type) {
    case 'number':
      return 'integer';
    case 'boolean':
      return 'boolean';
    case 'enum':
      return 'choice';
    case 'array':
      return 'list';
    case 'union':
      return 'map';
    default:
      return 'text';
  }
}

function expectedOf(kind: ValueKind, schema: AnySchema): string {
  const facts = schema as unknown as {
    minValue?: number;
    maxValue?: number;
    options?: readonly string[];
    element?: AnySchema;
  };
  switch (kind) {
    case 'integer':
      return `a whole number from ${facts.minValue} to ${facts.maxValue}`;
    case 'boolean':
      return 'true or false';
    case 'choice':
      return facts.options?.length === 1
        ? `only "${facts.options[0]}" in this version`
        : `one of ${facts.options?.join(', ')}`;
    case 'list': {
      const choices = (facts.element as unknown as { options?: readonly string[] }).options;
      return choices === undefined ? 'a list' : `a list of ${choices.join(', ')}`;
    }
    case 'map':
      return 'a list of names, or a map from name to options';
    case 'text':
      return 'a text that is not empty';
  }
}
