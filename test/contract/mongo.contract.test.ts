/** The store contract on MongoDB: a fresh database per case, as on a server before 8.0, and with tombstones in place. */

import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { createMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { freshDatabase } from '../support/mongodb.ts';
import { CONTRACT_LAYOUT, type OpenStore } from './contract-world.ts';
import { runStoreContract } from './store.contract.ts';

const { clock, crypto } = nodeSystem;

interface Variant {
  readonly clientBulkWrite?: false;
  readonly tombstones?: 'in_place';
}

function opener({ tombstones, ...change }: Variant): OpenStore {
  const collections = CONTRACT_LAYOUT.collections.map((one) => ({
    ...one,
    ...(tombstones === undefined ? {} : { tombstones }),
  }));
  return async () => {
    const database = await freshDatabase();
    const stores: SyncStore[] = [];
    const open = async () => {
      const connection = await connect(database.uri, database.name);
      const store = await createMongoStore(
        { ...connection, ...change },
        {
          node_id: crypto.randomBase36(8),
          clock,
          collections,
          mode: 'tool',
        },
      );
      stores.push(store);
      return store;
    };
    return {
      store: await open(),
      second: open,
      close: async () => {
        for (const store of stores) await store.close();
        await database.drop();
      },
    };
  };
}

runStoreContract('mongo', opener({}));
runStoreContract('mongo before 8.0', opener({ clientBulkWrite: false }));
runStoreContract('mongo in place', opener({ tombstones: 'in_place' }));
