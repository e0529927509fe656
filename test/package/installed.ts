/** The package as a user gets it: packed, installed into an empty folder, and its commands run there. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { inRoot } from '../../scripts/lib/paths.mjs';

const STEP_LIMIT_MS = 110_000;
const START_LIMIT_MS = 30_000;

/** A folder in which the package is installed. */
export interface Installed {
  readonly folder: string;
  /** Paths inside the tarball. */
  readonly packed: readonly string[];
}

/** A server that was started; `stop` ends it with SIGTERM and resolves with its exit code. */
export interface Served {
  readonly url: string;
  stop(): Promise<number | null>;
}

/** Packs the checkout and installs the tarball with npm, from its cache where it can. */
export function installPackage(): Installed {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'offline-sync-package-'));
  const listed = run('npm', ['pack', '--json', '--pack-destination', folder], inRoot());
  const [tarball] = JSON.parse(listed) as { filename: string; files: { path: string }[] }[];
  if (tarball === undefined) throw new Error(`npm pack said: ${listed}`);
  const home = path.join(folder, 'app');
  mkdirSync(home);
  writeFileSync(path.join(home, 'package.json'), '{ "private": true, "type": "module" }\n');
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline'];
  run('npm', ['install', ...quiet, path.join(folder, tarball.filename)], home);
  return { folder: home, packed: tarball.files.map((file) => file.path) };
}

/** Runs a command in a folder and returns its stdout; throws with both outputs when it fails. */
export function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: STEP_LIMIT_MS,
    env: quietEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Starts `serve --json` through a command and resolves when it listens. */
export async function serve(command: readonly [string, ...string[]], cwd: string): Promise<Served> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env: quietEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = await listeningUrl(child);
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  const timer = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
  try {
    if (child.stdout === null) throw new Error('stdout is not a pipe');
    for await (const line of createInterface({ input: child.stdout })) {
      const { event, url } = JSON.parse(line) as { event?: string; url?: string };
      if (event === 'listening' && url !== undefined) return url;
    }
    throw new Error('serve ended without listening');
  } finally {
    clearTimeout(timer);
  }
}

/** Configuration and coverage of the test run must not reach what a user would start. */
function quietEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(SYNC_|MONGODB_|PORT$|NODE_V8_COVERAGE$|NODE_TEST_CONTEXT$)/.test(name),
  );
  return { ...Object.fromEntries(kept), SYNC_LOG_LEVEL: 'warn' };
}
