/** What every command gets: flags that all share, the environment, the output and the configuration. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { LoadedConfig } from '../config/load-config.ts';
import { usageError } from './failure.ts';
import { canRewrite, Output, wantsColor } from './output.ts';

/** Flags of every command, as commander hands them over: texts without defaults. */
export interface GlobalFlags {
  readonly config?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color?: boolean;
  readonly envFile?: string;
}

/** A flag that stands for a configuration key. */
export interface ConfigFlag {
  readonly name: string;
  readonly flag: string;
  readonly text: string | undefined;
}

/** One run of one command. */
export interface Invocation {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly globals: GlobalFlags;
  readonly output: Output;
  /** Loads the configuration, with the command's own flags above everything else, and prints warnings. */
  loadConfig(flags?: readonly ConfigFlag[]): Promise<LoadedConfig>;
}

/** Prepares a run. Throws a usage error when `--env-file` cannot be read. */
export function createInvocation(globals: GlobalFlags): Invocation {
  const cwd = process.cwd();
  // The real environment wins, as with Node's own --env-file.
  const env = { ...readEnvFile(globals.envFile, cwd), ...process.env };
  const output = new Output({
    json: globals.json === true,
    quiet: globals.quiet === true,
    color: globals.color !== false && wantsColor(env),
    rewrites: canRewrite(env),
  });
  return {
    cwd,
    env,
    globals,
    output,
    async loadConfig(flags = []) {
      const { loadConfig } = await import('../config/load-config.ts');
      const loaded = await loadConfig({
        cwd,
        env,
        path: globals.config,
        flags: given([
          ...flags,
          { name: 'log_level', flag: '--log-level', text: globals.logLevel },
          { name: 'log_format', flag: '--log-format', text: globals.logFormat },
        ]),
      });
      for (const warning of loaded.warnings) output.warn(warning);
      return loaded;
    },
  };
}

function given(flags: readonly ConfigFlag[]): { name: string; flag: string; text: string }[] {
  return flags.flatMap((flag) => (flag.text === undefined ? [] : [{ ...flag, text: flag.text }]));
}

function readEnvFile(path: string | undefined, cwd: string): Record<string, string | undefined> {
  if (path === undefined) return {};
  try {
    return { ...parseEnv(readFileSync(resolve(cwd, path), 'utf8')) };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'not readable';
    throw usageError(
      `cannot read the file named by --env-file (${code})`,
      'give the path of a .env file',
    );
  }
}
