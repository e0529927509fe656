/**
 * Draws versions above a scope's head. The head is the memory: a restart or a clock that steps back
 * needs no special care. `drawn` keeps two scopes of one process from drawing the same version in
 * the same millisecond, because `_id` is unique over all scopes [HL-5].
 */

import { formatHlc, HLC_COUNTER_MAX, type Hlc, nextTick } from '../protocol/pure/hlc.ts';
import { DRAWN_ENTRIES_MAX } from '../protocol/pure/limits.ts';
import { invariant } from './invariant.ts';
import type { ScopeHead } from './ports/records.ts';
import type { System } from './ports/system.ts';

/** Draws one version after the other; each is above the head and above the one before. */
export interface VersionSource {
  next(): Hlc;
  /** Parts of the newest drawn version, or of the head when none was drawn. */
  readonly last: { readonly p: number; readonly c: number };
}

const NODE_RANDOM_LENGTH = 8;
const NODE_PREFIX_LENGTH_MAX = 4;

/** The node id of this process and the counters it has drawn. */
export class HybridClock {
  readonly #system: System;
  readonly #prefix: string;
  readonly #drawn = new Map<number, number>();
  #node: string;

  constructor(system: System, prefix: string) {
    this.#system = system;
    this.#prefix = prefix
      .toLowerCase()
      .replace(/[^0-9a-z]/g, '')
      .slice(0, NODE_PREFIX_LENGTH_MAX);
    this.#node = this.#random();
  }

  /** Prefix and 8 random characters, drawn at every start. */
  get node(): string {
    return this.#node;
  }

  /** Takes a new node id: after a restart, or when a drawn version turned out to be taken. */
  drawNode(): void {
    this.#node = this.#random();
    this.#drawn.clear();
  }

  /** Versions for one decision over `head` at the store's time `nowMs`. */
  versions(head: Pick<ScopeHead, 'hlc_p' | 'hlc_c'>, nowMs: number): VersionSource {
    let last = { p: head.hlc_p, c: head.hlc_c };
    return {
      get last() {
        return last;
      },
      next: () => {
        last = this.#draw(last, nowMs);
        return formatHlc({ ...last, node: this.#node });
      },
    };
  }

  #draw(last: { p: number; c: number }, nowMs: number): { p: number; c: number } {
    let { p, c } = nextTick(last, nowMs);
    for (;;) {
      const before = this.#drawn.get(p);
      if (before !== undefined) c = Math.max(c, before + 1);
      if (c <= HLC_COUNTER_MAX) break;
      p += 1;
      c = 0;
    }
    this.#remember(p, c);
    return { p, c };
  }

  #remember(p: number, c: number): void {
    // Re-inserting keeps the map in order of use, so that a busy millisecond is not dropped first.
    this.#drawn.delete(p);
    this.#drawn.set(p, c);
    if (this.#drawn.size > DRAWN_ENTRIES_MAX) {
      const oldest = this.#drawn.keys().next().value;
      invariant(oldest !== undefined, 'a full map has an oldest entry');
      this.#drawn.delete(oldest);
    }
  }

  #random(): string {
    return `${this.#prefix}${this.#system.crypto.randomBase36(NODE_RANDOM_LENGTH)}`;
  }
}
