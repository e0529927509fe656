/** `init --new-epoch`: after a restored backup, begins another history, so that every client resyncs. */

import { historyCore, storeClock, storeExists, withStore } from '../../compose-store.ts';
import { wantedLayout } from '../../config/engine-settings.ts';
import { StoreError, type SyncStore } from '../../core/ports/store.ts';
import { SetupError } from '../../core/upkeep/layout.ts';
import { beginHistory } from '../../core/upkeep/new-history.ts';
import { nodeSystem } from '../../node-system.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { createProgress } from '../progress.ts';

/** Exits 5 while a server works with the store; a run that was killed is finished by the next one. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const { output } = invocation;
  const { config } = await invocation.loadConfig();
  if (!(await storeExists(config))) throw new SetupError('not_initialised');
  const { new_epoch, collections } = wantedLayout(config, nodeSystem.crypto);
  const progress = createProgress(output, {
    label: 'new epoch',
    unit: 'scopes',
    total: null,
    clock: nodeSystem.clock,
  });
  let done = 0;
  const history = await withStore(config, 'setup', async (store) => {
    await refuseLive(store);
    const begun = await beginHistory(historyCore({ config, store, clock: storeClock(config) }), {
      epoch: new_epoch,
      collections: collections.map(({ name }) => name),
      onScope: async () => {
        done += 1;
        await progress.update({ done });
      },
    });
    // One that started meanwhile may still serve the history before: it has to start again.
    await refuseLive(store);
    return begun;
  }).finally(() => progress.end());
  if (output.json) await output.jsonLine(history);
  const { epoch, resumed } = history;
  const what = resumed ? 'the history that was begun is finished' : 'a new history has begun';
  output.info(`done: ${what} (epoch ${epoch}); clients resync when they pull next`);
  return EXIT.ok;
}

async function refuseLive(store: SyncStore): Promise<void> {
  if ((await store.liveProcesses()) === 0) return;
  throw new StoreError('locked', 'a server works with this database');
}
