/** Turns findings of the schema into faults with place, value, expectation and example [CF-5]. */

import type { z } from 'zod';
import type { ConfigProblem } from './config-error.ts';
import { findKey, siblingNames } from './config-keys.ts';
import { variableOf } from './environment.ts';
import { maskValue, showValue } from './mask.ts';
import { didYouMean } from './nearest.ts';

type Issue = z.core.$ZodIssue;
type Place = (path: readonly PropertyKey[]) => string;

/** Explains all findings; `raw` is the value that was checked. */
export function explainIssues(
  issues: readonly Issue[],
  raw: unknown,
  place: Place,
): ConfigProblem[] {
  return issues
    .flatMap((issue) => flatten(issue, raw))
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownKeys(issue, place)
        : [wrongValue(issue, raw, place)],
    );
}

/** Of a union only the branch counts that the writer meant: a list, or a map. */
function flatten(issue: Issue, raw: unknown): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const value = valueAt(raw, issue.path);
  if (typeof value !== 'object' || value === null) return [issue];
  const branch = issue.errors[Array.isArray(value) ? 0 : 1] ?? [];
  return branch.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }) as Issue);
}

function unknownKeys(
  issue: Extract<Issue, { code: 'unrecognized_keys' }>,
  place: Place,
): ConfigProblem[] {
  return issue.keys.map((name) => ({
    where: place([...issue.path, name]),
    key: [...issue.path, name].map(String).join('.'),
    message: `unknown key${didYouMean(name, siblingNames(issue.path))}`,
  }));
}

function wrongValue(issue: Issue, raw: unknown, place: Place): ConfigProblem {
  const key = findKey(issue.path);
  const value = valueAt(raw, issue.path);
  const where = place(issue.path);
  const shown = key === undefined ? showValue(value) : maskValue(key, value);
  return {
    where,
    key: issue.path.map(String).join('.'),
    ...(value === undefined || issue.code === 'invalid_key' ? {} : { value: shown }),
    message: `expected ${expectation(issue, key?.expected)}`,
    ...(key?.example === undefined ? {} : { example: exampleFor(where, key, issue.path) }),
  };
}

function expectation(issue: Issue, expected: string | undefined): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'a valid name';
  const own = issue.code === 'custom' || issue.code === 'invalid_format' || isLength(issue);
  return own ? issue.message : (expected ?? 'a mapping of keys');
}

/** Lengths of texts; bounds of numbers are described by the key itself. */
function isLength(issue: Issue): boolean {
  return (
    (issue.code === 'too_small' || issue.code === 'too_big') &&
    issue.origin === 'string' &&
    !issue.message.startsWith('Too ')
  );
}

function exampleFor(
  where: string,
  key: { name: string; path: readonly string[]; example: unknown },
  path: readonly PropertyKey[],
): string {
  const value = typeof key.example === 'string' ? key.example : JSON.stringify(key.example);
  if (where.startsWith('env ')) {
    const text = Array.isArray(key.example) ? key.example.join(',') : value;
    return `${variableOf(key)}=${text}`;
  }
  if (where.startsWith('flag ')) return `${where.slice('flag '.length)} ${value}`;
  const isOption = path[0] === 'collections' && path.length > 2;
  return `${isOption ? String(path[2]) : (key.path.at(-1) as string)}: ${value}`;
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null
        ? (value as Record<PropertyKey, unknown>)[part]
        : undefined,
    raw,
  );
}
