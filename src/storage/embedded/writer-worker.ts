/**
 * Entry of the writer thread: the only connection that writes. It serves one request after the
 * other; between `load` and its `write` or `abort` nothing else is served [ST-4].
 */

import { workerData } from 'node:worker_threads';
import { Checkpointer } from './checkpoint.ts';
import { type Connection, openConnection } from './connection.ts';
import { databaseFile } from './data-folder.ts';
import { Expiry, pruneSlice } from './expiry.ts';
import { FatalError, loadGroup, writeGroup } from './group-transaction.ts';
import type { TaskRequest, WriterTasks } from './messages.ts';
import { applySteps, renewEpoch, resetsWritten } from './setup.ts';
import { sqliteDriver } from './sqlite-driver.ts';
import { failureOf } from './worker-failure.ts';
import { Inbox, type WorkerStart } from './worker-inbox.ts';

/** Quiet time after which the log is moved into the database file, ms. */
const IDLE_MS = 100;

const RECORD_CLIENT = `INSERT INTO sync_clients
  (scope_id, client_id, actor_id, first_seen_ms, last_push_at_ms) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (scope_id, client_id)
  DO UPDATE SET actor_id = excluded.actor_id, last_push_at_ms = excluded.last_push_at_ms`;

class Writer {
  readonly #inbox: Inbox;
  readonly #connection: Connection;
  readonly #checkpointer: Checkpointer;
  readonly #expiry: Expiry;

  constructor(inbox: Inbox, connection: Connection) {
    this.#inbox = inbox;
    this.#connection = connection;
    this.#checkpointer = new Checkpointer(connection);
    this.#expiry = new Expiry(connection);
  }

  /** Serves until `close`, or until a commit failed in the file system. */
  serve(): void {
    let idle_ms = Number.POSITIVE_INFINITY;
    for (;;) {
      const request = this.#inbox.next(idle_ms);
      if (request === undefined) {
        this.#checkpointer.whenIdle();
        idle_ms = Number.POSITIVE_INFINITY;
        continue;
      }
      if (!this.#answer(request)) return;
      this.#checkpointer.afterGroup();
      idle_ms = IDLE_MS;
    }
  }

  /** False when the thread has to end. */
  #answer(request: TaskRequest): boolean {
    if (request.task === 'load') return this.#runGroup(request);
    return this.#reply(request, () => this.#runTask(request)) && request.task !== 'close';
  }

  #runGroup(request: TaskRequest): boolean {
    const load = request.input as WriterTasks['load']['takes'];
    const alive = this.#reply(request, () => loadGroup(this.#connection, load));
    if (!alive || !this.#connection.inTransaction) return alive;
    const next = this.#inbox.nextOf(['write', 'abort']);
    return this.#reply(next, () => {
      if (next.task === 'abort') this.#connection.rollback();
      else writeGroup(this.#connection, load.scope_id, next.input as WriterTasks['write']['takes']);
      return null;
    });
  }

  /** Answers with the result of `work`, or says why it failed. False after a fatal failure. */
  #reply(request: TaskRequest, work: () => unknown): boolean {
    try {
      this.#inbox.reply(request.id, work());
      return true;
    } catch (error) {
      this.#inbox.fail(request.id, failureOf(error));
      return !(error instanceof FatalError);
    }
  }

  #runTask(request: TaskRequest): unknown {
    switch (request.task as keyof WriterTasks) {
      case 'setup':
        return applySteps(this.#connection, request.input as WriterTasks['setup']['takes']);
      case 'prune': {
        const { scope_id, seq } = request.input as WriterTasks['prune']['takes'];
        return pruneSlice(this.#connection, scope_id, seq);
      }
      case 'expire':
        return this.#expiry.slice(request.input as WriterTasks['expire']['takes']);
      case 'client':
        this.#connection.run(RECORD_CLIENT, request.input as WriterTasks['client']['takes']);
        return null;
      case 'epoch': {
        const { epoch, collections } = request.input as WriterTasks['epoch']['takes'];
        renewEpoch(this.#connection, epoch, collections);
        return null;
      }
      case 'resets':
        resetsWritten(this.#connection, request.input as WriterTasks['resets']['takes']);
        return null;
      case 'close':
        this.#checkpointer.atClose();
        this.#connection.close();
        return null;
      default:
        throw new Error('The writer was asked for something it does not do.');
    }
  }
}

const start = workerData as WorkerStart;
const inbox = new Inbox(start);
try {
  const driver = await sqliteDriver();
  const connection = openConnection(driver, databaseFile(start.data_dir), 'writer');
  inbox.reply(0, null);
  new Writer(inbox, connection).serve();
} catch (error) {
  inbox.fail(0, failureOf(error));
} finally {
  inbox.close();
}
