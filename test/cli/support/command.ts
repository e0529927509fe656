/** Runs the built command line as a user would: its own process, its own folder, a clean environment. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { signToken } from '../../../src/auth/sign-token.ts';

const BIN = resolve('bin/offline-sync.js');

/** Secret of test configurations. */
export const SECRET = 'a-secret-for-tests-only-32-bytes-long';

/** Where and with which variables a command runs. */
export interface Place {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A fresh folder with these files; it ends the upward search for a configuration. */
export function freshFolder(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sync-cli-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'package.json'), '{"name":"scratch"}');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Starts a command; it is killed at the end of the test at the latest. */
export function start(
  t: TestContext,
  args: readonly string[],
  { cwd, env = {} }: Place,
): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Runs a command to its end. */
export async function run(t: TestContext, args: readonly string[], place: Place): Promise<Ended> {
  const child = start(t, args, place);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: stdout(), stderr: stderr() };
}

/** A server that listens. */
export interface Served {
  readonly url: string;
  readonly port: number;
  /** Everything on stderr so far. */
  stderr(): string;
  /** Resolves when a log line with this event was written. */
  logged(event: string): Promise<void>;
  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGUSR2'): void;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

/** Starts `serve` on a free port and waits until it listens. */
export async function serve(
  t: TestContext,
  place: Place,
  args: readonly string[] = [],
): Promise<Served> {
  const child = start(
    t,
    ['serve', '--port', '0', '--json', '--log-format', 'json', ...args],
    place,
  );
  const stderr = collect(child.stderr);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const line = await Promise.race([firstLine(child), ended.then(() => undefined)]);
  assert.ok(line !== undefined, `serve ended before it listened:\n${stderr()}`);
  const { url, port } = JSON.parse(line) as { url: string; port: number };
  return {
    url,
    port,
    stderr,
    ended,
    signal: (signal) => child.kill(signal),
    async logged(event) {
      while (!stderr().includes(`"event":"${event}"`)) {
        await Promise.race([
          once(child.stderr as NonNullable<typeof child.stderr>, 'data'),
          ended.then(() => assert.fail(`ended without ${event}:\n${stderr()}`)),
        ]);
      }
    },
  };
}

/** A bearer token that the place's server accepts, signed here: the command has tests of its own. */
export function tokenOf({ cwd }: Place, actor = 'dev'): Promise<string> {
  const own = join(cwd, '.offline-sync', 'dev-secret');
  const secret = existsSync(own) ? readFileSync(own, 'utf8').trim() : SECRET;
  return signToken({
    secret,
    claims: { sub: actor },
    ttl_seconds: 3_600,
    clock: { now: Date.now },
  });
}

/** Body of a push with one upsert. */
export function pushOf(
  doc_id: string,
  data: object = { title: doc_id },
  collection = 'tasks',
): string {
  const change = { collection, doc_id, operation: 'upsert', data };
  return JSON.stringify({ client_id: 'test', changes: [change] });
}

/** Pushes one document and fails unless it is accepted. */
export async function push(url: string, token: string, body: string): Promise<void> {
  const response = await fetch(`${url}/sync/push`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  });
  const answer = (await response.json()) as { results?: { status: string }[] };
  assert.equal(answer.results?.[0]?.status, 'accepted', JSON.stringify(answer));
}

/** Pulls everything after a version; the answer's body. */
export async function pull(
  url: string,
  token: string,
  since: string,
): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/sync/pull?since=${since}`, { headers });
  return (await response.json()) as Record<string, unknown>;
}

/** Lines of JSON as values. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const parts: Buffer[] = [];
  stream?.on('data', (part: Buffer) => parts.push(part));
  return () => Buffer.concat(parts).toString('utf8');
}

async function firstLine(child: ChildProcess): Promise<string> {
  const stdout = collect(child.stdout);
  while (!stdout().includes('\n')) {
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data');
  }
  return stdout().split('\n')[0] as string;
}
