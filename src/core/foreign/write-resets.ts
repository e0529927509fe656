/**
 * Barrier rows: clients of a scope hear that what pull cannot deliver has changed in a collection
 * (it was migrated, it was added, the history is another one), and resync it [EP-2]. A receipt in the
 * same plan remembers each barrier, so that a run that was killed goes on where it ended [EP-3].
 */

import { commitDecision, type DecisionInput } from '../commit-decision.ts';
import type { EngineCore } from '../parts.ts';
import type { Origin, Receipt } from '../ports/records.ts';
import { type Decision, StoreError } from '../ports/store.ts';
import type { RowDraft } from '../push/push-draft.ts';
import { BundleSealer } from '../push/seal-bundle.ts';

/** Who writes barriers. */
export const RESET_AUTHOR = 'offline-sync';
/** Client of their receipts: no device can send such an id, and so spend one of them. */
export const RESET_CLIENT = `\u0001${RESET_AUTHOR}`;

/** Time for all attempts of one scope, ms. */
export const RESET_BUDGET_MS = 30_000;

/** How often a scope is tried again when nobody knows whether its commit happened. */
const UNKNOWN_RETRIES_MAX = 3;

/** Which barriers are wanted. */
export interface ResetWish {
  readonly scopes: Iterable<string> | AsyncIterable<string>;
  readonly collections: readonly string[];
  /** Names the occasion: repeated with the same name, nothing is written twice. */
  readonly run: string;
  readonly origin: Origin;
  /** Called after each scope with the rows that it got. */
  onScope?(scope_id: string, rows: number): void | Promise<void>;
}

/** Writes one `reset` row per scope and collection, one bundle per scope. Returns how many rows. */
export async function writeResets(
  core: Pick<EngineCore, 'store' | 'hybridClock' | 'system'>,
  wish: ResetWish,
): Promise<number> {
  let rows = 0;
  for await (const scope_id of wish.scopes) {
    const written = await resetScope(core, scope_id, wish);
    rows += written;
    await wish.onScope?.(scope_id, written);
  }
  return rows;
}

async function resetScope(
  core: Pick<EngineCore, 'store' | 'hybridClock' | 'system'>,
  scope_id: string,
  wish: ResetWish,
): Promise<number> {
  const { collections, run } = wish;
  const receipts = collections.map((collection) => resetKey(collection, run, [scope_id]));
  for (let unknown = 0; ; unknown += 1) {
    try {
      const { outcome } = await commitDecision(core, scope_id, {
        load: { receipts, documents: [] },
        deadline_at: core.system.clock.monotonic() + RESET_BUDGET_MS,
        decide: (input) => decideResets(input, wish, core.system.crypto.sha256),
      });
      return outcome;
    } catch (error) {
      const again = error instanceof StoreError && error.kind === 'commit_unknown';
      // The receipts tell the next attempt what the last one did.
      if (!again || unknown >= UNKNOWN_RETRIES_MAX) throw error;
    }
  }
}

/** The receipt that says that a scope has its barrier of an occasion. */
export function resetKey(collection: string, run: string, scope_ids: readonly string[]) {
  const mutation_id = resetId(collection, run);
  return { scope_ids, actor_id: RESET_AUTHOR, client_id: RESET_CLIENT, mutation_id };
}

function resetId(collection: string, run: string): string {
  return `reset:${collection}:${run}`;
}

/** The barriers that are not there yet, with their receipts. Pure. */
function decideResets(
  { snapshot, versions }: DecisionInput,
  { collections, run, origin }: Pick<ResetWish, 'collections' | 'run' | 'origin'>,
  digest: (text: string) => string,
): Decision<number> {
  const known = new Set(snapshot.receipts.map(({ mutation_id }) => mutation_id));
  const missing = collections.filter((collection) => !known.has(resetId(collection, run)));
  const sealer = new BundleSealer(snapshot.head);
  const rows = missing.map((collection): RowDraft => {
    const version = versions.next();
    return {
      ...{ version, collection, doc_id: null, operation: 'reset', data: null, typed: null },
      ...{ actor_id: RESET_AUTHOR, client_id: null, mutation_id: null },
      ...{ change_version: version, parent_version: null, origin },
    };
  });
  const bundle_seq = sealer.seal(rows);
  const receipts = rows.map((row): Receipt => {
    const mutation_id = resetId(row.collection, run);
    return {
      scope_id: snapshot.head.scope_id,
      actor_id: RESET_AUTHOR,
      client_id: RESET_CLIENT,
      mutation_id,
      hash: digest(mutation_id),
      collection: row.collection,
      doc_id: '',
      result: {
        status: 'accepted',
        resolution: 'applied',
        new_version: row.version,
        server_version: null,
        bundle_seq,
      },
      at_ms: snapshot.now_ms,
    };
  });
  return {
    plan: {
      documents: [],
      tombstones: { put: [], drop: [] },
      rows: sealer.rows,
      receipts,
      conflicts: [],
      head: sealer.head,
    },
    outcome: rows.length,
  };
}
