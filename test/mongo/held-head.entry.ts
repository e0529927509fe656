/** A process that locks a head and never lets go: killed by its test. */

import { nodeSystem } from '../../src/node-system.ts';
import { openMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { CONTRACT_LAYOUT } from '../contract/contract-world.ts';

const [uri, database, scope_id] = process.argv.slice(2) as [string, string, string];

const store = await openMongoStore({
  uri,
  database,
  node_id: nodeSystem.crypto.randomBase36(8),
  clock: nodeSystem.clock,
  collections: CONTRACT_LAYOUT.collections,
});

await store.commitGroup(scope_id, {
  load: { receipts: [], documents: [] },
  budget_ms: 60_000,
  decide: () => {
    process.stdout.write('held\n');
    return new Promise<never>(() => {});
  },
});
