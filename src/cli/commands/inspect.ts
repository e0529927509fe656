/** `inspect`: the oplog for an operator; a table on a terminal, JSON lines in a pipe. */

import { withStore } from '../../compose-store.ts';
import { inspectRows } from '../../core/pull/inspect.ts';
import { requireSetup } from '../../core/upkeep/layout.ts';
import type { Hlc } from '../../protocol/pure/hlc.ts';
import { nodeSystem } from '../../node-system.ts';
import { parseSince } from '../duration.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { usageError } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { createRowPrinter } from '../row-printer.ts';

/** Flags of `inspect`. */
export interface InspectFlags {
  readonly since?: string;
  readonly follow?: boolean;
  readonly collection?: string;
  readonly scope?: string;
  readonly doc?: string;
  readonly op?: string;
  readonly limit?: string;
  readonly data?: boolean;
}

const SINCE_DEFAULT = '15m';
const OPERATIONS = ['upsert', 'delete', 'remove', 'reset'];

/** Prints rows until the end, `--limit`, SIGINT, or until nobody reads any more. */
export async function run(invocation: Invocation, flags: InspectFlags): Promise<ExitCode> {
  const { output } = invocation;
  const since = readSince(flags.since ?? SINCE_DEFAULT);
  const limit = readLimit(flags.limit);
  const operations = readNames(flags.op);
  const unknown = [...(operations ?? [])].find((name) => !OPERATIONS.includes(name));
  if (unknown !== undefined) {
    throw usageError(`--op "${unknown}" is no operation`, `known are ${OPERATIONS.join(', ')}`);
  }
  const { config } = await invocation.loadConfig();
  const stop = new AbortController();
  output.onClosed(() => stop.abort('closed'));
  process.once('SIGINT', () => stop.abort('interrupted'));
  process.once('SIGTERM', () => stop.abort('terminated'));

  await withStore(config, 'read', async (store) => {
    await requireSetup(store);
    const printer = createRowPrinter(output, {
      data: flags.data === true,
      collections: config.collections.map(({ name }) => name),
    });
    const rows = inspectRows(store, nodeSystem.clock, {
      since,
      limit,
      follow: flags.follow === true,
      signal: stop.signal,
      filter: {
        scope_id: flags.scope,
        doc_id: flags.doc,
        collections: readNames(flags.collection),
        operations,
      },
    });
    for await (const item of rows) {
      if (stop.signal.aborted) break;
      await printer.print(item);
    }
    printer.end();
  });
  return stop.signal.reason === 'interrupted' ? EXIT.interrupted : EXIT.ok;
}

function readSince(text: string): Hlc {
  const since = parseSince(text, nodeSystem.clock.now());
  if (since !== undefined) return since;
  throw usageError(
    `--since "${text}" is no version, date or age`,
    'for example: --since 15m, --since 2026-05-02T12:00:00Z, --since 20260502T120000.000Z-0001-a1b2, --since 0',
  );
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(
    `--limit "${text}" is no whole number of at least 1`,
    'for example: --limit 100',
  );
}

function readNames(text: string | undefined): ReadonlySet<string> | undefined {
  return text === undefined ? undefined : new Set(text.split(',').filter((name) => name !== ''));
}
