/**
 * The transaction sessions of this process, and what other processes need to free their locks.
 *
 * A process that dies in a transaction would hold the head of its scope until the database expires
 * the transaction, up to 90 s. So each process keeps one document with the ids of its sessions and a
 * time that it refreshes; whoever waits for a head kills the sessions of a process that stopped
 * refreshing. Sessions are fixed, and stored before their first transaction [ST-4].
 */

import type { ClientSession, Collection, Document } from 'mongodb';
import type { Clock } from '../../core/ports/system.ts';
import { COMMIT_SLOTS_MAX } from '../../protocol/pure/limits.ts';
import { engineCollection, type StoredRecord } from './collections.ts';
import { countLiveProcesses, listProcesses } from './live-processes.ts';
import type { Connection } from './topology.ts';

/** How often a process refreshes its document, ms. */
const REFRESH_EVERY_MS = 2_000;
/** How long the refreshing loop may outlive `close`, ms. */
const TICK_MS = 250;

/** The sessions of one process. */
export class TransactionSessions {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #nodes: Collection<StoredRecord>;
  readonly #sessions: ClientSession[] = [];
  readonly #free: ClientSession[] = [];
  readonly #waiting: ((session: ClientSession) => void)[] = [];
  #starting: Promise<void> | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    connection: Connection,
    options: { readonly node_id: string; readonly clock: Clock },
  ) {
    this.#connection = connection;
    this.#clock = options.clock;
    this.#id = `node:${options.node_id}`;
    this.#nodes = engineCollection(connection.db, 'sync_meta');
  }

  /** Opens the sessions, stores their ids and begins to refresh them; frees what dead processes left. */
  start(): Promise<void> {
    this.#starting ??= this.#open().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** A session that nobody else uses; give it back with `release`. */
  async acquire(): Promise<ClientSession> {
    await this.start();
    const session = this.#free.pop();
    if (session !== undefined) return session;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(session: ClientSession): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(session);
    else this.#free.push(session);
  }

  /** Other processes that refreshed their document lately. */
  countLive(): Promise<number> {
    return countLiveProcesses(this.#connection.db, this.#id);
  }

  /**
   * A session for statements of the application. It is stored before its first transaction like the
   * others, and ends for good: nothing that was forgotten in it can reach the work of others.
   */
  async borrow(): Promise<{ readonly session: ClientSession; end(): Promise<void> }> {
    await this.start();
    const session = this.#connection.client.startSession({ causalConsistency: false });
    this.#sessions.push(session);
    const end = async (): Promise<void> => {
      await session.endSession();
      const at = this.#sessions.indexOf(session);
      if (at >= 0) this.#sessions.splice(at, 1);
    };
    try {
      await this.#refresh();
    } catch (error) {
      await end();
      throw error;
    }
    return { session, end };
  }

  /** Kills the transactions of processes that stopped refreshing. */
  async freeDeadNodes(): Promise<void> {
    for (const { record, dead } of await listProcesses(this.#connection.db, this.#id)) {
      if (!dead) continue;
      const { _id, sessions, at } = record;
      await this.#connection.client.db('admin').command({ killSessions: sessions });
      await this.#nodes.deleteOne({ _id, at });
    }
  }

  /** Ends the sessions; an open transaction is aborted. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#starting === undefined) return;
    await this.#starting.catch(() => undefined);
    await this.#refreshing;
    for (const session of this.#sessions) await session.endSession();
    await this.#nodes.deleteOne({ _id: this.#id });
  }

  async #open(): Promise<void> {
    while (this.#sessions.length < COMMIT_SLOTS_MAX) {
      this.#sessions.push(this.#connection.client.startSession({ causalConsistency: false }));
    }
    await this.#refresh();
    // Whoever meets such a lock frees it: what is refused now must not keep this process from serving.
    await this.freeDeadNodes().catch(() => undefined);
    this.#free.push(...this.#sessions.slice(0, COMMIT_SLOTS_MAX));
    void this.#keepRefreshing();
  }

  async #refresh(): Promise<void> {
    const sessions: Document[] = this.#sessions.map((session) => ({ id: session.id?.id }));
    await this.#nodes.updateOne(
      { _id: this.#id },
      [{ $set: { sessions: { $literal: sessions }, at: '$$NOW' } }],
      { upsert: true },
    );
  }

  async #keepRefreshing(): Promise<void> {
    let next = this.#clock.monotonic() + REFRESH_EVERY_MS;
    while (!this.#closed) {
      await this.#clock.sleep(TICK_MS);
      if (this.#closed || this.#clock.monotonic() < next) continue;
      next = this.#clock.monotonic() + REFRESH_EVERY_MS;
      // A database that does not answer now is met again at the next turn.
      this.#refreshing = this.#refresh().catch(() => undefined);
      await this.#refreshing;
    }
  }
}
