/** A client whose place outlives its connections: it notes every row it gets and where it would go on. */

import { isDeepStrictEqual } from 'node:util';
import { deliveryFaults } from './history-oracle.ts';
import { type LinkOptions, type LiveLink, type LiveMessage, openLink } from './live-link.ts';
import type { StoredRow } from './stored-state.ts';

/** A row as it was delivered. */
export interface DeliveredRow {
  readonly version: string;
  readonly collection: string;
  readonly doc_id: string;
  readonly operation: string;
  readonly data: unknown;
  readonly bundle_seq: number;
  readonly bundle_end: boolean;
}

/** How a device connects; its place is its own. */
export type DeviceLink = Omit<LinkOptions, 'since' | 'onMessage'>;

/** What a device follows and keeps. */
export interface DeviceOptions {
  digest?(data: unknown): unknown;
  readonly collections?: readonly string[];
}

/** See the file's comment. */
export class LiveDevice {
  readonly rows: DeliveredRow[] = [];
  /** Messages that end a connection with a reason: none is expected of a scope that keeps its log. */
  readonly refusals: LiveMessage[] = [];
  /** Everything up to here was got; null before the first answer of a device that begins with what is new. */
  place: string | null;
  /** Where the first connection began. */
  began: string | undefined;
  link: LiveLink | undefined;
  caughtUp = false;
  /** What is kept of a row's data, to be compared with the store's. */
  readonly digest: (data: unknown) => unknown;
  /** What it follows; undefined = everything. */
  readonly collections: readonly string[] | undefined;
  #waiting: { isThere: () => boolean; resolve: () => void }[] = [];

  constructor(place: string | null, of: DeviceOptions = {}) {
    this.place = place;
    this.digest = of.digest ?? ((data) => data ?? null);
    this.collections = of.collections;
  }

  /** True when the last row that came was not the last of its bundle. */
  get isInsideBundle(): boolean {
    return this.rows.at(-1)?.bundle_end === false;
  }

  /** Connects from the own place. */
  connect(how: DeviceLink): LiveLink {
    this.caughtUp = false;
    const { place: since, collections } = this;
    const list = how.transport === 'events' ? collections?.join() : collections;
    let isCurrent = true;
    const link = openLink({
      ...how,
      since,
      more: { ...how.more, ...(list === undefined ? {} : { collections: list }) },
      onMessage: (message) => {
        if (isCurrent) this.#take(message);
      },
    });
    this.link = link;
    return {
      ...link,
      destroy: () => {
        // What the client's own buffers still hold is lost with the connection.
        isCurrent = false;
        link.destroy();
      },
    };
  }

  /** Resolves when it is true; looked at with every message. */
  until(isThere: () => boolean): Promise<void> {
    if (isThere()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ isThere, resolve });
    });
  }

  #take(message: LiveMessage): void {
    const { type } = message;
    const since = message['since'] ?? message['id'];
    if (type === 'subscribed' || type === 'connected') {
      this.began ??= since as string;
      this.place ??= since as string;
    } else if (type === 'change') {
      const row = message as unknown as DeliveredRow;
      this.rows.push({ ...row, data: this.digest(row.data) });
      this.place = row.version;
    } else if (type === 'caught_up' || type === 'ping') {
      if (typeof message['last_seq'] === 'string') this.place = message['last_seq'];
      if (type === 'caught_up') this.caughtUp = true;
    } else {
      this.refusals.push(message);
    }
    const due = this.#waiting.filter(({ isThere }) => isThere());
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const { resolve } of due) resolve();
  }
}

/** Rows of a log that a device must get. */
export function rowsFor(
  { began = '', collections }: LiveDevice,
  log: readonly StoredRow[],
): readonly StoredRow[] {
  const isShown = ({ version, collection }: StoredRow) =>
    version > began && (collections?.includes(collection) ?? true);
  return log.filter(isShown);
}

/** How what a device got differs from its scope's log, in order and in content. */
export function deviceFaults(device: LiveDevice, log: readonly StoredRow[]): string[] {
  const { rows, refusals, digest } = device;
  const expected = rowsFor(device, log);
  const faults = deliveryFaults(
    expected,
    rows.map(({ version }) => version),
  );
  const stored = new Map(expected.map((row) => [row.version, row]));
  const last = new Map(expected.map(({ bundle_seq, version }) => [bundle_seq, version]));
  const changed = rows.filter((row) => {
    const isEnd = last.get(row.bundle_seq) === row.version;
    return row.bundle_end !== isEnd || !isSameRow(row, stored.get(row.version), digest);
  });
  faults.push(...changed.slice(0, 3).map(({ version }) => `${version} came with other content`));
  faults.push(...refusals.map((message) => `was refused: ${JSON.stringify(message)}`));
  return faults;
}

function isSameRow(
  row: DeliveredRow,
  stored: StoredRow | undefined,
  digest: LiveDevice['digest'],
): boolean {
  return (
    stored !== undefined &&
    row.collection === stored.collection &&
    row.doc_id === stored.doc_id &&
    row.operation === stored.operation &&
    row.bundle_seq === stored.bundle_seq &&
    isDeepStrictEqual(row.data, digest(stored.data))
  );
}
