/** The main thread's end of a link to a worker: requests with promises, and the life of the thread. */

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { StoreError } from '../../core/ports/store.ts';
import type { TaskMap, TaskReply } from './messages.ts';
import { errorOf } from './worker-failure.ts';
import type { WorkerStart } from './worker-inbox.ts';

interface Waiting {
  resolve(output: unknown): void;
  reject(error: Error): void;
}

/** How to start a worker. `onGone` hears of a thread that ended without being closed. */
export interface LinkOptions {
  /** File name of the worker's entry, beside this module's bundle. */
  readonly entry: 'writer-worker.js' | 'reader-worker.js';
  readonly data_dir: string;
  onGone(error: Error): void;
}

/** A running worker. The process may end while no request is under way. */
export class WorkerLink<Tasks extends { [Name in keyof Tasks]: TaskMap[string] }> {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #signal: Int32Array;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #gone: Error | undefined;
  #closing = false;

  private constructor(options: LinkOptions) {
    const { port1, port2 } = new MessageChannel();
    const signal = new SharedArrayBuffer(4);
    const workerData: WorkerStart = { port: port2, signal, data_dir: options.data_dir };
    this.#worker = new Worker(new URL(`./${options.entry}`, import.meta.url), {
      workerData,
      transferList: [port2],
    });
    this.#port = port1;
    this.#signal = new Int32Array(signal);
    port1.on('message', (reply: TaskReply) => this.#settle(reply));
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.once('error', (cause) => this.#lose(cause, options));
    void this.#exited.then(() => this.#lose(undefined, options));
    this.#worker.unref();
  }

  /** Starts the worker and waits until it serves. Rejects with what kept it from starting. */
  static async start<Tasks extends { [Name in keyof Tasks]: TaskMap[string] }>(
    options: LinkOptions,
  ): Promise<WorkerLink<Tasks>> {
    const link = new WorkerLink<Tasks>(options);
    try {
      await link.#expect(0);
      return link;
    } catch (error) {
      await link.#end();
      throw error;
    }
  }

  /** Asks the worker. Requests are served in the order of their calls. */
  call<Name extends keyof Tasks & string>(
    task: Name,
    input: Tasks[Name]['takes'],
  ): Promise<Tasks[Name]['gives']> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    this.#lastId += 1;
    const answer = this.#expect(this.#lastId);
    this.#port.postMessage({ id: this.#lastId, task, input });
    Atomics.add(this.#signal, 0, 1);
    Atomics.notify(this.#signal, 0);
    return answer as Promise<Tasks[Name]['gives']>;
  }

  /** Lets the worker finish what was asked, then ends it. */
  async close(): Promise<void> {
    if (this.#closing) return this.#exited;
    this.#closing = true;
    try {
      if (this.#gone === undefined) await this.call('close' as keyof Tasks & string, null);
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    this.#closing = true;
    this.#port.close();
    await this.#worker.terminate();
  }

  #expect(id: number): Promise<unknown> {
    if (this.#waiting.size === 0) this.#port.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #settle(reply: TaskReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#port.unref();
    if (reply.failure === undefined) waiting?.resolve(reply.output);
    else waiting?.reject(errorOf(reply.failure));
  }

  /** The end of a thread may be told before its last answers. */
  #drain(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#settle(received.message as TaskReply);
    }
  }

  #lose(cause: Error | undefined, { onGone }: LinkOptions): void {
    if (this.#gone !== undefined) return;
    this.#drain();
    this.#gone = new StoreError('unavailable', 'A thread of the embedded store is gone.', {
      cause,
    });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#gone);
    this.#waiting.clear();
    if (!this.#closing) onGone(this.#gone);
  }
}
