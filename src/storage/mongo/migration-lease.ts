/** The right to adopt: one document that its holder refreshes by the database's clock. */

import type { Collection } from 'mongodb';
import type { MigrationLease } from '../../core/ports/foreign.ts';
import type { Clock } from '../../core/ports/system.ts';
import { engineCollection, type StoredRecord } from './collections.ts';
import { isDuplicateKeyError } from './driver-errors.ts';
import type { Connection } from './topology.ts';

/** What a lease needs. `node_id` names this process. */
export interface LeaseContext {
  readonly connection: Connection;
  readonly node_id: string;
  readonly clock: Clock;
}

const LEASE_ID = 'lease';
/** How often the holder refreshes, and the age after which it counts as dead, ms. */
const REFRESH_EVERY_MS = 2_000;
const DEAD_AFTER_MS = 6_000;
/** How long a silent holder is watched, and how often looked at, ms. */
const WATCH_MS = 8_000;
const LOOK_EVERY_MS = 500;
/** How long the refreshing loop may outlive `release`, ms. */
const TICK_MS = 250;

/** Takes the lease, once a dead holder is known to be dead; null while another process holds it. */
export async function acquireLease(context: LeaseContext): Promise<MigrationLease | null> {
  const { clock } = context;
  const leases = engineCollection(context.connection.db, 'sync_migrations');
  const until = clock.monotonic() + WATCH_MS;
  let seen: number | undefined;
  for (;;) {
    const holder = await readHolder(leases);
    if (holder === undefined || holder.age_ms > DEAD_AFTER_MS) {
      if (await take(leases, context.node_id, holder)) return new HeldLease(context, leases);
      continue;
    }
    const refreshed = seen !== undefined && holder.at_ms !== seen;
    if (refreshed || clock.monotonic() >= until) return null;
    seen = holder.at_ms;
    await clock.sleep(LOOK_EVERY_MS);
  }
}

interface Holder {
  readonly owner: string;
  readonly at_ms: number;
  readonly age_ms: number;
}

async function readHolder(leases: Collection<StoredRecord>): Promise<Holder | undefined> {
  const [found] = await leases
    .aggregate<StoredRecord>([{ $match: { _id: LEASE_ID } }, { $set: { now: '$$NOW' } }])
    .toArray();
  if (found === undefined) return undefined;
  const at_ms = (found['at'] as Date).getTime();
  return { owner: found['owner'], at_ms, age_ms: (found['now'] as Date).getTime() - at_ms };
}

/** Only from the holder that was seen: of two takers one finds nothing to change. */
async function take(
  leases: Collection<StoredRecord>,
  owner: string,
  holder: Holder | undefined,
): Promise<boolean> {
  const mine = [{ $set: { owner: { $literal: owner }, at: '$$NOW' } }];
  if (holder !== undefined) {
    const filter = { _id: LEASE_ID, owner: holder.owner, at: new Date(holder.at_ms) };
    return (await leases.updateOne(filter, mine)).modifiedCount === 1;
  }
  try {
    const { upsertedCount } = await leases.updateOne({ _id: LEASE_ID, owner: null }, mine, {
      upsert: true,
    });
    return upsertedCount === 1;
  } catch (error) {
    if (isDuplicateKeyError(error)) return false;
    throw error;
  }
}

class HeldLease implements MigrationLease {
  readonly #leases: Collection<StoredRecord>;
  readonly #owner: string;
  readonly #refreshing: Promise<void>;
  #held = true;
  #released = false;

  constructor({ node_id, clock }: LeaseContext, leases: Collection<StoredRecord>) {
    this.#leases = leases;
    this.#owner = node_id;
    this.#refreshing = this.#keepRefreshing(clock);
  }

  get held(): boolean {
    return this.#held;
  }

  async release(): Promise<void> {
    this.#released = true;
    await this.#refreshing;
    await this.#leases.deleteOne({ _id: LEASE_ID, owner: this.#owner }).catch(() => undefined);
  }

  async #keepRefreshing(clock: Clock): Promise<void> {
    let next = clock.monotonic() + REFRESH_EVERY_MS;
    while (!this.#released) {
      await clock.sleep(TICK_MS);
      if (this.#released || clock.monotonic() < next) continue;
      next = clock.monotonic() + REFRESH_EVERY_MS;
      await this.#refresh();
    }
  }

  /** A database that does not answer now is met again at the next turn. */
  async #refresh(): Promise<void> {
    const filter = { _id: LEASE_ID, owner: this.#owner };
    const answer = await this.#leases
      .updateOne(filter, [{ $set: { at: '$$NOW' } }])
      .catch(() => undefined);
    if (answer?.matchedCount === 0) this.#held = false;
  }
}
