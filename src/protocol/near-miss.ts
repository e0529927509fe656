/**
 * Field names: unknown ones are ignored (seed clients may send more), except near misses of known
 * names and names that a later version will serve. A typo there turns a careful edit into a blind
 * one, so both are refused with the right name [PU-3].
 */

import type { Issue } from './pure/error-codes.ts';

/** Findings of one object: an answer does not grow with hostile input. */
const ISSUES_MAX = 20;

/** Names of the protocol that this version does not serve yet. */
const NOT_SERVED = {
  envelope: ['on_conflict', 'client_seq', 'initialization_id', 'force'],
  change: ['vector_clock', 'force', 'on_conflict'],
  stream: [],
} as const;

/** Finds near misses and not-yet-served names among the keys of a request object. */
export function fieldIssues(
  source: object,
  known: readonly string[],
  kind: keyof typeof NOT_SERVED,
): Issue[] {
  const byFolded = new Map(known.map((name) => [fold(name), name]));
  const issues: Issue[] = [];
  for (const key of Object.keys(source)) {
    if (known.includes(key)) continue;
    if (issues.length === ISSUES_MAX) break;
    const path = `/${key.slice(0, 64)}`;
    const not_served: readonly string[] = NOT_SERVED[kind];
    const later = not_served.find((name) => fold(name) === fold(key));
    const near = byFolded.get(fold(key));
    if (later !== undefined) {
      issues.push({
        path,
        code: 'unsupported_field',
        message: `"${later}" is not served by this version; leave it out`,
      });
    } else if (near !== undefined) {
      issues.push({ path, code: 'near_miss', message: `did you mean "${near}"?` });
    }
  }
  return issues;
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}
