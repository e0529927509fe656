/** Starts the servers of a comparison as processes of their own, each on a fresh folder. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inRoot } from '../lib/paths.mjs';
import { signToken } from './token.mjs';

/** A folder here asks every server for a profile of its CPU time; look at the files, not at the figures. */
const PROFILE = process.env.BENCH_CPU_PROFILE;
const NODE = PROFILE === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${PROFILE}`];

const SECRET = 'bench-secret-bench-secret-bench-secret';
const START_LIMIT_MS = 20_000;
/** Longer than a server may drain. */
const STOP_LIMIT_MS = 15_000;

/** Where the product keeps its data, as lines of its configuration. */
function embedded(folder) {
  return ['store: embedded', `data_dir: ${path.join(folder, 'data')}`];
}

/**
 * `offline-sync serve` with JWT authentication, on the embedded store unless `store` are other lines of
 * its configuration. Callers are actors of one scope; without a name they are all the same one.
 */
export async function startProduct({ store } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-bench-'));
  const config = path.join(folder, 'sync.config.yaml');
  writeFileSync(
    config,
    [
      ...(store ?? embedded(folder)),
      'port: 0',
      'auto_init: true',
      'log_level: info',
      'collections: [tasks]',
      'auth:',
      `  secret: ${SECRET}`,
      '  algorithms: [HS256]',
      '  scope_id_field: scope_id',
      '',
    ].join('\n'),
  );
  const command = [...NODE, inRoot('bin/offline-sync.js'), 'serve', '-c', config];
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const token = (scope, actor = 'bench') => signToken(SECRET, { sub: actor, scope_id: scope });
  const pattern = /https?:\/\/[^:]+:(\d+)/;
  return { ...(await started(child, { stream: child.stderr, pattern, folder })), token };
}

/** The minimal server without any guarantee. */
export async function startMinimal() {
  const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-minimal-'));
  return startScript('minimal-server.mjs', [path.join(folder, 'data.db')], folder);
}

/** Nothing but `ws`. */
export async function startBareWs() {
  const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-ws-'));
  return startScript('bare-ws.mjs', [], folder);
}

/** Kills the child when this process ends, however it does. */
export function endWithUs(child) {
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}

function startScript(name, args, folder) {
  const script = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const child = spawn(process.execPath, [...NODE, script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return started(child, { stream: child.stdout, pattern: /"port":(\d+)/, folder });
}

async function started(child, { stream, pattern, folder }) {
  endWithUs(child);
  const port = await portOf(child, stream, pattern);
  return { port, rssKiB: () => rssKiB(child.pid), stop: () => stop(child, folder) };
}

/** Resident memory of a process, KiB. */
function rssKiB(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

/** The port that a server names when it is up. What it says later is read and dropped. */
function portOf(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`no port in: ${text}`)), START_LIMIT_MS);
    const read = (chunk) => {
      text += chunk;
      const found = pattern.exec(text);
      if (found === null) return;
      clearTimeout(timer);
      stream.off('data', read);
      stream.resume();
      resolve(Number(found[1]));
    };
    stream.setEncoding('utf8');
    stream.on('data', read);
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
}

async function stop(child, folder) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const cut = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await ended;
  }
  clearTimeout(cut);
  rmSync(folder, { recursive: true, force: true });
}
