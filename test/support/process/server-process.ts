/**
 * Server processes of the tests: the real command line, or the entry script with hooks beside the
 * tests. Each runs in a folder of its own, says where it listens on stdout, and is ended by its pid.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ServerHooks } from './server-hooks.ts';

/** Signing key of every test server. */
export const TEST_SECRET = 'process-tests-sign-their-tokens-with-this';
/** Claim that names the scope of a test token. */
export const SCOPE_CLAIM = 'scope_id';
/** Collections of every test server. */
export const COLLECTIONS = ['tasks', 'notes'] as const;

const START_LIMIT_MS = 30_000;
const OUTPUT_KEPT = 6_000;

/** Where a server keeps its data, as environment variables. */
export type StoreSettings = Readonly<Record<string, string>>;

/** How a server process is started. */
export interface ServerOptions {
  readonly store: StoreSettings;
  /** Empty folder that it runs in, so that it finds no configuration file. */
  readonly cwd: string;
  /** 0 = any free one. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the entry script instead of the command line. */
  readonly hooks?: ServerHooks;
}

/** A server process that listens. */
export class ServerProcess {
  readonly url: string;
  readonly port: number;
  /** From the start of the process until it listened, ms. */
  readonly started_ms: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #output: () => string;
  #calls = 0;

  private constructor(started: Started) {
    this.url = started.url;
    this.port = Number(new URL(started.url).port);
    this.started_ms = started.ms;
    this.#child = started.child;
    this.#exited = started.exited;
    this.#output = started.output;
  }

  /** Starts a process and resolves when it listens; rejects with its output when it does not. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    return new ServerProcess(await startServer(options));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** The last part of what it wrote to stderr. */
  get output(): string {
    return this.#output();
  }

  /** True until the process has ended. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal and waits for nothing. */
  signal(name: 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  /** Resolves with the exit code once it has ended; null when a signal ended it. */
  async exitCode(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to finish its requests and to end; throws when it ended with a failure. */
  async stop(): Promise<void> {
    if (this.running) this.#child.kill('SIGTERM');
    await this.#exited;
    if (this.#child.exitCode !== 0) throw new Error(`the server ended badly:\n${this.output}`);
  }

  /** Deletes rows of the log up to `seq` through the entry script. Resolves with their number. */
  async prune(scope_id: string, seq: number): Promise<number> {
    this.#calls += 1;
    const call = this.#calls;
    const answer = new Promise<number>((resolve, reject) => {
      const listen = (message: { call: number; pruned?: number; error?: string }): void => {
        if (message.call !== call) return;
        this.#child.off('message', listen);
        if (message.error === undefined) resolve(message.pruned as number);
        else reject(new Error(message.error));
      };
      this.#child.on('message', listen);
    });
    this.#child.send({ call, prune: { scope_id, seq } });
    return answer;
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly url: string;
  readonly ms: number;
  output(): string;
}

async function startServer(options: ServerOptions): Promise<Started> {
  const began = performance.now();
  const child = spawn(process.execPath, commandOf(options), {
    cwd: options.cwd,
    env: environmentOf(options),
    stdio: ['ignore', 'pipe', 'pipe', ...(options.hooks === undefined ? [] : ['ipc' as const])],
  });
  const exited = once(child, 'exit');
  let kept = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    kept = (kept + text).slice(-OUTPUT_KEPT);
  });
  const late = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
  try {
    const url = await listeningUrl(child);
    if (url === undefined) throw new Error(`the server did not start:\n${kept}`);
    return { child, exited, url, ms: performance.now() - began, output: () => kept };
  } finally {
    clearTimeout(late);
  }
}

/** Source maps are left out: a process test starts many servers, and reading the maps takes time. */
function commandOf({ hooks, port = 0 }: ServerOptions): string[] {
  if (hooks === undefined) {
    return [path.resolve('bin/offline-sync.js'), 'serve', '--json', '--port', String(port)];
  }
  const entry = fileURLToPath(new URL('./hooked-server.entry.js', import.meta.url));
  return [entry, JSON.stringify({ ...hooks, port })];
}

function environmentOf({ store, env = {} }: ServerOptions): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    SYNC_AUTO_INIT: 'true',
    SYNC_COLLECTIONS: COLLECTIONS.join(),
    SYNC_AUTH__SECRET: TEST_SECRET,
    SYNC_AUTH__SCOPE_ID_FIELD: SCOPE_CLAIM,
    SYNC_LOG_LEVEL: 'warn',
    SYNC_LOG_FORMAT: 'json',
    ...store,
    ...env,
  };
}

/** Undefined when stdout ended without the line. The rest of stdout is read and dropped. */
async function listeningUrl(child: ChildProcess): Promise<string | undefined> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      const { event, url } = JSON.parse(line) as { event?: string; url?: string };
      if (event === 'listening') resolve(url);
    });
    lines.once('close', () => resolve(undefined));
  });
}
