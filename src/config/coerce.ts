/** Text from the environment, from flags and from `${…}` in a file, turned into the key's kind of value. */

import type { ConfigKey } from './config-keys.ts';

/** Environment of the process, or of a file. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The value a text stands for. A text that does not fit its kind is returned unchanged, so that the
 * schema reports it with the place it came from.
 */
export function coerceText(key: Pick<ConfigKey, 'kind'>, text: string): unknown {
  switch (key.kind) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case 'boolean':
      return coerceBoolean(text);
    case 'list':
    case 'map':
      return coerceList(text.trim());
    default:
      return text;
  }
}

function coerceBoolean(text: string): unknown {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  return text;
}

function coerceList(text: string): unknown {
  if (text.startsWith('[') || text.startsWith('{')) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** A variable without a value and without a default. */
export class MissingVariable extends Error {
  readonly variable: string;
  constructor(variable: string) {
    super('An environment variable is not set.');
    this.variable = variable;
  }
}

const PLACEHOLDER = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/**
 * Replaces `${VAR}` and `${VAR:-default}`; `$${` stands for `${`. An empty variable
 * counts as not set.
 * Throws `MissingVariable`.
 */
export function interpolate(text: string, env: Environment): string {
  return text.replace(
    PLACEHOLDER,
    (match, name: string | undefined, fallback: string | undefined) => {
      if (match === '$${') return '${';
      const value = env[name as string];
      if (value !== undefined && value !== '') return value;
      if (fallback !== undefined) return fallback;
      throw new MissingVariable(name as string);
    },
  );
}

/** Whether a text of the file holds something to replace. */
export function hasPlaceholder(text: string): boolean {
  return text.search(PLACEHOLDER) !== -1;
}
