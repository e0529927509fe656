/**
 * The lease of the one process that may write to a MongoDB without transactions [SA-2].
 *
 * A document in `sync_meta` names the process and is refreshed by the database's clock. A process that
 * ended without a word is taken over when its document is old enough; one whose document still changes
 * is alive, and then this process is refused.
 */

import { type Collection, type Db, type Document, UUID } from 'mongodb';
import type { Clock } from '../../../core/ports/system.ts';
import { StoreError } from '../../../core/ports/store.ts';
import { engineCollection, type StoredRecord } from '../collections.ts';
import { isDuplicateKeyError } from '../driver-errors.ts';
import { countLiveProcesses } from '../live-processes.ts';
import type { Connection } from '../topology.ts';

/** How often the document is refreshed, ms. */
const REFRESH_EVERY_MS = 2_000;
/** Age by the database's clock after which the process that wrote it counts as dead, ms. */
const DEAD_AFTER_MS = 6_000;
/** A refresh that is older is not relied upon: well before others may take over, ms. */
const FRESH_FOR_MS = 4_000;
/** How often another process's document is looked at, and how long the loop may outlive `close`, ms. */
const TICK_MS = 250;

/** Among the documents of processes, so that whoever counts those finds it. */
const LEASE_ID = 'node:writer';

/** What a lease needs. */
export interface LeaseOptions {
  readonly node_id: string;
  readonly clock: Clock;
  readonly now_expression: unknown;
}

interface SeenLease {
  readonly at: Date;
  readonly now: Date;
}

/** The lease of this process. */
export class Lease {
  readonly #db: Db;
  readonly #meta: Collection<StoredRecord>;
  readonly #options: LeaseOptions;
  /** Nobody's: a server with transactions kills the sessions that a dead process names, if any. */
  readonly #sessions = [{ id: new UUID() }];
  #taking: Promise<void> | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #refreshed_at = Number.NEGATIVE_INFINITY;
  #lost = false;
  #closed = false;

  constructor(connection: Connection, options: LeaseOptions) {
    this.#db = connection.db;
    this.#meta = engineCollection(connection.db, 'sync_meta');
    this.#options = options;
  }

  /** True once this process has taken the lease, also when it was lost since. */
  get taken(): boolean {
    return this.#refreshed_at > Number.NEGATIVE_INFINITY;
  }

  /** Processes that work with the database, without this one. */
  countOthers(): Promise<number> {
    return countLiveProcesses(this.#db, this.taken && !this.#lost ? LEASE_ID : null);
  }

  /** Takes the lease. Throws `locked` when another process lives. */
  take(): Promise<void> {
    this.#taking ??= this.#take().catch((error: unknown) => {
      this.#taking = undefined;
      throw error;
    });
    return this.#taking;
  }

  /**
   * Asks before each step of a write: after a pause of this process another one may have taken over.
   * Throws `locked` then.
   */
  async confirm(): Promise<void> {
    const age = this.#options.clock.monotonic() - this.#refreshed_at;
    if (!this.#lost && age > FRESH_FOR_MS) await this.#refresh();
    if (this.#lost) throw new StoreError('locked', 'another process took over this database');
  }

  /** Gives the lease back. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#taking === undefined) return;
    await this.#taking.catch(() => undefined);
    await this.#refreshing;
    await this.#meta.deleteOne({ _id: LEASE_ID, node_id: this.#options.node_id });
  }

  async #take(): Promise<void> {
    const { clock } = this.#options;
    for (let first: number | undefined; ; ) {
      const asked_at = clock.monotonic();
      const found = await this.#look();
      if (found === undefined ? await this.#takeFree() : await this.#takeOver(found)) {
        this.#refreshed_at = asked_at;
        void this.#keepRefreshing();
        return;
      }
      const at = found?.at.getTime();
      if (first !== undefined && at !== undefined && at !== first) {
        throw new StoreError(
          'locked',
          'another process writes to this database; without transactions only one may',
        );
      }
      first ??= at;
      if (this.#closed) throw new StoreError('locked', 'the store was closed meanwhile');
      await clock.sleep(TICK_MS);
    }
  }

  /** The lease as another process keeps it, and the database's time. */
  async #look(): Promise<SeenLease | undefined> {
    const { now_expression, node_id } = this.#options;
    const [found] = await this.#meta
      .aggregate<SeenLease>([
        { $match: { _id: LEASE_ID, node_id: { $ne: node_id } } },
        { $set: { now: now_expression } },
      ])
      .toArray();
    return found;
  }

  /** Takes a lease whose process stopped refreshing. */
  async #takeOver({ at, now }: SeenLease): Promise<boolean> {
    if (now.getTime() - at.getTime() <= DEAD_AFTER_MS) return false;
    const { matchedCount } = await this.#meta.updateOne({ _id: LEASE_ID, at }, this.#stamp());
    return matchedCount > 0;
  }

  /** Takes a lease that nobody has; renews our own. */
  async #takeFree(): Promise<boolean> {
    const { node_id } = this.#options;
    try {
      await this.#meta.updateOne({ _id: LEASE_ID, node_id }, this.#stamp(), { upsert: true });
      return true;
    } catch (error) {
      if (isDuplicateKeyError(error)) return false;
      throw error;
    }
  }

  #stamp(): Document[] {
    const { node_id, now_expression } = this.#options;
    const sessions = { $literal: this.#sessions };
    return [{ $set: { node_id: { $literal: node_id }, sessions, at: now_expression } }];
  }

  async #refresh(): Promise<void> {
    const { node_id, clock } = this.#options;
    const asked_at = clock.monotonic();
    const { matchedCount } = await this.#meta.updateOne({ _id: LEASE_ID, node_id }, this.#stamp());
    if (matchedCount === 0) this.#lost = true;
    else this.#refreshed_at = asked_at;
  }

  async #keepRefreshing(): Promise<void> {
    const { clock } = this.#options;
    let next = clock.monotonic() + REFRESH_EVERY_MS;
    while (!this.#closed && !this.#lost) {
      await clock.sleep(TICK_MS);
      if (this.#closed || clock.monotonic() < next) continue;
      next = clock.monotonic() + REFRESH_EVERY_MS;
      // A database that does not answer now is met again at the next turn.
      this.#refreshing = this.#refresh().catch(() => undefined);
      await this.#refreshing;
    }
  }
}
