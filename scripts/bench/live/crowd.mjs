/** A process of clients, as its owner sees it. */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../servers.mjs';

/** Many clients in a process of their own. */
export class Crowd {
  #child;
  #waiting;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./clients.mjs', import.meta.url)));
    endWithUs(this.#child);
    this.#child.on('message', ({ result, failure }) => {
      const { resolve, reject } = this.#waiting;
      if (failure === undefined) resolve(result);
      else reject(new Error(`clients: ${failure}`));
    });
    this.#child.on('exit', (code) => this.#waiting?.reject(new Error(`clients ended: ${code}`)));
  }

  /** Connects a client per token; see `clients.mjs`. Resolves when all caught up. */
  connect(options) {
    return this.#ask({ do: 'connect', ...options });
  }

  /** Calls `work` and gives the ms from its beginning until every client got `rows` rows, and a frame. */
  async receive(rows, work) {
    await this.#ask({ do: 'expect', rows });
    const started = process.hrtime.bigint();
    await work();
    const { at, frame } = await this.#ask({ do: 'finish' });
    return { ms: Number(BigInt(at) - started) / 1e6, frame };
  }

  /** Closes all connections. */
  close() {
    return this.#ask({ do: 'close' });
  }

  /** Ends the process. */
  async stop() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#waiting = undefined;
    this.#child.disconnect();
    await ended;
  }

  #ask(command) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send(command);
    });
  }
}
