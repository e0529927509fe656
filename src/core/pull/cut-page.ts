/** Cuts a page out of the rows that were read: whole bundles, within limit and bytes. Pure. */

import type { Hlc } from '../../protocol/pure/hlc.ts';
import type { OplogRead } from '../ports/store.ts';

/** Bounds and filter of a page. */
export interface CutOptions {
  readonly limit: number;
  readonly max_bytes: number;
  /** Names of the collections to deliver. */
  readonly visible: ReadonlySet<string>;
}

/** A row of a page. `bundle_end`: no later row of its bundle is delivered [PL-5]. */
export interface CutRow {
  readonly row: OplogRead;
  readonly bundle_end: boolean;
}

/** A page: rows to deliver, the last scanned row, and reset rows of visible collections in it. */
export interface Cut {
  readonly rows: readonly CutRow[];
  readonly last_version: Hlc;
  readonly last_seq: number;
  readonly reset: readonly string[];
}

/**
 * The longest run of whole bundles from the start that holds at least `limit` delivered rows, or as
 * many as were read. `limit` is soft, because a bundle is never split [PL-4]. Undefined when the
 * rows hold no whole bundle: the caller reads further.
 */
export function cutPage(rows: readonly OplogRead[], options: CutOptions): Cut | undefined {
  const end = endOfPage(rows, options);
  if (end === 0) return undefined;
  const scanned = rows.slice(0, end);
  const last = scanned[end - 1] as OplogRead;
  const reset = scanned.filter((r) => r.operation === 'reset' && options.visible.has(r.collection));
  return {
    rows: withEnds(scanned.filter((row) => delivered(row, options))),
    last_version: last.version,
    last_seq: last.seq,
    reset: [...new Set(reset.map((row) => row.collection))],
  };
}

function endOfPage(rows: readonly OplogRead[], options: CutOptions): number {
  let end = 0;
  let count = 0;
  let bytes = 0;
  for (let i = 0; i < rows.length; i += 1) {
    const row = rows[i] as OplogRead;
    if (delivered(row, options)) {
      count += 1;
      bytes += row.line.length;
    }
    if (row.ordinal !== row.bundle_rows - 1) continue;
    if (end > 0 && bytes > options.max_bytes) return end;
    end = i + 1;
    if (count >= options.limit) return end;
  }
  return end;
}

function delivered(row: OplogRead, options: CutOptions): boolean {
  return row.operation !== 'reset' && options.visible.has(row.collection);
}

/** The last delivered row of each bundle says so. */
function withEnds(rows: readonly OplogRead[]): readonly CutRow[] {
  return rows.map((row, i) => ({ row, bundle_end: row.bundle_seq !== rows[i + 1]?.bundle_seq }));
}
