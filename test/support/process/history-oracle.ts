/**
 * Judges a store by what is in it. It shares no code with the engine: it knows the promises about
 * rows, heads and documents, and names every place where one is broken.
 */

import { isDeepStrictEqual } from 'node:util';
import type { StoredRow, StoredState } from './stored-state.ts';

const FAULTS_NAMED = 20;

/** Everything that is wrong, at most some twenty lines; empty = all promises hold. */
export function faultsOf(state: StoredState): string[] {
  const scopes = new Set([...state.rows, ...state.heads].map(({ scope_id }) => scope_id));
  const faults = [
    ...repeated(state.rows, 'version', ({ version }) => version),
    // Writes of other programs have no mutation.
    ...repeated(
      state.rows.filter(({ mutation_id }) => mutation_id !== null),
      'mutation',
      ({ scope_id, client_id, mutation_id }) => [scope_id, client_id, mutation_id].join(' '),
    ),
    ...[...scopes].flatMap((scope_id) => scopeFaults(state, scope_id)),
  ];
  return faults.slice(0, FAULTS_NAMED);
}

function scopeFaults(state: StoredState, scope_id: string): string[] {
  const rows = state.rows.filter((row) => row.scope_id === scope_id);
  return [
    ...chainFaults(rows),
    ...headFaults(state, rows, scope_id),
    ...documentFaults(state, rows),
  ];
}

/** One chain, dense in rows and bundles, each bundle whole, versions rising with `seq`. */
function chainFaults(rows: readonly StoredRow[]): string[] {
  return rows.flatMap((row, i) => {
    const before = rows[i - 1];
    const faults = before === undefined ? firstFaults(row) : linkFaults(before, row);
    return faults.map((fault) => `row ${row.seq} of ${row.scope_id} (${row.version}): ${fault}`);
  });
}

function firstFaults({ seq, prev }: StoredRow): string[] {
  return seq === 1 && prev !== '' ? [`the first one has the prev ${prev}`] : [];
}

function linkFaults(before: StoredRow, row: StoredRow): string[] {
  const faults: string[] = [];
  if (row.seq === before.seq) faults.push(`forked, ${before.version} has the same seq`);
  else if (row.seq !== before.seq + 1) faults.push(`rows lost after ${before.seq}`);
  if (row.prev !== before.version) faults.push(`forked, prev is ${row.prev}`);
  if (row.version <= before.version) faults.push(`not above ${before.version}`);
  if (isTorn(before, row)) faults.push('a torn bundle');
  return faults;
}

function isTorn(before: StoredRow, row: StoredRow): boolean {
  if (row.bundle_seq === before.bundle_seq) return row.ordinal !== before.ordinal + 1;
  const ended = before.ordinal + 1 === before.bundle_rows;
  return !ended || row.ordinal !== 0 || row.bundle_seq !== before.bundle_seq + 1;
}

function headFaults(state: StoredState, rows: readonly StoredRow[], scope_id: string): string[] {
  const heads = state.heads.filter((head) => head.scope_id === scope_id);
  const last = rows.at(-1);
  if (heads.length !== 1) return [`${scope_id} has ${heads.length} heads`];
  if (last === undefined) return [];
  const [head] = heads;
  const agrees =
    head?.head_version === last.version &&
    head.head_seq === last.seq &&
    head.head_bundle_seq === last.bundle_seq &&
    last.ordinal === last.bundle_rows - 1;
  return agrees ? [] : [`the head of ${scope_id} is not its newest row ${last.version}`];
}

/** A document is what its newest row says; one without a row in a pruned log is as it is. */
function documentFaults(state: StoredState, rows: readonly StoredRow[]): string[] {
  const newest = new Map(rows.map((row) => [`${row.collection}/${row.doc_id}`, row]));
  const stored = new Map(
    state.documents.map((document) => [`${document.collection}/${document.doc_id}`, document]),
  );
  return [...newest].flatMap(([place, row]) => {
    const document = stored.get(place);
    if (row.operation === 'delete' || row.operation === 'remove') {
      // It may have come back in another scope.
      const gone = document?.scope_id !== row.scope_id;
      const how = row.operation === 'delete' ? 'deleted' : 'removed';
      return gone ? [] : [`${place} is there although ${row.version} ${how} it`];
    }
    if (document?.version !== row.version)
      return [`${place} is not at its row ${row.version} of ${row.scope_id}`];
    const equal = isDeepStrictEqual(document.data, row.data);
    return equal ? [] : [`${place} holds other content than its row ${row.version}`];
  });
}

function repeated(
  rows: readonly StoredRow[],
  what: string,
  keyOf: (row: StoredRow) => string,
): string[] {
  const seen = new Map<string, string>();
  return rows.flatMap((row) => {
    const key = keyOf(row);
    const first = seen.get(key);
    seen.set(key, row.version);
    return first === undefined ? [] : [`${what} ${key}: twice, in ${first} and ${row.version}`];
  });
}

/** An acknowledged mutation that must have its row. */
export interface Acknowledged {
  readonly mutation_id: string;
  /** Version that the answer named. */
  readonly version: string;
}

/** Acknowledged mutations that are not in the log exactly once under their version. */
export function lostMutations(
  rows: readonly StoredRow[],
  acknowledged: Iterable<Acknowledged>,
): Acknowledged[] {
  const byMutation = new Map<string, string[]>();
  for (const { mutation_id, version } of rows) {
    byMutation.set(mutation_id, [...(byMutation.get(mutation_id) ?? []), version]);
  }
  return [...acknowledged].filter(({ mutation_id, version }) => {
    const found = byMutation.get(mutation_id) ?? [];
    return found.length !== 1 || found[0] !== version;
  });
}

/** How what a client was given differs from the log: each row exactly once, in order. */
export function deliveryFaults(rows: readonly StoredRow[], delivered: readonly string[]): string[] {
  const faults: string[] = [];
  const seen = new Set(delivered);
  if (seen.size !== delivered.length)
    faults.push(`${delivered.length - seen.size} rows came twice`);
  const missing = rows.filter(({ version }) => !seen.has(version));
  for (const { version, seq } of missing.slice(0, FAULTS_NAMED)) {
    faults.push(`row ${seq} (${version}) was lost`);
  }
  const expected = rows.map(({ version }) => version).filter((version) => seen.has(version));
  if (faults.length === 0 && !isDeepStrictEqual(expected, [...delivered])) {
    faults.push('rows came in another order, or rows came that the log does not hold');
  }
  return faults;
}
