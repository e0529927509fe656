/** Query strings: each known parameter at most once, nothing unknown, numbers in plain decimal. */

import { SyncError } from './errors.ts';
import type { Issue, IssueCode } from './pure/error-codes.ts';
import { type Hlc, isHlc } from './pure/hlc.ts';
import { COLLECTIONS_PER_REQUEST_MAX } from './pure/limits.ts';

/** Reads a query against its known names and collects findings; `finish` throws 422 when there are any. */
export class QueryReader {
  readonly #values = new Map<string, string>();
  readonly #issues: Issue[] = [];

  constructor(query: URLSearchParams, known: readonly string[]) {
    for (const [name, value] of query) {
      const path = `?${name.slice(0, 64)}`;
      if (!known.includes(name)) {
        this.#add(path, 'unknown_parameter', `known parameters are ${known.join(', ')}`);
      } else if (this.#values.has(name)) {
        this.#add(path, 'duplicate_parameter', `send "${name}" once`);
      } else {
        this.#values.set(name, value);
      }
    }
  }

  /** The raw value, or undefined when the parameter is absent. */
  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** A positive integer, capped at `max`; `fallback` when absent. */
  limit(fallback: number, max: number): number {
    const text = this.#values.get('limit');
    if (text === undefined) return fallback;
    if (!/^[1-9]\d{0,15}$/.test(text)) {
      this.#add('?limit', 'invalid_limit', 'limit must be a whole number of at least 1');
      return fallback;
    }
    return Math.min(Number(text), max);
  }

  /** Comma-separated names without repeats; undefined when absent. */
  collections(): readonly string[] | undefined {
    const text = this.#values.get('collections');
    if (text === undefined) return undefined;
    const names = [...new Set(text.split(',').filter((name) => name !== ''))];
    if (names.length === 0 || names.length > COLLECTIONS_PER_REQUEST_MAX) {
      this.#add(
        '?collections',
        'invalid_collections',
        `name 1 to ${COLLECTIONS_PER_REQUEST_MAX} collections, separated by commas`,
      );
    }
    return names;
  }

  /** Adds a finding of the caller's. */
  fault(name: string, code: IssueCode, message: string): void {
    this.#add(`?${name}`, code, message);
  }

  /** Throws when anything was found. */
  finish(): void {
    if (this.#issues.length > 0) {
      throw new SyncError('validation_failed', { details: { issues: this.#issues } });
    }
  }

  #add(path: string, code: IssueCode, message: string): void {
    this.#issues.push({ path, code, message });
  }
}

/** `since` as a version. Throws 422 `hlc_invalid` naming where it stood. */
export function checkedSince(since: unknown, path: '?since' | '/since'): Hlc {
  if (isHlc(since)) return since;
  const message = 'since must be an HLC; start with 19700101T000000.000Z-0000';
  throw new SyncError('hlc_invalid', {
    details: { issues: [{ path, code: 'invalid_since', message }] },
  });
}
