/** Runs the product's command line for the demo: `serve` beside the story, others as steps of it. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { print, type } from './talk.mjs';

const BIN = fileURLToPath(new URL('../../bin/offline-sync.js', import.meta.url));

/** The commands of one demo, all in the same folder and with the same environment. */
export class DemoServer {
  #options;
  #child;
  #port = 0;

  /** `env` says where the data lives, unless a configuration file in `cwd` does. */
  constructor(env, cwd) {
    const quiet = { NODE_OPTIONS: '', SYNC_LOG_LEVEL: 'error' };
    this.#options = { cwd, env: { ...process.env, ...quiet, ...env } };
  }

  /**
   * Runs a command as a user types it and shows what it prints, as it comes or only the last `show`
   * lines of it. Throws when it fails.
   */
  async run(command, { show } = {}) {
    type(`npx offline-sync ${command}`);
    const child = spawn(process.execPath, [BIN, ...command.split(' ')], {
      ...this.#options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines = [];
    const gather = async (stream) => {
      for await (const line of createInterface({ input: stream })) {
        lines.push(line);
        if (show === undefined) print(line);
      }
    };
    await Promise.all([gather(child.stdout), gather(child.stderr), once(child, 'close')]);
    if (child.exitCode !== 0) throw new Error(`exit code ${child.exitCode}\n${lines.join('\n')}`);
    if (show === undefined) return;
    if (lines.length > show) print(`… ${lines.length - show} lines`);
    for (const line of lines.slice(-show)) print(line);
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
