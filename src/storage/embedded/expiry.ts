/** Deletes old rows in slices, oldest first, so that a group waits for one slice at most. */

import { PRUNE_SLICE_ROWS } from '../../protocol/pure/limits.ts';
import type { Connection } from './connection.ts';
import type { ExpireMessage } from './messages.ts';

const PRUNE = `DELETE FROM sync_oplog WHERE pos IN
  (SELECT pos FROM sync_oplog WHERE scope_id = ? AND seq <= ? ORDER BY seq LIMIT ?)`;

/** Deletes one slice of a scope's rows up to `seq`. Returns how many went. */
export function pruneSlice(connection: Connection, scope_id: string, seq: number): number {
  const rows = connection.run(PRUNE, [scope_id, seq, PRUNE_SLICE_ROWS]);
  if (rows > 0) giveBackSpace(connection);
  return rows;
}

/** Scopes that one slice looks at. */
const SCOPES_PER_SLICE = 1_000;

/** Walks the scopes for expired rows; each slice goes on where the last one stopped. */
export class Expiry {
  readonly #connection: Connection;
  #after = '';

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Deletes one slice of each kind. `more` = the walk over the scopes is not at its end. */
  slice(bounds: ExpireMessage): { readonly rows: number; readonly more: boolean } {
    const done = this.#connection.transaction('BEGIN IMMEDIATE', () => {
      const { rows, more } = this.#expireRows(bounds.oplog_before_ms);
      return { rows: rows + this.#expireByAge(bounds), more };
    });
    if (done.rows > 0) giveBackSpace(this.#connection);
    return done;
  }

  #expireRows(before_ms: number): { readonly rows: number; readonly more: boolean } {
    const scopes = this.#connection.all<[string]>(SCOPES, [this.#after, SCOPES_PER_SLICE]);
    let rows = 0;
    for (const [scope_id] of scopes) {
      rows += this.#expireScope(scope_id, before_ms, PRUNE_SLICE_ROWS - rows);
      if (rows >= PRUNE_SLICE_ROWS) return { rows, more: true };
      this.#after = scope_id;
    }
    const more = scopes.length === SCOPES_PER_SLICE;
    if (!more) this.#after = '';
    return { rows, more };
  }

  /** The times of a scope's rows never go down, so its expired rows are a prefix. */
  #expireScope(scope_id: string, before_ms: number, limit: number): number {
    const oldest = this.#connection.first<[number, number]>(OLDEST, [scope_id, 1]);
    if (oldest === undefined || oldest[1] >= before_ms) return 0;
    const prefix = this.#connection.all<[number, number]>(OLDEST, [scope_id, limit]);
    const kept = prefix.findIndex(([, timestamp_ms]) => timestamp_ms >= before_ms);
    const last = prefix[(kept === -1 ? prefix.length : kept) - 1];
    return last === undefined ? 0 : this.#connection.run(PRUNE, [scope_id, last[0], limit]);
  }

  /**
   * A tombstone stays while a row of its document may be retained: a client that reads such a row
   * again must find the document deleted.
   */
  #expireByAge(bounds: ExpireMessage): number {
    const { receipts_before_ms, conflicts_before_ms, tombstones_before_ms } = bounds;
    let rows = this.#connection.run(EXPIRE_RECEIPTS, [receipts_before_ms, PRUNE_SLICE_ROWS]);
    rows += this.#connection.run(EXPIRE_CONFLICTS, [conflicts_before_ms, PRUNE_SLICE_ROWS]);
    if (tombstones_before_ms === null) return rows;
    const before = Math.min(tombstones_before_ms, bounds.oplog_before_ms);
    return rows + this.#connection.run(EXPIRE_TOMBSTONES, [before, PRUNE_SLICE_ROWS]);
  }
}

const SCOPES = `SELECT scope_id FROM sync_scopes WHERE scope_id > ? ORDER BY scope_id LIMIT ?`;
const OLDEST = `SELECT seq, timestamp_ms FROM sync_oplog WHERE scope_id = ? ORDER BY seq LIMIT ?`;
const EXPIRE_RECEIPTS = `DELETE FROM sync_receipts
  WHERE (actor_id, client_id, mutation_id, scope_id) IN
  (SELECT actor_id, client_id, mutation_id, scope_id FROM sync_receipts
  WHERE at_ms < ? ORDER BY at_ms LIMIT ?)`;
const EXPIRE_CONFLICTS = `DELETE FROM sync_conflicts WHERE conflict_id IN
  (SELECT conflict_id FROM sync_conflicts WHERE at_ms < ? ORDER BY at_ms LIMIT ?)`;
// 'A' sorts after every version: nothing is retained, so every tombstone is older.
const EXPIRE_TOMBSTONES = `DELETE FROM sync_tombstones
  WHERE (scope_id, collection, doc_id) IN
  (SELECT t.scope_id, t.collection, t.doc_id FROM sync_tombstones AS t WHERE t.at_ms < ?
  AND t.version < ifnull((SELECT o.version FROM sync_oplog AS o WHERE o.scope_id = t.scope_id
  ORDER BY o.seq LIMIT 1), 'A') ORDER BY t.at_ms LIMIT ?)`;

/** Free pages of 4 KiB that are kept for the next rows, and pages given back per slice. */
const FREE_PAGES_KEPT = 1_024;
const FREE_PAGES_SLICE = 512;

function giveBackSpace(connection: Connection): void {
  const free = connection.first<[number]>('PRAGMA freelist_count', [])?.[0] ?? 0;
  if (free > FREE_PAGES_KEPT) connection.exec(`PRAGMA incremental_vacuum(${FREE_PAGES_SLICE})`);
}
