/** Prints inspected rows: aligned columns for people, one JSON object per line for programs. */

import type { Inspected } from '../core/pull/inspect.ts';
import { closePullLine, type PullChange } from '../protocol/pull.ts';
import { rowCells } from '../protocol/pure/row-cells.ts';

type Row = Extract<Inspected, { kind: 'row' }>;

/** Prints one item after the other. */
export interface RowPrinter {
  print(item: Inspected): Promise<void>;
  /** Says so when there was nothing to print. */
  end(): void;
}

/** Where rows go; `Output` is one. */
export interface RowOutput {
  readonly json: boolean;
  readonly isTerminal: boolean;
  readonly columns: number;
  data(line: string): Promise<void>;
  jsonLine(value: unknown): Promise<void>;
  info(line: string): void;
  warn(line: string): void;
}

/** What to print. */
export interface RowPrinterOptions {
  /** Documents as well. */
  readonly data: boolean;
  /** Configured names, for the width of their column. */
  readonly collections: readonly string[];
}

const VERSION_WIDTH = 38;
const SCOPE_WIDTH = 14;
const OPERATION_WIDTH = 6;
const ACTOR_WIDTH = 14;
const DOC_WIDTH_MIN = 12;
const COLLECTION_WIDTH_MAX = 20;

/** A table on a terminal unless --json, else JSON lines. */
export function createRowPrinter(output: RowOutput, options: RowPrinterOptions): RowPrinter {
  const table = output.isTerminal && !output.json;
  const printRow = table ? tablePrinter(output, options) : jsonPrinter(output, options);
  let printed = 0;
  return {
    async print(item) {
      if (item.kind === 'gap') {
        output.warn(gapText(item));
        return;
      }
      if (item.kind === 'waiting') {
        output.warn('the database does not answer; rows go on when it is back');
        return;
      }
      printed += 1;
      await printRow(item);
    },
    end() {
      if (printed === 0) output.info('no changes; look further back with --since 0');
    },
  };
}

function gapText({ scope_id, first }: Extract<Inspected, { kind: 'gap' }>): string {
  return first === null
    ? `scope "${scope_id}": its changes are no longer kept`
    : `scope "${scope_id}": changes before ${first} are no longer kept`;
}

function jsonPrinter(output: RowOutput, { data }: RowPrinterOptions) {
  return async ({ scope_id, row }: Row): Promise<void> => {
    const change = wireRow(row.line);
    await output.jsonLine({
      version: row.version,
      scope_id,
      seq: row.seq,
      prev: row.prev,
      bundle_seq: row.bundle_seq,
      ordinal: row.ordinal,
      bundle_rows: row.bundle_rows,
      collection: row.collection,
      doc_id: row.doc_id,
      operation: row.operation,
      origin: row.origin,
      actor_id: change.actor_id,
      client_id: change.client_id,
      mutation_id: change.mutation_id,
      change_version: change.change_version,
      parent_version: change.parent_version,
      ...(data ? { data: change.data } : {}),
    });
  };
}

function tablePrinter(output: RowOutput, { data, collections }: RowPrinterOptions) {
  const longest = Math.max('collection'.length, ...collections.map((name) => name.length));
  const collectionWidth = Math.min(COLLECTION_WIDTH_MAX, longest);
  const fixed = VERSION_WIDTH + SCOPE_WIDTH + collectionWidth + OPERATION_WIDTH + ACTOR_WIDTH + 10;
  const docWidth = Math.max(DOC_WIDTH_MIN, output.columns - fixed - 1);
  const line = (cells: readonly [string, string, string, string, string, string]): string => {
    const [version, scope, collection, operation, actor, doc] = cells;
    return [
      version.padEnd(VERSION_WIDTH),
      fit(scope, SCOPE_WIDTH),
      fit(collection, collectionWidth),
      fit(operation, OPERATION_WIDTH),
      fit(actor, ACTOR_WIDTH),
      fit(doc, docWidth).trimEnd(),
    ].join('  ');
  };
  let headed = false;
  return async ({ scope_id, row }: Row): Promise<void> => {
    if (!headed) {
      await output.data(line(['version', 'scope', 'collection', 'op', 'actor', 'doc']));
      headed = true;
    }
    const { actor_id, data: document } = wireRow(row.line);
    const { version, collection, op, actor, doc } = rowCells({ ...row, actor_id });
    await output.data(line([version, scope_id, collection, op, actor, doc]));
    if (data && document !== null) await output.data(`    ${JSON.stringify(document)}`);
  };
}

/** Fields that a row has on the wire and not in its own columns. */
function wireRow(line: string): Omit<PullChange, 'doc_id'> {
  return JSON.parse(closePullLine(line, false)) as Omit<PullChange, 'doc_id'>;
}

function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}
