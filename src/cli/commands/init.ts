/** `init`: shows what the database needs, applies it, and can be repeated. */

import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyCore, storeClock, storeExists, withStore } from '../../compose-store.ts';
import { newSecret } from '../../config/dev-secret.ts';
import { wantedLayout } from '../../config/engine-settings.ts';
import type { Config } from '../../config/finish-config.ts';
import type { SetupStep } from '../../core/ports/store.ts';
import { countInvisible } from '../../core/upkeep/layout.ts';
import { payResets } from '../../core/upkeep/new-history.ts';
import { nodeSystem } from '../../node-system.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { describeStore } from '../describe-store.ts';
import { usageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { CONFIG_FILE, fillMongoSample, fillSample, readSample } from '../sample-config.ts';

/** Flags of `init`. */
export interface InitFlags {
  readonly dryRun?: boolean;
  readonly writeConfig?: boolean;
  readonly remove?: boolean;
  readonly yes?: boolean;
  readonly newEpoch?: boolean;
}

const SIGNS: Readonly<Record<SetupStep['action'], string>> = {
  create: '+',
  present: '=',
  change: '~',
  blocked: '!',
};

/** Plan, apply, next command. Exits 4 when a step needs a person; then nothing is applied. */
export async function run(invocation: Invocation, flags: InitFlags): Promise<ExitCode> {
  if (flags.remove === true) return (await import('./init-remove.ts')).run(invocation, flags);
  if (flags.newEpoch === true) return (await import('./init-new-epoch.ts')).run(invocation);
  if (flags.writeConfig === true && (await writeConfig(invocation)) === 'to_edit') return EXIT.ok;
  const { config, file } = await invocation.loadConfig();
  if (flags.dryRun === true && !(await storeExists(config))) {
    const plan: SetupStep[] = [
      { action: 'create', kind: 'meta', name: 'store', detail: config.data_dir },
    ];
    return show(invocation, { plan, applied: false, config, file, next: 'serve' });
  }
  const layout = wantedLayout(config, nodeSystem.crypto);
  return withStore(config, flags.dryRun === true ? 'read' : 'setup', async (store) => {
    const plan = await explained(invocation, config, () => store.planSetup(layout));
    const blocked = plan.some((step) => step.action === 'blocked');
    const applied = !blocked && flags.dryRun !== true;
    if (applied) {
      await explained(invocation, config, () => store.applySetup(layout));
      await payResets(historyCore({ config, store, clock: storeClock(config) }));
    }
    const names = config.collections.map(({ name }) => name);
    const next = applied && (await countInvisible(store, names)).length > 0 ? 'migrate' : 'serve';
    return show(invocation, { plan, applied, config, file, next });
  });
}

interface Outcome {
  readonly plan: readonly SetupStep[];
  readonly applied: boolean;
  readonly config: Config;
  readonly file: string | null;
  /** Documents without a version are not served, so they come first. */
  readonly next: 'migrate' | 'serve';
}

async function show(invocation: Invocation, outcome: Outcome): Promise<ExitCode> {
  const { output } = invocation;
  const { plan, applied } = outcome;
  if (output.json) await output.jsonLine({ plan, applied });
  else await printPlan(invocation, plan);
  for (const { note } of plan) if (note !== undefined) output.warn(note);
  return report(invocation, outcome);
}

/** With MONGODB_URI the file asks for an edit first: its collections are not those of the database. */
async function writeConfig(invocation: Invocation): Promise<'ready' | 'to_edit'> {
  const { cwd, env, output, globals } = invocation;
  if (globals.config !== undefined) {
    throw usageError('--write-config and --config exclude each other', 'use one of them');
  }
  const path = join(cwd, CONFIG_FILE);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) {
    output.info(`= ${CONFIG_FILE} is there and stays as it is`);
    return 'ready';
  }
  const mongo = (env['MONGODB_URI'] ?? '') !== '';
  const fill = mongo ? fillMongoSample : fillSample;
  // Readable by its owner only, because it holds a signing key.
  await writeFile(path, fill(await readSample(), newSecret()), { flag: 'wx', mode: 0o600 });
  output.info(`+ ${CONFIG_FILE} with a signing key of its own; keep it out of version control`);
  if (!mongo) return 'ready';
  output.info('next: write your database_name and collections into it, then: offline-sync init');
  return 'to_edit';
}

async function printPlan({ output }: Invocation, plan: readonly SetupStep[]): Promise<void> {
  const width = Math.max(...plan.map(({ kind, name }) => kind.length + name.length + 1), 1);
  for (const { action, kind, name, detail } of plan) {
    const subject = `${kind} ${name}`.padEnd(width);
    await output.data(`${SIGNS[action]} ${action.padEnd(7)} ${subject}  ${detail}`.trimEnd());
  }
}

/** A refusal is most often a missing right, so the list of rights comes with it. */
async function explained<T>(
  { output }: Invocation,
  config: Config,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (config.store === 'mongo') for (const line of RIGHTS) output.error(line);
    throw error;
  }
}

/** What people read after the plan: rights, the result, and the next command. */
function report({ output }: Invocation, outcome: Outcome): ExitCode {
  const { plan, applied, config, file, next } = outcome;
  const count = (...actions: string[]) =>
    plan.filter(({ action }) => actions.includes(action)).length;
  const changes = count('create', 'change');
  const blocked = count('blocked');
  if (config.store === 'mongo') for (const line of RIGHTS) output.info(line);
  if (blocked > 0) {
    output.error(
      `error: ${blocked} of ${plan.length} steps are blocked, nothing was changed (layout_blocked)`,
    );
    output.error('fix: resolve the steps marked "!" by hand, then run init again');
    return EXIT.verification;
  }
  output.info(`store: ${describeStore(config)}`);
  if (!applied) {
    output.info(`dry run: ${changes} of ${plan.length} steps would change something`);
    return EXIT.ok;
  }
  output.info(
    changes === 0
      ? 'nothing to do: everything is as it must be'
      : `done: ${changes} of ${plan.length} steps applied`,
  );
  const command = next === 'migrate' ? 'migrate --dry-run' : 'serve';
  output.info(`next: offline-sync ${command}${file === null ? '' : `   (settings: ${file})`}`);
  return EXIT.ok;
}

const RIGHTS = [
  'rights that init needs on the database: createCollection, createIndex, collMod, listCollections, listIndexes, find, insert, update (and renameCollectionSameDB, dropIndex, dropCollection, remove to take over an earlier log and for --remove)',
  'rights that serve needs on the database: find, insert, update, remove, listCollections, listIndexes; with changeStream it hears of commits at once, without it looks twice a second (the role readWrite has them all)',
  'every server process must be the same database user: it can end the transactions of a crashed one only then',
];
