import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from '../../src/cli/output.ts';
import { createRowPrinter, type RowOutput } from '../../src/cli/row-printer.ts';
import type { Inspected } from '../../src/core/pull/inspect.ts';
import type { Hlc } from '../../src/protocol/pure/hlc.ts';
import { openPullLine } from '../../src/protocol/pull.ts';

function terminal(columns: number) {
  const lines: string[] = [];
  const warnings: string[] = [];
  const output: RowOutput = {
    json: false,
    isTerminal: true,
    columns,
    data: async (line) => {
      lines.push(line);
    },
    jsonLine: async () => assert.fail('no JSON on a terminal'),
    info: (line) => warnings.push(line),
    warn: (line) => warnings.push(line),
  };
  return { output, lines, warnings };
}

function row(doc_id: string | null, actor_id: string | null, scope_id = 'team'): Inspected {
  const version = '20260502T120000.000Z-0001-a1b2c3d4' as Hlc;
  const facts = {
    version,
    collection: 'tasks',
    doc_id,
    operation: 'upsert',
    bundle_seq: 1,
  } as const;
  const line = openPullLine({
    ...facts,
    actor_id,
    parent_version: null,
    data: { secret: 'content' },
    client_id: 'c',
    mutation_id: null,
    change_version: null,
  });
  return {
    kind: 'row',
    scope_id,
    row: { ...facts, prev: '', seq: 1, ordinal: 0, bundle_rows: 1, origin: 'push', line },
  };
}

test('[CL-9] on a terminal rows are an aligned table with a head, without documents', async () => {
  const { output, lines } = terminal(130);
  const printer = createRowPrinter(output, { data: false, collections: ['tasks'] });
  await printer.print(row('t1', 'ann'));
  await printer.print(row(null, null, 'a-scope-with-a-very-long-name'));
  assert.deepEqual(
    lines.map((line) => line.replace(/ {2,}/g, ' | ')),
    [
      'version | scope | collection | op | actor | doc',
      '20260502T120000.000Z-0001-a1b2c3d4 | team | tasks | upsert | ann | t1',
      '20260502T120000.000Z-0001-a1b2c3d4 | a-scope-with-… | tasks | upsert | - | -',
    ],
  );
  const starts = lines.map((line) => /(doc|t1|-)$/.exec(line)?.index);
  assert.equal(new Set(starts).size, 1, 'columns are aligned');
  assert.ok(!lines.join('').includes('content'));
});

test('[CL-9] a line of the table fits the terminal, and documents follow on demand', async () => {
  const { output, lines } = terminal(120);
  const printer = createRowPrinter(output, { data: true, collections: ['tasks'] });
  await printer.print(row('x'.repeat(200), 'ann'));
  assert.ok(lines.slice(0, 2).every((line) => line.length <= 120));
  assert.equal(lines[2], '    {"secret":"content"}');
});

test('[CL-9] missing history is a warning, and nothing at all is said', async () => {
  const { output, warnings } = terminal(120);
  const printer = createRowPrinter(output, { data: false, collections: [] });
  await printer.print({
    kind: 'gap',
    scope_id: 's',
    first: '20260502T120000.000Z-0001-a1b2' as Hlc,
  });
  await printer.print({ kind: 'gap', scope_id: 's', first: null });
  printer.end();
  assert.equal(warnings.length, 3);
  assert.match(warnings[0] ?? '', /before 20260502T120000\.000Z-0001-a1b2 are no longer kept/);
  assert.match(warnings[2] ?? '', /no changes/);
});

test('[CL-9] control and direction characters are written as escapes', () => {
  assert.equal(printable('a\u001b[1m\u009b\u202e\ufeffä\n'), 'a\\u001b[1m\\u009b\\u202e\\ufeffä\n');
});
