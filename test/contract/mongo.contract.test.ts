/** The store contract on MongoDB: a fresh database per case. */

import { nodeSystem } from '../../src/node-system.ts';
import { openMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { freshDatabase } from '../support/mongodb.ts';
import { CONTRACT_LAYOUT } from './contract-world.ts';
import { runStoreContract } from './store.contract.ts';

const { clock, crypto } = nodeSystem;

runStoreContract('mongo', async () => {
  const database = await freshDatabase();
  const open = () =>
    openMongoStore({
      uri: database.uri,
      database: database.name,
      node_id: crypto.randomBase36(8),
      clock,
      collections: CONTRACT_LAYOUT.collections,
      mode: 'tool',
    });
  const store = await open();
  const others: Awaited<ReturnType<typeof open>>[] = [];
  return {
    store,
    second: async () => {
      const other = await open();
      others.push(other);
      return other;
    },
    close: async () => {
      for (const one of [store, ...others]) await one.close();
      await database.drop();
    },
  };
});
