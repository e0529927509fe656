/**
 * Pages for subscribers whose place has left the memory of their scope. They are read with the code of
 * pull, so that staleness is judged in one place; who is at the same place shares one read.
 */

import type { PullStale } from '../../protocol/pull.ts';
import { type Hlc, ZERO_HLC } from '../../protocol/pure/hlc.ts';
import type { Clock } from '../ports/system.ts';
import { staleBody } from '../pull/pull.ts';
import { type PageCore, type PageRequest, readPage } from '../pull/read-page.ts';
import type { LiveLimits } from './live-limits.ts';
import type { Place } from './scope-rows.ts';
import { SharedFrame } from './shared-frame.ts';

/** A page for any number of readers. */
export type ReplayPage = ReplayRows | { readonly kind: 'stale'; readonly stale: PullStale };

interface ReplayRows {
  readonly kind: 'rows';
  /** The place that it was read after. */
  readonly since: Hlc;
  readonly frames: readonly SharedFrame[];
  /** The last scanned row: the place after the page. */
  readonly end: Place;
}

/** Who asks for a page. */
export interface PageReader {
  /** False once it has gone. */
  waits(): boolean;
  /** `since` of the page of which it took a part. */
  readonly begun?: Hlc | undefined;
}

const ANYBODY: PageReader = { waits: () => true };

interface Kept {
  readonly page: Promise<ReplayPage | undefined>;
  /** The page once it is there and kept. */
  rows: ReplayRows | undefined;
  /** Whether somebody still waits, of each who asked. */
  readonly waits: (() => boolean)[];
  bytes: number;
  until: number;
}

/** Reads pages, each once for all who ask for it at about the same time. */
export class ReplayPages {
  readonly #core: PageCore;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limits: LiveLimits;
  /** In the order in which they were asked for. */
  readonly #pages = new Map<string, Kept>();
  #bytes = 0;
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(core: PageCore, clock: Pick<Clock, 'monotonic'>, limits: LiveLimits) {
    this.#limits = limits;
    const pull_max_bytes = Math.min(core.limits.pull_max_bytes, limits.replay_bytes);
    this.#core = { ...core, limits: { ...core.limits, pull_max_bytes } };
    this.#clock = clock;
  }

  /**
   * The page after `since`; undefined when nobody `waits` for it any more at its turn, so that readers
   * who come and go while the store is slow leave no queue behind. Throws `StoreError`.
   */
  read(
    request: Omit<PageRequest, 'limit'>,
    { waits, begun }: PageReader = ANYBODY,
  ): Promise<ReplayPage | undefined> {
    this.forget();
    const rest = begun === undefined ? undefined : this.#restOf(begun, request);
    if (rest !== undefined) return Promise.resolve(rest);
    const key = keyOf(request);
    const known = this.#pages.get(key);
    if (known !== undefined) {
      if (known.until === Number.POSITIVE_INFINITY) known.waits.push(waits);
      return known.page;
    }
    const all = [waits];
    const page = this.#read(request, () => all.some((one) => one()));
    const until = Number.POSITIVE_INFINITY;
    const kept: Kept = { page, rows: undefined, waits: all, bytes: 0, until };
    this.#pages.set(key, kept);
    void kept.page.then(
      (page) => this.#keep(key, kept, page),
      () => this.#pages.delete(key),
    );
    return kept.page;
  }

  /** A reader that takes a page in parts needs one read of it, while the page is kept. */
  #restOf(begun: Hlc, request: Omit<PageRequest, 'limit'>): ReplayRows | undefined {
    const page = this.#pages.get(keyOf({ ...request, since: begun }))?.rows;
    // At its end there is no rest: what follows must be read.
    if (page === undefined || page.end.version === request.since) return undefined;
    const at = page.frames.findIndex(({ row }) => row.version === request.since);
    if (at < 0) return undefined;
    return { ...page, frames: page.frames.slice(at + 1) };
  }

  /** Lets go of pages whose time is over. */
  forget(): void {
    const now = this.#clock.monotonic();
    for (const [key, kept] of this.#pages) {
      if (kept.until > now && this.#bytes <= this.#limits.replay_kept_bytes) continue;
      if (kept.until === Number.POSITIVE_INFINITY) continue;
      this.#pages.delete(key);
      this.#bytes -= kept.bytes;
    }
  }

  /** An answer about the head is true only for those who asked before it: it is not kept. */
  #keep(key: string, kept: Kept, page: ReplayPage | undefined): void {
    kept.waits.length = 0;
    if (page === undefined || page.kind === 'stale' || page.frames.length === 0) {
      this.#pages.delete(key);
      return;
    }
    kept.rows = page;
    kept.bytes = page.frames.reduce((sum, { row }) => sum + row.line.length, 0);
    kept.until = this.#clock.monotonic() + this.#limits.replay_kept_ms;
    this.#bytes += kept.bytes;
  }

  async #read(
    request: Omit<PageRequest, 'limit'>,
    isWanted: () => boolean,
  ): Promise<ReplayPage | undefined> {
    await this.#takeTurn();
    try {
      if (!isWanted()) return undefined;
      const found = await readPage(this.#core, { ...request, limit: this.#limits.replay_rows });
      if (found.kind === 'stale') {
        return { kind: 'stale', stale: staleBody(this.#core, found, request.collections) };
      }
      const { cut, head } = found;
      const { since } = request;
      if (cut === null) return { kind: 'rows', since, frames: [], end: placeOf(head) };
      return {
        ...{ kind: 'rows', since },
        frames: cut.rows.map(({ row, bundle_end }) => new SharedFrame(row, bundle_end)),
        end: { version: cut.last_version, seq: cut.last_seq },
      };
    } finally {
      this.#reading -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #takeTurn(): Promise<void> {
    while (this.#reading >= this.#limits.replay_reads) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#reading += 1;
  }
}

function keyOf({ scope_id, since, collections, epoch }: Omit<PageRequest, 'limit'>): string {
  return JSON.stringify([scope_id, since, collections, epoch]);
}

/** The place of a head. */
export function placeOf(
  head: { readonly head_version: Hlc | ''; readonly head_seq: number } | null,
): Place {
  return { version: head?.head_version || ZERO_HLC, seq: head?.head_seq ?? 0 };
}
