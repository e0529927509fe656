/** What the processes of a reconnect storm and their test tell each other. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A scope whose rows are followed. */
export interface StormScope {
  readonly scope_id: string;
  readonly token: string;
}

/** What a process of clients is asked for. */
export type StormOrder =
  /** Connects so many clients from the beginning of their scopes; answered when all are caught up. */
  | {
      readonly order: 'open';
      readonly url: string;
      readonly scopes: readonly StormScope[];
      readonly clients: number;
    }
  /** Answered when every client is connected and has this many rows of its scope. */
  | { readonly order: 'reach'; readonly rows: readonly number[]; readonly limit_ms: number }
  | { readonly order: 'tell' };

/** What a process of clients found. */
export interface StormReport {
  /** Clients that are connected and caught up, and those that also have all wanted rows. */
  readonly caught_up: number;
  readonly complete: number;
  /** Connections that were opened after the first one of each client. */
  readonly reconnects: number;
  /** Handshakes that failed, and why. */
  readonly failures: Readonly<Record<string, number>>;
  /** Rows that were not the next one, and messages that nobody expected. */
  readonly faults: readonly string[];
  /** Versions by scope, in the order in which clients got them. */
  readonly logs: readonly (readonly string[])[];
  /** When clients were caught up after the last break, ms since it; sorted. */
  readonly caught_up_ms: readonly number[];
}

/** Most files that this process and its children may open; the soft limit counts. */
export function openFilesMax(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}

/** A process full of clients. */
export class StormProcess {
  readonly #child: ChildProcess;
  #calls = 0;

  constructor() {
    const entry = fileURLToPath(new URL('./storm-clients.entry.js', import.meta.url));
    this.#child = fork(entry, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Resolves with what the process found once the order was carried out, or its time is over. */
  async ask(order: StormOrder): Promise<StormReport> {
    this.#calls += 1;
    const call = this.#calls;
    const answer = new Promise<StormReport>((resolve, reject) => {
      const onExit = () => reject(new Error('the clients ended'));
      this.#child.once('exit', onExit);
      const listen = (message: { call: number; report: StormReport }): void => {
        if (message.call !== call) return;
        this.#child.off('message', listen);
        this.#child.off('exit', onExit);
        resolve(message.report);
      };
      this.#child.on('message', listen);
    });
    this.#child.send({ ...order, call });
    return answer;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
