/** Whether a store is ready to be served: set up, of this schema level, with every collection and index. */

import { SCHEMA_LEVEL } from '../../protocol/version.ts';
import type { StoreMeta } from '../ports/history.ts';
import type { LayoutCheck, SyncStore, Upkeep, WantedLayout } from '../ports/store.ts';

/** Why a store cannot be served. */
export type SetupFault =
  | 'not_initialised'
  | 'layout_incomplete'
  | 'schema_older'
  | 'schema_newer'
  | 'removal_begun';

const MESSAGES: Readonly<Record<SetupFault, string>> = {
  not_initialised: 'the database was not initialised',
  layout_incomplete: 'collections or indexes are not as they must be',
  schema_older: 'the database has an older schema than this server',
  schema_newer: 'the database has a newer schema than this server',
  removal_begun: 'everything of this server is being removed from the database',
};

/** The store must be changed by an operator before it can be served. */
export class SetupError extends Error {
  readonly fault: SetupFault;
  /** What is missing or different, one line each. */
  readonly findings: readonly string[];

  constructor(fault: SetupFault, findings: readonly string[] = []) {
    super(MESSAGES[fault]);
    this.name = 'SetupError';
    this.fault = fault;
    this.findings = findings;
  }
}

/** Rights over a store's setup. */
export type SetupStore = Pick<Upkeep, 'readMeta' | 'checkLayout' | 'applySetup'>;

/**
 * Verifies the layout, and makes it first when `autoInit` permits. Throws `SetupError`, and the
 * store's `layout_blocked` when setting up meets something that needs a person.
 */
export async function ensureLayout(
  store: SetupStore,
  wanted: WantedLayout,
  autoInit: boolean,
): Promise<StoreMeta> {
  const before = await store.readMeta();
  if (before !== null) checkLevel(before);
  const findings = before === null ? [] : missing(await store.checkLayout(wanted));
  if (before !== null && !autoInit) findings.unshift(...owed(before));
  // A configuration that is taken over is what later shows which collections clients passed over.
  const changed = autoInit && before?.catalogue_hash !== wanted.catalogue_hash;
  if (before !== null && findings.length === 0 && !changed) return before;
  if (!autoInit) {
    throw new SetupError(before === null ? 'not_initialised' : 'layout_incomplete', findings);
  }
  await store.applySetup(wanted);
  const after = await store.readMeta();
  if (after === null) throw new SetupError('not_initialised');
  const left = missing(await store.checkLayout(wanted));
  if (left.length > 0) throw new SetupError('layout_incomplete', left);
  return after;
}

/** For those who only look: the store was set up, by this schema level. Throws `SetupError`. */
export async function requireSetup(store: Pick<Upkeep, 'readMeta'>): Promise<StoreMeta> {
  const meta = await store.readMeta();
  if (meta === null) throw new SetupError('not_initialised');
  checkLevel(meta);
  return meta;
}

function checkLevel(meta: StoreMeta): void {
  if (meta.schema_level > SCHEMA_LEVEL) throw new SetupError('schema_newer');
  if (meta.schema_level < SCHEMA_LEVEL) throw new SetupError('schema_older');
  if (meta.removing === true) throw new SetupError('removal_begun');
}

/** Until its barriers stand, clients of an earlier history would go on as if nothing had happened. */
function owed({ pending_resets = [] }: StoreMeta): string[] {
  return pending_resets.length === 0 ? [] : ['meta: clients are owed barriers of a new history'];
}

function missing(checks: readonly LayoutCheck[]): string[] {
  return checks.filter((check) => !check.ok).map(({ name, detail }) => `${name}: ${detail}`);
}

/** Documents that entered the database without a version, by collection; they are invisible. */
export async function countInvisible(
  store: Pick<SyncStore, 'countUnmigrated'>,
  collections: readonly string[],
): Promise<readonly { collection: string; count: number }[]> {
  const found: { collection: string; count: number }[] = [];
  for (const collection of collections) {
    const count = await store.countUnmigrated(collection);
    if (count > 0) found.push({ collection, count });
  }
  return found;
}
