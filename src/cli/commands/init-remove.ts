/** `init --remove`: shows what would go, asks, and takes everything of the engine out again. */

import { openRemoval, withPlace } from '../../compose-store.ts';
import type { Config } from '../../config/finish-config.ts';
import type { RemovalStep, StoreRemoval } from '../../core/ports/removal.ts';
import { StoreError } from '../../core/ports/store.ts';
import { nodeSystem } from '../../node-system.ts';
import { canAsk, confirm } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CommandError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { createProgress } from '../progress.ts';

/** Flags of `init --remove`. */
export interface RemoveFlags {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const SIGNS: Readonly<Record<RemovalStep['action'], string>> = {
  remove: '-',
  rename: '~',
  keep: '=',
};

/** Plan, question, removal. Exits 2 when nobody can be asked, 5 while a server is live. */
export async function run(invocation: Invocation, flags: RemoveFlags): Promise<ExitCode> {
  const { config } = await invocation.loadConfig();
  let removal: StoreRemoval | undefined;
  try {
    removal = await openRemoval(config);
    return await removeAll(invocation, { config, removal, flags });
  } catch (error) {
    throw withPlace(config, error);
  } finally {
    await removal?.close();
  }
}

interface Work {
  readonly config: Config;
  readonly removal: StoreRemoval;
  readonly flags: RemoveFlags;
}

async function removeAll(invocation: Invocation, work: Work): Promise<ExitCode> {
  const { output } = invocation;
  const { removal, flags } = work;
  const plan = await removal.plan();
  if (plan.length === 0) {
    if (output.json) await output.jsonLine({ plan, removed: false });
    else await output.data('nothing to remove');
    return EXIT.ok;
  }
  if (!output.json) await printPlan(invocation, plan);
  if (flags.dryRun === true || !(await mayRemove(flags))) {
    if (output.json) await output.jsonLine({ plan, removed: false });
    if (flags.dryRun === true) {
      output.info('dry run: nothing was removed');
      return EXIT.ok;
    }
    throw new CommandError({
      exit: EXIT.usage,
      code: 'not_confirmed',
      cause: 'nothing was removed, because nobody confirmed it',
      fix: 'look at the plan above, then run again with --yes',
    });
  }
  await apply(invocation, work);
  if (output.json) await output.jsonLine({ plan, removed: true });
  output.info('done: everything of offline-sync is removed; your documents stay as they are');
  return EXIT.ok;
}

async function printPlan({ output }: Invocation, plan: readonly RemovalStep[]): Promise<void> {
  const width = Math.max(...plan.map(({ kind, name }) => kind.length + name.length + 1));
  for (const { action, kind, name, detail } of plan) {
    await output.data(
      `${SIGNS[action]} ${action.padEnd(6)} ${`${kind} ${name}`.padEnd(width)}  ${detail}`,
    );
  }
}

async function mayRemove({ yes }: RemoveFlags): Promise<boolean> {
  if (yes === true) return true;
  return canAsk() && (await confirm('Remove all this?'));
}

async function apply({ output }: Invocation, { removal }: Work): Promise<void> {
  const progress = createProgress(output, {
    label: 'remove',
    unit: 'documents',
    total: null,
    clock: nodeSystem.clock,
  });
  try {
    await removal.apply((state) => progress.update(state));
  } catch (error) {
    progress.end();
    // Somebody works with the store: it was refused before anything went.
    if (error instanceof StoreError && error.kind === 'locked') throw error;
    output.error(
      'the removal did not end; what was removed stays removed, and no document is lost',
    );
    output.error('servers refuse to start until it is finished: offline-sync init --remove --yes');
    throw error;
  }
  progress.end();
}
