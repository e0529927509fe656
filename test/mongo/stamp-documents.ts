/** Stamps documents that exist already, as adoption does: by the engine's own decision and commit. */

import { commitDecision } from '../../src/core/commit-decision.ts';
import type { Catalogue } from '../../src/core/collections.ts';
import { decideForeign, type ForeignVerdict } from '../../src/core/foreign/decide-foreign.ts';
import { HybridClock } from '../../src/core/hybrid-clock.ts';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { catalogue, policy } from '../support/engine/records.ts';

/** Stamps these documents of one collection for one scope; what became of each. */
export async function stampDocuments(
  store: SyncStore,
  of: {
    readonly collection: string;
    readonly scope_id: string;
    readonly doc_ids: readonly string[];
    /** `rows`: as capture does, each leaves a row. */
    readonly mode?: 'stamps' | 'rows';
  },
): Promise<readonly ForeignVerdict[]> {
  const { collection, scope_id, doc_ids, mode = 'stamps' } = of;
  const policies: Catalogue = catalogue(policy(collection, { scope: scope_id }));
  const keys = doc_ids.map((doc_id) => ({ collection, doc_id }));
  const core = { store, system: nodeSystem, hybridClock: new HybridClock(nodeSystem, '') };
  const { outcome } = await commitDecision(core, scope_id, {
    load: {
      receipts: [],
      documents: keys.map((key) => ({ ...key, parent_version: null })),
      traces: keys,
    },
    deadline_at: nodeSystem.clock.monotonic() + 30_000,
    decide: (input) =>
      decideForeign({
        ...input,
        scope_id,
        keys,
        options: { mode, origin: 'migrate' },
        catalogue: policies,
        digest: nodeSystem.crypto.sha256,
      }),
  });
  return outcome;
}
