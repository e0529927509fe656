/** Runs the product's command line for the demo: `serve` as a child process, and `token`. */

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { COLLECTIONS } from './demo-data.mjs';

const BIN = fileURLToPath(new URL('../../bin/offline-sync.js', import.meta.url));

/** The commands of one demo, all with the same configuration and in the same empty folder. */
export class DemoServer {
  #options;
  #child;
  #port = 0;

  /** `settings` says where the data lives; see `demo-store.mjs`. */
  constructor(settings, cwd) {
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      SYNC_COLLECTIONS: COLLECTIONS.join(),
      SYNC_AUTH__SECRET: randomBytes(32).toString('hex'),
      SYNC_AUTH__SCOPE_ID_FIELD: 'scope_id',
      SYNC_AUTO_INIT: 'true',
      SYNC_LOG_LEVEL: 'warn',
      ...settings,
    };
    this.#options = { cwd, env };
  }

  /** Starts the server and returns its address; a restarted one has the same. */
  async start() {
    const args = [BIN, 'serve', '--json', '--port', String(this.#port)];
    const stdio = ['ignore', 'pipe', 'inherit'];
    this.#child = spawn(process.execPath, args, { ...this.#options, stdio });
    for await (const line of createInterface({ input: this.#child.stdout })) {
      const { event, url, port } = JSON.parse(line);
      if (event !== 'listening') continue;
      this.#port = port;
      return url;
    }
    throw new Error('the server did not start');
  }

  /** Lets it finish its requests and end. */
  async stop() {
    if (this.#child === undefined || this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = await exited;
    if (code !== 0) throw new Error(`the server ended with code ${code}`);
  }

  /** A token of an actor for the demo's scope. */
  token(actor, scope) {
    const args = [BIN, 'token', '--quiet', '--actor', actor, '--scope', scope];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      ...this.#options,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`no token: ${stderr}`);
    return stdout.trim();
  }
}
