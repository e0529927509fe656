/**
 * One scope with subscribers in this process: joins what the feed tells to what is known, reads what the
 * feed left out, and wakes the subscribers. The feed may repeat, skip and break: only the chain counts.
 */

import type { ScopeHead } from '../ports/records.ts';
import type { OplogRead, SyncStore } from '../ports/store.ts';
import type { Clock } from '../ports/system.ts';
import type { LiveLimits } from './live-limits.ts';
import { placeOf } from './replay-pages.ts';
import { ScopeRows } from './scope-rows.ts';

/** Who is woken. */
export interface ChannelMember {
  /** The memory is there, or new, or holds more. */
  wake(): void;
}

/** What a channel works with. */
export interface ChannelParts {
  readonly store: Pick<SyncStore, 'readScope' | 'readRows'>;
  readonly scope_id: string;
  readonly limits: LiveLimits;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Whole bundles reached the memory; `gap_rows` of them came from the store. */
  onPublished(rows: readonly OplogRead[], gap_rows: number): void;
  /** Reading failed. While there are members it is tried again with the next look at the heads. */
  onFailed(error: unknown): void;
}

/** See the file's comment. */
export class ScopeChannel {
  readonly members = new Set<ChannelMember>();
  readonly #parts: ChannelParts;
  #rows: ScopeRows | undefined;
  #reading = false;
  /** `seq` up to which rows are known to be committed. */
  #wanted = 0;
  /** The highest `seq` that the feed told of, and the one that the next look expects of it. */
  #told = 0;
  #expected = 0;
  #forgives = false;
  #waking = false;
  /** Something came while a crowd is being woken. */
  #wakeAgain = false;

  constructor(parts: ChannelParts) {
    this.#parts = parts;
  }

  get scope_id(): string {
    return this.#parts.scope_id;
  }

  /** The memory; undefined before the scope was read for the first time. */
  get rows(): ScopeRows | undefined {
    return this.#rows;
  }

  /** Reads the scope for the first time. */
  open(): void {
    void this.#readOn();
  }

  /** What the feed tells [LD-2]. */
  tell(rows: readonly OplogRead[]): void {
    const last = rows.at(-1);
    if (last === undefined) return;
    this.#told = Math.max(this.#told, last.seq);
    this.#wanted = Math.max(this.#wanted, last.seq);
    if (this.#rows === undefined) {
      void this.#readOn();
      return;
    }
    this.#take(this.#rows, rows, false);
    if (this.#rows.end.seq < this.#wanted) void this.#readOn();
  }

  /**
   * What a look at the heads found. True when rows that were there at the look before have still not
   * been told: the feed is silent.
   */
  look(head: ScopeHead | undefined): boolean {
    const head_seq = head?.head_seq ?? 0;
    if (this.#forgives) this.#told = Math.max(this.#told, this.#expected, head_seq);
    this.#forgives = false;
    const silent = this.#expected > this.#told;
    this.#wanted = Math.max(this.#wanted, head_seq);
    if (this.#rows === undefined || this.#rows.end.seq < this.#wanted) void this.#readOn();
    this.#expected = Math.max(this.#expected, head_seq);
    return silent;
  }

  /** Another feed was opened: what the next look finds may have been committed before it. */
  forgive(): void {
    this.#forgives = true;
  }

  trim(bytes = this.#parts.limits.memory_bytes): void {
    this.#rows?.trim(this.#parts.limits.memory_rows, bytes);
  }

  /** One reader at a time; whoever comes meanwhile has raised `#wanted`. */
  async #readOn(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      if (this.#rows === undefined) await this.#begin();
      while (this.#rows !== undefined && this.#rows.end.seq < this.#wanted) await this.#closeGap();
    } catch (error) {
      this.#parts.onFailed(error);
    } finally {
      this.#reading = false;
    }
  }

  /** The memory begins with the newest rows, so that whoever was away for a moment needs no read. */
  async #begin(): Promise<void> {
    const { store, scope_id, limits } = this.#parts;
    const wanted_before = this.#wanted;
    const { head } = await store.readScope(scope_id, null);
    const tip = placeOf(head);
    const after_seq = Math.max(0, tip.seq - limits.seed_rows);
    const range = {
      scope_id,
      after_seq,
      max_rows: tip.seq - after_seq,
      max_bytes: limits.seed_bytes,
    };
    const rows = range.max_rows === 0 ? [] : await store.readRows(range);
    const seeded = memoryOf(rows);
    const joined = seeded !== undefined && seeded.tip.seq >= tip.seq;
    this.#rows = joined ? seeded : new ScopeRows(tip);
    this.#told = Math.max(this.#told, this.#rows.tip.seq);
    this.#expected = this.#told;
    this.#wake();
    // Nobody heard of more meanwhile: what was wanted before is not there.
    if (this.#wanted <= wanted_before) this.#wanted = Math.min(wanted_before, tip.seq);
  }

  async #closeGap(): Promise<void> {
    const memory = this.#rows as ScopeRows;
    const { store, scope_id, limits } = this.#parts;
    const after_seq = memory.end.seq;
    const rows = await store.readRows({
      ...{ scope_id, after_seq },
      ...{ max_rows: limits.gap_rows, max_bytes: limits.gap_bytes },
    });
    const joined = rows.length > 0 && this.#take(memory, rows, true);
    // Pruned, or not the chain that was known: begin anew, and everybody's place is judged again.
    if (!joined || memory.end.seq <= after_seq) await this.#begin();
  }

  /** False when the rows do not continue what is known. */
  #take(memory: ScopeRows, rows: readonly OplogRead[], read: boolean): boolean {
    const before = memory.tip.seq;
    let joined = true;
    for (const row of rows) {
      joined = memory.offer(row) !== 'gap';
      if (!joined) break;
    }
    if (memory.tip.seq > before) {
      const published = rows.filter(({ seq }) => seq > before && seq <= memory.tip.seq);
      this.#parts.onPublished(published, read ? published.length : 0);
      this.#wake();
      this.trim();
    }
    return joined;
  }

  /** A crowd is woken in groups, and what else the process has to do has its turn in between. */
  #wake(): void {
    if (this.#waking) {
      this.#wakeAgain = true;
    } else if (this.members.size <= this.#parts.limits.woken_at_once) {
      for (const member of this.members) member.wake();
    } else {
      void this.#wakeCrowd();
    }
  }

  /** Whoever is woken takes all that is there by then: rows that come meanwhile cost one more round at most. */
  async #wakeCrowd(): Promise<void> {
    const { clock, limits } = this.#parts;
    this.#waking = true;
    do {
      this.#wakeAgain = false;
      let woken = 0;
      for (const member of this.members) {
        member.wake();
        woken += 1;
        if (woken % limits.woken_at_once === 0) await clock.sleep(0);
      }
    } while (this.#wakeAgain);
    this.#waking = false;
  }
}

/** A memory of rows that join each other; undefined for none, and for rows with a hole. */
function memoryOf(rows: readonly OplogRead[]): ScopeRows | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  const memory = new ScopeRows({ version: first.prev, seq: first.seq - 1 });
  return rows.every((row) => memory.offer(row) === 'joined') ? memory : undefined;
}
