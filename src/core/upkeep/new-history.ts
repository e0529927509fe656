/**
 * A new history: after a restored backup, versions that clients have seen may be drawn again for
 * something else. The epoch changes and every scope gets a barrier in every collection, so that
 * clients that send no epoch resync too [EP-1].
 */

import { type ResetWish, writeResets } from '../foreign/write-resets.ts';
import type { EngineCore } from '../parts.ts';
import { allScopes } from '../scope/all-scopes.ts';
import { SetupError } from './layout.ts';

/** What barriers are written with. */
export type HistoryCore = Pick<EngineCore, 'store' | 'hybridClock' | 'system'>;

/** What a new history did. */
export interface NewHistory {
  readonly epoch: string;
  /** Barriers that were written, in this run. */
  readonly rows: number;
  /** True when a run that had ended in the middle was finished, and no other epoch was begun. */
  readonly resumed: boolean;
}

/** Begins a history under `epoch`, or finishes one that was begun. The store must have been set up. */
export async function beginHistory(
  core: HistoryCore,
  wish: { readonly epoch: string; readonly collections: readonly string[] } & Pick<
    ResetWish,
    'onScope'
  >,
): Promise<NewHistory> {
  const before = await core.store.readMeta();
  if (before === null) throw new SetupError('not_initialised');
  const resumed = (before.pending_resets ?? []).some(({ run }) => run === before.epoch);
  if (!resumed) await core.store.renewEpoch(wish.epoch, wish.collections);
  const rows = await payResets(core, wish);
  return { epoch: resumed ? before.epoch : wish.epoch, rows, resumed };
}

/** Writes the barriers that clients are owed. Returns how many rows that were. */
export async function payResets(
  core: HistoryCore,
  { onScope }: Pick<ResetWish, 'onScope'> = {},
): Promise<number> {
  let rows = 0;
  const { pending_resets = [] } = (await core.store.readMeta()) ?? {};
  for (const { run, collections } of pending_resets) {
    const scopes = allScopes(core.store);
    const written = await writeResets(core, {
      ...{ scopes, collections, run, origin: 'server' },
      ...(onScope === undefined ? {} : { onScope }),
    });
    await core.store.resetsWritten(run);
    rows += written;
  }
  return rows;
}
