/** What setup finds, what it would make, and making it. */

import type { PendingResets, StoreMeta } from '../../core/ports/history.ts';
import type { LayoutCheck, SetupStep, WantedLayout } from '../../core/ports/store.ts';
import { SCHEMA_LEVEL } from '../../protocol/version.ts';
import type { Connection } from './connection.ts';
import { LAYOUT } from './tables.ts';

const NAMES = `SELECT name FROM sqlite_schema WHERE type IN ('table', 'index')`;

function presentNames(connection: Connection): Set<string> {
  return new Set(connection.all<[string]>(NAMES, []).map(([name]) => name));
}

/** Identity of the store; null when it was never set up. */
export function readStoreMeta(connection: Connection): StoreMeta | null {
  if (!presentNames(connection).has('sync_meta')) return null;
  const values = new Map(connection.all<[string, string]>('SELECT key, value FROM sync_meta', []));
  const level = values.get('schema_level');
  if (level === undefined) return null;
  return {
    schema_level: Number(level),
    epoch: values.get('epoch') ?? '',
    cursor_key: values.get('cursor_key') ?? '',
    catalogue_hash: values.get('catalogue_hash') ?? '',
    ...pendingOf(values.get(PENDING)),
  };
}

const PENDING = 'pending_resets';
const COLLECTIONS = 'collections';

function pendingOf(text: string | undefined): Pick<StoreMeta, 'pending_resets'> {
  const pending_resets = JSON.parse(text ?? '[]') as readonly PendingResets[];
  return pending_resets.length === 0 ? {} : { pending_resets };
}

/** The steps that lead to the wanted layout. Reads only. */
export function planSteps(
  connection: Connection,
  wanted: Pick<WantedLayout, 'catalogue_hash'>,
): SetupStep[] {
  const present = presentNames(connection);
  const steps: SetupStep[] = LAYOUT.map(({ kind, name, detail }) => ({
    action: present.has(name) ? 'present' : 'create',
    kind,
    name,
    detail,
  }));
  const meta = readStoreMeta(connection);
  steps.push({
    action: meta === null ? 'create' : 'present',
    kind: 'meta',
    name: 'identity',
    detail: `schema level ${SCHEMA_LEVEL}, epoch, cursor key`,
  });
  steps.push({
    action: catalogueAction(meta, wanted.catalogue_hash),
    kind: 'meta',
    name: 'catalogue',
    detail: 'hash of the configured collections',
  });
  return steps;
}

function catalogueAction(meta: StoreMeta | null, wanted: string): SetupStep['action'] {
  if (meta === null) return 'create';
  return meta.catalogue_hash === wanted ? 'present' : 'change';
}

const PUT_META = `INSERT INTO sync_meta (key, value) VALUES (?, ?)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value`;
const KEEP_META = `INSERT INTO sync_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`;

/** Makes what is missing, in one transaction. Gives back the steps it took. */
export function applySteps(
  connection: Connection,
  wanted: WantedLayout & { readonly now_ms: number },
): SetupStep[] {
  return connection.transaction('BEGIN IMMEDIATE', () => {
    const steps = planSteps(connection, wanted);
    LAYOUT.forEach(({ sql }, i) => {
      if (steps[i]?.action === 'create') connection.exec(sql);
    });
    const identity = [
      ['schema_level', String(SCHEMA_LEVEL)],
      ['epoch', wanted.new_epoch],
      ['cursor_key', wanted.new_cursor_key],
      ['created_at', new Date(wanted.now_ms).toISOString()],
    ];
    for (const pair of identity) connection.run(KEEP_META, pair);
    changeCatalogue(connection, wanted);
    return steps;
  });
}

/**
 * Clients are owed a barrier in a collection that the catalogue did not hold and that has documents:
 * they passed over its rows, so pull alone would never deliver them.
 */
function changeCatalogue(connection: Connection, wanted: WantedLayout): void {
  const names = wanted.collections.map(({ name }) => name);
  const before = connection.first<[string]>(READ_META, [COLLECTIONS])?.[0];
  // A store that was set up before the names were kept cannot tell.
  const known = new Set<string>(before === undefined ? names : (JSON.parse(before) as string[]));
  const added = names.filter(
    (name) => !known.has(name) && connection.first(FIRST_DOCUMENT, [name]) !== undefined,
  );
  if (added.length > 0) oweResets(connection, { run: wanted.new_epoch, collections: added });
  connection.run(PUT_META, [COLLECTIONS, JSON.stringify(names)]);
  connection.run(PUT_META, ['catalogue_hash', wanted.catalogue_hash]);
}

const READ_META = 'SELECT value FROM sync_meta WHERE key = ?';
const FIRST_DOCUMENT = 'SELECT 1 FROM sync_documents WHERE collection = ? LIMIT 1';

function readPending(connection: Connection): readonly PendingResets[] {
  const { pending_resets = [] } = pendingOf(connection.first<[string]>(READ_META, [PENDING])?.[0]);
  return pending_resets;
}

function oweResets(connection: Connection, resets: PendingResets): void {
  const pending = [...readPending(connection), resets];
  connection.run(PUT_META, [PENDING, JSON.stringify(pending)]);
}

/** Begins another history; its barriers are owed until `resetsWritten`. */
export function renewEpoch(connection: Connection, epoch: string, names: readonly string[]): void {
  connection.transaction('BEGIN IMMEDIATE', () => {
    connection.run(PUT_META, ['epoch', epoch]);
    oweResets(connection, { run: epoch, collections: names });
  });
}

/** The barriers of a run stand. */
export function resetsWritten(connection: Connection, run: string): void {
  connection.transaction('BEGIN IMMEDIATE', () => {
    const left = readPending(connection).filter((one) => one.run !== run);
    connection.run(PUT_META, [PENDING, JSON.stringify(left)]);
  });
}

/** Findings of `checkLayout`: every table, every index, the schema level. */
export function checkSteps(connection: Connection): LayoutCheck[] {
  const present = presentNames(connection);
  const checks = LAYOUT.map(({ name, detail }) => ({ name, ok: present.has(name), detail }));
  const meta = readStoreMeta(connection);
  const ok = meta?.schema_level === SCHEMA_LEVEL;
  const detail = `schema level ${SCHEMA_LEVEL} wanted, ${meta?.schema_level ?? 'none'} found`;
  return [...checks, { name: 'schema_level', ok, detail }];
}
