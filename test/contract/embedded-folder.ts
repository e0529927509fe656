/** Fresh folders for embedded stores. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SyncStore } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { openEmbeddedStore } from '../../src/storage/embedded/embedded-store.ts';

/** A new folder under the system's temporary one. */
export function temporaryFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'offline-sync-'));
}

/** A store in a folder of its own; closing removes both. */
export async function openTemporaryStore(): Promise<{
  readonly store: SyncStore;
  readonly data_dir: string;
  close(): Promise<void>;
}> {
  const data_dir = temporaryFolder();
  const store = await openEmbeddedStore({ data_dir, mode: 'write', clock: nodeSystem.clock });
  return {
    store,
    data_dir,
    close: async () => {
      await store.close();
      rmSync(data_dir, { recursive: true, force: true });
    },
  };
}
