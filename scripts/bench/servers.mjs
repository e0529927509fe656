/** Starts the two servers of a comparison as processes of their own, each on a fresh folder. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inRoot } from '../lib/paths.mjs';
import { signToken } from './token.mjs';

const SECRET = 'bench-secret-bench-secret-bench-secret';
const START_LIMIT_MS = 20_000;

/** `offline-sync serve` on the embedded store with JWT authentication. */
export async function startProduct() {
  const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-bench-'));
  const config = path.join(folder, 'sync.config.yaml');
  writeFileSync(
    config,
    [
      'store: embedded',
      `data_dir: ${path.join(folder, 'data')}`,
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
  const child = spawn(process.execPath, [inRoot('bin/offline-sync.js'), 'serve', '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const port = await portOf(child, child.stderr, /https?:\/\/[^:]+:(\d+)/);
  const token = (scope) => signToken(SECRET, { sub: 'bench', scope_id: scope });
  return { port, token, rssKiB: () => rssKiB(child.pid), stop: () => stop(child, folder) };
}

/** The minimal server without any guarantee. */
export async function startMinimal() {
  const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-minimal-'));
  const script = fileURLToPath(new URL('./minimal-server.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, path.join(folder, 'data.db')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await portOf(child, child.stdout, /"port":(\d+)/);
  return { port, stop: () => stop(child, folder) };
}

/** Resident memory of a process, KiB. */
function rssKiB(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}

function portOf(child, stream, pattern) {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`no port in: ${text}`)), START_LIMIT_MS);
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      text += chunk;
      const found = pattern.exec(text);
      if (found === null) return;
      clearTimeout(timer);
      resolve(Number(found[1]));
    });
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
}

async function stop(child, folder) {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}
