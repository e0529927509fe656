/** How people see a row of the log: the terminal (`inspect`) and the browser (`/console`) alike. */

/** The fields of a row that the cells are made of, as they are on the wire. */
export interface ShownRow {
  readonly version: string;
  readonly collection: string;
  readonly operation: string;
  readonly actor_id: string | null;
  readonly doc_id: string | null;
}

/** Cells by their heading, in the order of the columns. */
export function rowCells(row: ShownRow) {
  return {
    version: row.version,
    collection: row.collection,
    op: row.operation,
    actor: row.actor_id ?? '-',
    doc: row.doc_id ?? '-',
  };
}
