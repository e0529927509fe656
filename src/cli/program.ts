/** The tree of commands. Each is one module that is loaded when it runs, so that starting stays quick. */

import { Command, Option } from 'commander';
import { PACKAGE_VERSION } from '../build-info.ts';
import type { ExitCode } from './exit-codes.ts';
import { createInvocation, type GlobalFlags, type Invocation } from './invocation.ts';

/** A command's module: runs with its own flags and says how it ended. */
export type Run<Flags> = (invocation: Invocation, flags: Flags) => Promise<ExitCode>;

/** Builds the commands. `onDone` receives the exit code of the one that ran. */
export function createProgram(onDone: (code: ExitCode) => void): Command {
  const program = new Command('offline-sync');
  strict(program)
    .description('Two-way offline sync for the MongoDB you already run.')
    .version(PACKAGE_VERSION, '-V, --version', 'print the version')
    .option(
      '-c, --config <path>',
      'configuration file (default: sync.config.yaml|yml|json, package.json)',
    )
    .option('--env-file <path>', 'read environment variables from a file')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .option('--log-format <format>', 'pretty or json')
    .option('--json', 'machine-readable output')
    .option('-q, --quiet', 'only data, warnings and errors')
    .option('--no-color', 'no colours')
    .configureHelp({ showGlobalOptions: true });

  /** Adds a command whose module is loaded when it runs. */
  const add = <Flags>(
    parent: Command,
    spec: string,
    load: () => Promise<{ run: Run<Flags> }>,
  ): Command =>
    strict(parent.command(spec)).action(async (...args: unknown[]) => {
      const command = args.at(-1) as Command;
      const { run } = await load();
      const globals = program.opts<GlobalFlags>();
      const flags = { ...command.opts<Flags & object>(), ...argumentsOf(command) };
      onDone(await run(createInvocation(globals), flags));
    });

  addSetup(program, add);
  addServing(program, add);
  addTools(program, add);
  return program;
}

type Add = <Flags>(
  parent: Command,
  spec: string,
  load: () => Promise<{ run: Run<Flags> }>,
) => Command;

function addSetup(program: Command, add: Add): void {
  add(program, 'init', () => import('./commands/init.ts'))
    .description('Create what the database needs: shows the plan, applies it, can be repeated.')
    .option('--dry-run', 'show the plan only')
    .option('--write-config', 'write a commented sync.config.yaml when there is none')
    .addOption(
      new Option('--remove', 'take everything of offline-sync out of the database').conflicts([
        'writeConfig',
        'newEpoch',
      ]),
    )
    .option('-y, --yes', 'with --remove: do not ask')
    .addOption(
      new Option(
        '--new-epoch',
        'after a restored backup: begin another history, clients resync',
      ).conflicts(['writeConfig', 'dryRun']),
    )
    .addHelpText(
      'after',
      examples(['init --dry-run', 'init', 'init --remove --dry-run', 'init --new-epoch']),
    );
}

