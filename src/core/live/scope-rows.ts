/**
 * The newest rows of one scope in memory, an unbroken piece of its chain. Pure. Readers hold a place in
 * it (a `seq`), no copy; a place that has left it is served from the store instead.
 */

import { compareHlc, type Hlc, joins } from '../../protocol/pure/hlc.ts';
import type { OplogRead } from '../ports/records.ts';
import { LiveRow } from './shared-frame.ts';

/** A row, or the beginning of the scope ("" and 0). */
export interface Place {
  readonly version: Hlc | '';
  readonly seq: number;
}

/** The memory of a scope. */
export class ScopeRows {
  /** Place before `#rows[0]`. */
  #floor: Place;
  #rows: LiveRow[] = [];
  /** Rows of a bundle of which not all are known yet. */
  #begun: OplogRead[] = [];
  #bytes = 0;

  /** Begins behind a place whose row is there, or at the beginning of the scope. */
  constructor(floor: Place) {
    this.#floor = floor;
  }

  /** The place before the oldest row. */
  get floor(): Place {
    return this.#floor;
  }

  /** The newest row that readers may have: the last one of a whole bundle. */
  get tip(): Place {
    return this.#rows.at(-1)?.row ?? this.#floor;
  }

  /** The newest row that is known: rows of an unfinished bundle included. */
  get end(): Place {
    return this.#begun.at(-1) ?? this.tip;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a row that continues the chain. `known` rows change nothing; after a `gap` the rows between
   * `end` and this one must be read [LD-2].
   */
  offer(row: OplogRead): 'joined' | 'known' | 'gap' {
    const { end } = this;
    if (compareHlc(row.version, end.version) <= 0) return 'known';
    if (!joins(row.prev, end.version) || row.seq !== end.seq + 1) return 'gap';
    this.#begun.push(row);
    if (row.ordinal === row.bundle_rows - 1) this.#finishBundle();
    return 'joined';
  }

  /** Whether reading can go on from here without the store. */
  holds({ version, seq }: Place): boolean {
    const at = seq === this.#floor.seq ? this.#floor : this.#at(seq)?.row;
    return at !== undefined && compareHlc(at.version, version) === 0;
  }

  /** The place of a version, when it is in memory. */
  find(version: Hlc): Place | undefined {
    if (compareHlc(version, this.#floor.version) === 0) return this.#floor;
    let low = 0;
    let high = this.#rows.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { row } = this.#rows[middle] as LiveRow;
      const order = compareHlc(row.version, version);
      if (order === 0) return row;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** The row after a place that is held; undefined at the tip. */
  after({ seq }: Place): LiveRow | undefined {
    return this.#at(seq + 1);
  }

  /** The last row of the row's bundle that `shows`; undefined when none does. */
  lastShown(row: OplogRead, shows: (row: OplogRead) => boolean): LiveRow | undefined {
    const end = row.seq + row.bundle_rows - 1 - row.ordinal;
    for (let seq = end; seq >= row.seq; seq -= 1) {
      const one = this.#at(seq);
      if (one !== undefined && shows(one.row)) return one;
    }
    return undefined;
  }

  /** Lets go of the oldest rows beyond the bounds. Places in front of them are no longer held. */
  trim(rows_max: number, bytes_max: number): void {
    let gone = 0;
    while (gone < this.#rows.length) {
      const left = this.#rows.length - gone;
      if (left <= rows_max && this.#bytes <= bytes_max) break;
      const { row } = this.#rows[gone] as LiveRow;
      this.#bytes -= row.line.length;
      this.#floor = { version: row.version, seq: row.seq };
      gone += 1;
    }
    if (gone > 0) this.#rows = this.#rows.slice(gone);
  }

  #at(seq: number): LiveRow | undefined {
    return this.#rows[seq - this.#floor.seq - 1];
  }

  #finishBundle(): void {
    for (const row of this.#begun) {
      this.#rows.push(new LiveRow(row));
      this.#bytes += row.line.length;
    }
    this.#begun = [];
  }
}
