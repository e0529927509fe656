/** The store contract on the embedded store. */

import { openTemporaryStore } from './embedded-folder.ts';
import { runStoreContract } from './store.contract.ts';

runStoreContract('embedded', openTemporaryStore);
