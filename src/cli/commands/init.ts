/** `init`: shows what the database needs, applies it, and can be repeated. */

import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, wantedLayout } from '../../compose.ts';
import { newSecret } from '../../config/dev-secret.ts';
import type { Config } from '../../config/finish-config.ts';
import type { SetupStep } from '../../core/ports/store.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { usageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { CONFIG_FILE, fillSample, readSample } from '../sample-config.ts';

/** Flags of `init`. */
export interface InitFlags {
  readonly dryRun?: boolean;
  readonly writeConfig?: boolean;
}

const SIGNS: Readonly<Record<SetupStep['action'], string>> = {
  create: '+',
  present: '=',
  change: '~',
  blocked: '!',
};

/** Plan, apply, next command. Exits 4 when a step needs a person; then nothing is applied. */
export async function run(invocation: Invocation, flags: InitFlags): Promise<ExitCode> {
  const { output } = invocation;
  if (flags.writeConfig === true) await writeConfig(invocation);
  const { config, file } = await invocation.loadConfig();
  const layout = wantedLayout(config);
  const store = await openStore(config, { mode: flags.dryRun === true ? 'read' : 'setup' });
  try {
    const plan = await store.planSetup(layout);
    if (!output.json) await printPlan(invocation, plan);
    const blocked = plan.some((step) => step.action === 'blocked');
    const apply = !blocked && flags.dryRun !== true;
    if (apply) await store.applySetup(layout);
    if (output.json) await output.jsonLine({ plan, applied: apply });
    report(invocation, { plan, applied: apply, config, file });
    return blocked ? EXIT.verification : EXIT.ok;
  } finally {
    await store.close();
  }
}

async function writeConfig({ cwd, output, globals }: Invocation): Promise<void> {
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
    return;
  }
  // Readable by its owner only, because it holds a signing key.
  await writeFile(path, fillSample(await readSample(), newSecret()), { flag: 'wx', mode: 0o600 });
  output.info(`+ ${CONFIG_FILE} with a signing key of its own; keep it out of version control`);
}

async function printPlan({ output }: Invocation, plan: readonly SetupStep[]): Promise<void> {
  const width = Math.max(...plan.map(({ kind, name }) => kind.length + name.length + 1), 1);
  for (const { action, kind, name, detail } of plan) {
    const subject = `${kind} ${name}`.padEnd(width);
    await output.data(`${SIGNS[action]} ${action.padEnd(7)} ${subject}  ${detail}`.trimEnd());
  }
}

interface Outcome {
  readonly plan: readonly SetupStep[];
  readonly applied: boolean;
  readonly config: Config;
  readonly file: string | null;
}

function report({ output }: Invocation, { plan, applied, config, file }: Outcome): void {
  const changes = plan.filter(({ action }) => action === 'create' || action === 'change').length;
  const blocked = plan.filter(({ action }) => action === 'blocked').length;
  if (config.store === 'mongo') {
    for (const line of RIGHTS) output.info(line);
  }
  if (blocked > 0) {
    output.error(`error: ${blocked} of ${plan.length} steps are blocked; nothing was changed (layout_blocked)`);
    output.error('fix: resolve the steps marked "!" by hand, then run init again');
    return;
  }
  if (!applied) output.info(`dry run: ${changes} of ${plan.length} steps would change something`);
  else if (changes === 0) output.info('nothing to do: everything is as it must be');
  else output.info(`done: ${changes} of ${plan.length} steps applied`);
  if (applied) output.info(`next: offline-sync serve${file === null ? '' : `   (settings: ${file})`}`);
}

const RIGHTS = [
  'rights that init needs on the database: createCollection, createIndex, collMod, listCollections, listIndexes, find, insert, update',
  'rights that serve needs on the database: find, insert, update, remove, listCollections, listIndexes (the role readWrite has them)',
  'serve also uses, when granted: killAnySession on the cluster, to free locks of a crashed server process at once',
];
