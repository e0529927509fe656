/** What no linter checks: words, effects, open ends, waiting in tests, doc comments, sizes, hosts. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { type Source, linesMatching, source, sources } from './support/sources.ts';

const SELF = 'test/architecture/tidy.test.ts';
const LINES_MAX = 400;

const product = sources(['src'], ['.ts']);
const tests = sources(['test'], ['.ts']).filter(({ file }) => file !== SELF);
const scripts = sources(['scripts', 'bin', 'examples', 'config'], ['.mjs', '.js', '.cjs', '.mts']);
const pages = [...sources(['docs'], ['.md']), source('README.md'), source('CONTRIBUTING.md')];
const code = [...product, ...tests, ...scripts];

/** Whole identifiers that stand for a word of the glossary; the canonical word is in docs/ARCHITECTURE.md. */
const FORBIDDEN_WORDS = [
  'tenantId',
  'deviceId',
  'userId',
  'softDelete',
  'watermark',
  'changelog',
  'repository',
];

/** Effects outside the ports, and the only files that may have them. */
const EFFECTS: readonly { readonly pattern: RegExp; readonly files: readonly string[] }[] = [
  { pattern: /\bprocess\.env\b/, files: ['src/cli/invocation.ts'] },
  {
    pattern: /\bprocess\.exit\b/,
    files: ['src/cli/main.ts', 'src/cli/stop-signals.ts', 'src/cli/commands/serve.ts'],
  },
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)/,
    files: ['src/node-system.ts', 'src/console/main.ts', 'src/console/reader-table.ts'],
  },
  { pattern: /\bMath\.random\b/, files: [] },
  {
    pattern: /\bset(Timeout|Interval|Immediate)\(/,
    files: ['src/node-system.ts', 'src/http/server.ts', 'src/console/main.ts'],
  },
];

/** Folders whose tests run without real time: nothing in them may wait. */
const TIMELESS = [
  'unit',
  'property',
  'protocol',
  'architecture',
  'config',
  'auth',
  'observability',
];

test('[AR-3] clocks, timers, randomness, environment and exit are touched in the listed files only', () => {
  for (const { pattern, files } of EFFECTS) {
    const strangers = product.filter(({ file }) => !files.includes(file));
    assert.deepEqual(linesMatching(withoutComments(strangers), pattern), []);
  }
});

test('[AR-4] one word per concept: forbidden identifiers do not occur', () => {
  const pattern = new RegExp(`\\b(${FORBIDDEN_WORDS.join('|')})\\b`);
  assert.deepEqual(linesMatching(withoutComments(code), pattern), []);
});

test('[AR-5] no open ends: no notes to self, no skipped or narrowed tests, no banners', () => {
  const notes = /\b(TODO|FIXME|XXX|HACK)\b/;
  const narrowed =
    /\b(test|it|describe|suite|t)\.(skip|only|todo)\b|\b(skip|only|todo): (true|['"`])/;
  const banner = /^\s*(\/\/|\/?\*)\s*[-=*#]{4,}/;
  assert.deepEqual(linesMatching([...code, ...pages], notes), []);
  assert.deepEqual(linesMatching(tests, narrowed), []);
  assert.deepEqual(linesMatching(code, banner), []);
});

test('[AR-6] tests of the fast lanes never wait for time to pass', () => {
  const waiting = /\bset(Timeout|Interval)\(|timers\/promises|\bDate\.now\(/;
  const timeless = tests.filter(({ file }) =>
    TIMELESS.some((folder) => file.startsWith(`test/${folder}/`)),
  );
  assert.deepEqual(linesMatching(withoutComments(timeless), waiting), []);
});

test('[AR-7] every source file and every exported name says what it is for', () => {
  const silent = product.flatMap(({ file, text }) => [
    ...(text.startsWith('/**') ? [] : [`${file} has no comment at its top`]),
    ...undocumentedExports(text).map((name) => `${file}: ${name} has no doc comment`),
  ]);
  assert.deepEqual(silent, []);
});

test('[AR-8] no file is longer than a reader can hold', () => {
  const long = code
    .map(({ file, text }) => ({ file, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ file, lines }) => `${file}: ${lines} lines`);
  assert.deepEqual(long, []);
});

test('[AR-9] nothing names a package registry or a path of one machine', () => {
  const host = new RegExp(`registry\\.[a-z]+\\.|${'pypi'}\\.org|pythonhosted|"resolved":`);
  const machine = /(^|[\s'"`(=])\/(work|root|home|Users)\//;
  const everything = [
    ...code,
    ...pages,
    source('package.json'),
    source('package-lock.json'),
    source('.ci/run'),
    source('.npmrc'),
  ];
  assert.deepEqual(linesMatching(everything, host), []);
  assert.deepEqual(linesMatching(everything, machine), []);
});

/** Line comments and doc comments name things that the code itself must not use. */
function withoutComments(files: readonly Source[]): Source[] {
  return files.map(({ file, text }) => ({
    file,
    text: text
      .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
      .replace(/(^|\s)\/\/.*$/gm, '$1'),
  }));
}

const DECLARATION =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|const|class|interface|type) (\w+)/;

/**
 * Exported declarations without a doc comment. One comment serves a run of one-line declarations without
 * a blank line between them, and a type that is inferred from the documented schema or list above it.
 */
function undocumentedExports(text: string): string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const name = DECLARATION.exec(line)?.[1];
    if (name === undefined || documentedAbove(lines, index)) return [];
    const statement = `${line}${lines[index + 1] ?? ''}`;
    const inferred =
      /^export type \w+(<.*>)? =\s*(z\.(infer|input|output)<|keyof typeof |\(?typeof )/;
    return inferred.test(statement) ? [] : [name];
  });
}

function documentedAbove(lines: readonly string[], index: number): boolean {
  let above = index - 1;
  while (/^\/\/ biome-ignore|^export const .*;$/.test(lines[above] ?? '')) above -= 1;
  return (lines[above] ?? '').trimEnd().endsWith('*/');
}
