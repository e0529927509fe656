/**
 * Moves the write-ahead log into the database file, between groups and not inside a commit, where
 * it would cost one push 10–20 ms. A passive pass never waits for readers; only a log beyond its
 * hard limit is worth waiting for them.
 */

import type { Connection } from './connection.ts';

/** Pages of 4 KiB that the log may hold: before an idle pass, a busy pass, and a waiting one. */
const IDLE_PAGES = 256;
const BUSY_PAGES = 4_096;
const HARD_PAGES = 16_384;

/** Decides when to checkpoint one connection's database. */
export class Checkpointer {
  readonly #connection: Connection;
  /** Log size at which the next pass is worth its cost, pages. */
  #nextAt = BUSY_PAGES;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** After a group, with others waiting: only when the log has grown far enough. */
  afterGroup(): void {
    if (this.#pending('NOOP') < this.#nextAt) return;
    const left = this.#pending('PASSIVE');
    const stuck = left >= HARD_PAGES ? this.#pending('TRUNCATE') : left;
    // A reader may hold the log: the next try waits until it has grown by as much again.
    this.#nextAt = stuck + BUSY_PAGES;
  }

  /** With nothing to do. */
  whenIdle(): void {
    if (this.#pending('NOOP') < IDLE_PAGES) return;
    this.#nextAt = this.#pending('PASSIVE') + BUSY_PAGES;
  }

  /** Before the connection closes: leaves everything in the database file. */
  atClose(): void {
    this.#pending('TRUNCATE');
  }

  /**
   * Runs a pass; pages of the log that are not in the database file yet. A pass that fails (a full
   * disk) loses nothing, because the log keeps its pages: the next commit says what is wrong.
   */
  #pending(mode: 'NOOP' | 'PASSIVE' | 'TRUNCATE'): number {
    try {
      const sql = `PRAGMA wal_checkpoint(${mode})`;
      const row = this.#connection.first<[number, number, number]>(sql, []);
      return row === undefined ? 0 : Math.max(0, row[1] - row[2]);
    } catch {
      return this.#nextAt;
    }
  }
}
