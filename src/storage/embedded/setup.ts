/** What setup finds, what it would make, and making it. */

import type { LayoutCheck, SetupStep, StoreMeta, WantedLayout } from '../../core/ports/store.ts';
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
  };
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
    connection.run(PUT_META, ['catalogue_hash', wanted.catalogue_hash]);
    return steps;
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
