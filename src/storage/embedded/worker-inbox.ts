/**
 * The worker's end of a link: requests are taken synchronously, in order. The thread sleeps on a
 * shared counter and not in its event loop, because waking from there costs a third of the time,
 * and because a transaction must not be interleaved with anything.
 */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { TaskFailure, TaskRequest } from './messages.ts';

/** What a worker gets when it starts. */
export interface WorkerStart {
  readonly port: MessagePort;
  /** Counts requests; the main thread adds one and notifies after each post. */
  readonly signal: SharedArrayBuffer;
  readonly data_dir: string;
}

/** The requests of one worker. */
export class Inbox {
  readonly #port: MessagePort;
  readonly #signal: Int32Array;
  /** Requests that came while another one was expected. */
  readonly #kept: TaskRequest[] = [];

  constructor(start: WorkerStart) {
    this.#port = start.port;
    this.#signal = new Int32Array(start.signal);
  }

  /** The next request; undefined when none came for `idle_ms`. */
  next(idle_ms: number): TaskRequest | undefined {
    return this.#kept.shift() ?? this.#receive(idle_ms);
  }

  /** The next request whose task is one of `tasks`; the others keep their order for `next`. */
  nextOf(tasks: readonly string[]): TaskRequest {
    for (;;) {
      const request = this.#receive(Number.POSITIVE_INFINITY);
      if (request === undefined) continue;
      if (tasks.includes(request.task)) return request;
      this.#kept.push(request);
    }
  }

  /** Answers a request. */
  reply(id: number, output: unknown): void {
    this.#port.postMessage({ id, output });
  }

  /** Says why a request failed. */
  fail(id: number, failure: TaskFailure): void {
    this.#port.postMessage({ id, failure });
  }

  /** Ends the link, so that the thread can end. */
  close(): void {
    this.#port.close();
  }

  #receive(idle_ms: number): TaskRequest | undefined {
    for (;;) {
      const seen = Atomics.load(this.#signal, 0);
      const found = receiveMessageOnPort(this.#port);
      if (found !== undefined) return found.message as TaskRequest;
      if (Atomics.wait(this.#signal, 0, seen, idle_ms) === 'timed-out') return undefined;
    }
  }
}