function addServing(program: Command, add: Add): void {
  add(program, 'serve', () => import('./commands/serve.ts'))
    .description('Serve push, pull and full resync over HTTP. Needs no file for a first run.')
    .option('--port <number>', 'port to listen on, 0 takes a free one (SYNC_PORT)')
    .option('--host <address>', 'address to listen on (SYNC_HOST)')
    .option('--print-config', 'print the effective configuration and end')
    .option('--check', 'load, connect, verify collections and indexes, and end')
    .addHelpText('after', examples(['serve', 'serve --port 9000', 'serve --check']));
  add(program, 'inspect', () => import('./commands/inspect.ts'))
    .description('Show the changes of the oplog: a table on a terminal, JSON lines in a pipe.')
    .option('--since <time>', 'a version, an ISO date, an age such as 15m, or 0 (default: 15m)')
    .option('-f, --follow', 'stay and show changes as they are committed')
    .option('--collection <names>', 'only these collections, separated by commas')
    .option('--scope <id>', 'only this scope')
    .option('--doc <id>', 'only this document')
    .option('--op <names>', 'only upsert, delete, remove, reset; separated by commas')
    .option('--limit <number>', 'end after this many changes')
    .option('--data', 'show documents as well')
    .addHelpText(
      'after',
      examples(['inspect --since 0', 'inspect -f', 'inspect --since 1d --json']),
    );
  add(program, 'import <collection> <file>', () => import('./commands/import.ts'))
    .description('Bring the documents of a file in through the engine; can be repeated.')
    .option('--scope <id>', 'the scope that the documents belong to')
    .option('--format <name>', 'ndjson, json or csv (default: by the ending of the file)')
    .option('--id-field <name>', 'field that holds the id (default: _id, then id)')
    .option('--csv-types <list>', 'types of CSV columns, such as price:number, or infer')
    .option('--batch <number>', 'documents per commit')
    .option('--rejects <path>', 'where refused lines go (default: <file>.rejects.ndjson)')
    .option('--allow-rejects', 'end with 0 although lines were refused')
    .option('--dry-run', 'read and judge the file, write nothing')
    .addHelpText(
      'after',
      examples([
        'import tasks tasks.ndjson --scope team-1',
        'import movies movies.csv --scope shared --csv-types infer --dry-run',
      ]),
    );
  add(program, 'migrate', () => import('./commands/migrate.ts'))
    .description('Adopt the documents that are there: shows the plan, can be stopped and resumed.')
    .option('--dry-run', 'show the plan only')
    .option('--collection <names>', 'only these collections, separated by commas')
    .option('--batch <number>', 'documents per step, 1 to 5000 (default: 500)')
    .option('--allow-skipped', 'go on although some documents cannot be adopted')
    .option('--restart', 'begin a run that was stopped from its start')
    .option('--verify', 'check every version, hash and head instead')
    .addHelpText('after', examples(['migrate --dry-run', 'migrate', 'migrate --verify']));
}

function addTools(program: Command, add: Add): void {
  add(program, 'token', () => import('./commands/token.ts'))
    .description('Sign a token with the configured secret, or check one.')
    .option('--actor <id>', 'who acts')
    .option('--scope <id>', 'a scope; repeat it for several', collect)
    .option('--claim <key=value>', 'a further claim; repeat it for several', collect)
    .option('--ttl <duration>', 'how long it is valid, at most 24h (default: 1h)')
    .addOption(
      new Option('--verify <token>', 'check a token instead').conflicts([
        'actor',
        'scope',
        'claim',
        'ttl',
      ]),
    )
    .addHelpText('after', examples(['token --actor alice', 'token --actor alice --ttl 8h']));
  const config = strict(program.command('config')).description('Look at the configuration.');
  add(config, 'print', () => import('./commands/config-print.ts')).description(
    'Print every value with the place it came from; secrets are masked.',
  );
  add(config, 'validate', () => import('./commands/config-validate.ts')).description(
    'Check the configuration, also for what serve asks.',
  );
  add(config, 'schema', () => import('./commands/config-schema.ts')).description(
    'Print the JSON Schema of the file.',
  );
  add(config, 'sample', () => import('./commands/config-sample.ts')).description(
    'Print a commented file with every key.',
  );
}

/** Commander exits by itself unless told otherwise on each command [CL-2]. */
function strict(command: Command): Command {
  return command
    .exitOverride()
    .showHelpAfterError('(add --help for the options)')
    .configureOutput({ outputError: (text, write) => write(text) });
}

/** Arguments by their names, beside the flags. */
function argumentsOf(command: Command): Record<string, unknown> {
  const values = command.registeredArguments.map((one, index) => [
    one.name(),
    command.processedArgs[index],
  ]);
  return Object.fromEntries(values);
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  offline-sync ${line}`).join('\n')}\n`;
}
