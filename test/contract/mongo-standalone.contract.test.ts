/** The store contract on a standalone MongoDB, without transactions, and as on a server before 8.0. */

import { after, before } from 'node:test';
import type { StartedMongo } from '../../scripts/mongodb.mjs';
import { nodeSystem } from '../../src/node-system.ts';
import { createMongoStore } from '../../src/storage/mongo/mongo-store.ts';
import { connect } from '../../src/storage/mongo/topology.ts';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import { CONTRACT_LAYOUT, type OpenStore } from './contract-world.ts';
import { commitContract } from './store-commit.contract.ts';
import { guardContract } from './store-guard.contract.ts';
import { runStoreContract } from './store.contract.ts';

const { clock, crypto } = nodeSystem;
let server: StartedMongo;

before(async () => {
  server = await startOwnMongo({ standalone: true });
});
after(() => server.stop());

function opener(change: { readonly clientBulkWrite?: false }): OpenStore {
  return async () => {
    const database = await freshDatabase(server);
    const connection = await connect(database.uri, database.name, 'off');
    const store = await createMongoStore(
      { ...connection, ...change },
      { node_id: crypto.randomBase36(8), clock, collections: CONTRACT_LAYOUT.collections },
    );
    return {
      store,
      close: async () => {
        await store.close();
        await database.drop();
      },
    };
  };
}

runStoreContract('mongo without transactions', opener({}));
// What such a server writes otherwise is shown by the cases that write.
const OLD = 'mongo without transactions before 8.0';
commitContract(OLD, opener({ clientBulkWrite: false }));
guardContract(OLD, opener({ clientBulkWrite: false }));
