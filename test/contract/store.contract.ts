/**
 * The executable meaning of the storage port. Any adapter must pass; titles start with the rule of
 * `src/core/ports/store.ts` that they show. Differences between stores come from `capabilities`.
 */

import type { OpenStore } from './contract-world.ts';
import { commitContract } from './store-commit.contract.ts';
import { feedContract } from './store-feed.contract.ts';
import { guardContract } from './store-guard.contract.ts';
import { loadContract } from './store-load.contract.ts';
import { readsContract } from './store-reads.contract.ts';
import { resetsContract } from './store-resets.contract.ts';
import { upkeepContract } from './store-upkeep.contract.ts';
import { walkContract } from './store-walk.contract.ts';

/** Registers every case for one adapter. `open` gives a fresh store that was never set up. */
export function runStoreContract(name: string, open: OpenStore): void {
  commitContract(name, open);
  guardContract(name, open);
  loadContract(name, open);
  readsContract(name, open);
  feedContract(name, open);
  walkContract(name, open);
  upkeepContract(name, open);
  resetsContract(name, open);
}
