/** Devices beside an application: each scope has one that pulls all the time and some that push. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Acknowledged } from './history-oracle.ts';
import type { Seeded } from './seeded.ts';
import { type Caller, HttpFailure, pull, push, type WireChange, ZERO_HLC } from './wire.ts';
import { mayDelete } from './foreign-writes.ts';

const AGAIN_MS = 50;
const IDLE_MS = 200;
const BATCH = 25;

/** A row as it comes by pull. */
interface Row {
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly version: string;
  readonly data: unknown;
}

/** A copy of a scope, kept by pulling. */
export class PulledCopy {
  readonly documents = new Map<string, { readonly version: string; readonly data: unknown }>();
  readonly #caller: Caller;
  #since = ZERO_HLC;
  #over = false;
  #running: Promise<void> | undefined;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Pulls until `stop`; a server that is away is asked again. */
  start(): void {
    this.#over = false;
    this.#running = (async () => {
      while (!this.#over) {
        await again(
          () => this.catchUp(),
          () => this.#over,
        );
        await pause(IDLE_MS);
      }
    })();
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  async catchUp(): Promise<void> {
    for (let more = true; more; ) {
      const page = await pull(this.#caller, this.#since);
      if (page.full_resync_required) throw new Error(`a copy was told to resync: ${page.reason}`);
      for (const row of (page.changes ?? []) as unknown as readonly Row[]) this.#apply(row);
      this.#since = page.last_seq;
      more = page.has_more;
    }
  }

  #apply({ collection, doc_id, operation, version, data }: Row): void {
    const place = `${collection}/${doc_id}`;
    if (operation === 'upsert') this.documents.set(place, { version, data });
    else if (operation === 'reset') throw new Error('no barrier is expected here');
    else this.documents.delete(place);
  }
}

/** What a pushing device works with. */
export interface PushWork {
  readonly caller: Caller;
  readonly copy: PulledCopy;
  readonly random: Seeded;
  readonly team: string;
  readonly teams: readonly string[];
  readonly documents: number;
  readonly collections: readonly string[];
  readonly changes: number;
}

/** Pushes batches until enough changes were answered. Returns those that made a row. */
export async function pushTraffic(work: PushWork): Promise<Acknowledged[]> {
  const done: Acknowledged[] = [];
  for (let sent = 0; sent < work.changes; sent += BATCH) {
    const changes = Array.from({ length: BATCH }, () => drawChange(work));
    const answer = await again(
      () => push(work.caller, changes),
      () => false,
    );
    for (const { mutation_id, new_version: version, resolution } of answer?.results ?? []) {
      const wrote = resolution === 'applied' || resolution === 'incoming';
      if (wrote && version !== null) done.push({ mutation_id, version });
    }
  }
  return done;
}

function drawChange({ random, team, teams, documents, collections, copy }: PushWork): WireChange {
  const collection = random.pick(collections);
  const mutation_id = random.uuid();
  const data = { team, content: `p-${mutation_id}` };
  const shared = random.chance(0.6);
  const at = random.int(0, Math.floor(documents / teams.length) - 1) * teams.length;
  const number = at + teams.indexOf(team);
  const doc_id = shared ? `doc-${number}` : `own-${random.uuid()}`;
  const parent_version = copy.documents.get(`${collection}/${doc_id}`)?.version ?? null;
  const base = { collection, doc_id, parent_version, mutation_id };
  const gone = shared && parent_version !== null && mayDelete('device', number);
  return gone && random.chance(0.3)
    ? { ...base, operation: 'delete', data: null }
    : { ...base, operation: 'upsert', data };
}

async function again<T>(work: () => Promise<T>, isOver: () => boolean): Promise<T | undefined> {
  while (!isOver()) {
    try {
      return await work();
    } catch (error) {
      const refused = error instanceof HttpFailure && error.status < 500;
      if (refused || !(error instanceof HttpFailure || error instanceof TypeError)) throw error;
      await pause(AGAIN_MS);
    }
  }
  return undefined;
}
