/**
 * Reporter for node:test: prints failures so that a person can act on them and what tests
 * say about themselves (times, seeds), and writes the counts as JSON
 * to the file named by SYNC_TEST_SUMMARY. Suites are not counted, only what asserts something.
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';

const OUTPUT_LINES_KEPT = 40;
const SAVE_EVERY_MS = 1_000;
/** Of a failure in the closing list. */
const REASON_LENGTH = 160;
/** What node:test says about itself at the end; everything else was said by a test. */
const RUNNER_COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;
/** Stack lines of node:test itself; they say nothing about the failure. */
const RUNNER_FRAMES =
  /^ +at .*(node:internal|node:async_hooks|Array\.map \(<anonymous>\)).*(?<!\{)\n/gm;

/** What a run has shown before its first test. */
export function noCounts() {
  return {
    ...{ passed: 0, failed: 0, skipped: 0 },
    ...{ slowest: [], titles: [], empty_files: [], failures: [], by_file: {}, last_started: '' },
  };
}

/** Consumes node:test's events and yields the text to print. */
export default async function* report(source) {
  const counts = noCounts();
  const names = new Map();
  const output = new Map();
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      titlesOf(names, data.file)[data.nesting] = data.name;
      counts.last_started = `${path.basename(data.file ?? '')}: ${titleOf(names, data)}`;
      saveNowAndThen(counts);
    }
    if (type === 'test:stdout' || type === 'test:stderr') keep(output, data);
    else if (type === 'test:diagnostic' && !RUNNER_COUNT.test(data.message))
      yield `  · ${data.message}\n`;
    else if (type === 'test:pass') count(counts, data, titleOf(names, data));
    else if (type === 'test:fail')
      yield* failure(counts, data, { title: titleOf(names, data), output });
  }
  save(counts);
}

let saved_at = 0;

/** A lane that is stopped leaves the counts of its last second. */
function saveNowAndThen(counts) {
  if (performance.now() - saved_at < SAVE_EVERY_MS) return;
  saved_at = performance.now();
  save(counts);
}

function save(counts) {
  if (!process.env.SYNC_TEST_SUMMARY) return;
  const slowest = counts.slowest.sort((a, b) => b.ms - a.ms).slice(0, 3);
  writeFileSync(process.env.SYNC_TEST_SUMMARY, JSON.stringify({ ...counts, slowest }));
}

function count(counts, data, title) {
  if (data.details?.type === 'suite') return;
  if (isFileWrapper(data)) {
    counts.empty_files.push(path.basename(data.file));
    return;
  }
  if (data.skip !== undefined || data.todo !== undefined) {
    counts.skipped += 1;
    return;
  }
  counts.passed += 1;
  countsOf(counts, data.file).passed += 1;
  counts.titles.push(title);
  counts.slowest.push({ title, ms: Math.round(data.details?.duration_ms ?? 0) });
}

function* failure(counts, data, { title, output }) {
  const error = data.details?.error;
  // A suite or parent fails because something inside failed; that was reported already.
  if (error?.failureType === 'subtestsFailed') return;
  counts.failed += 1;
  countsOf(counts, data.file).failed += 1;
  const reason = describe(error).slice(0, REASON_LENGTH).split('\n')[0];
  counts.failures.push({ file: sourceOf(data.file), text: `${title}: ${reason}` });
  yield `\n✗ ${title}\n`;
  yield `  at ${sourceOf(data.file)}:${data.line ?? '?'}\n`;
  yield `${indent(describe(error))}\n`;
  const lines = output.get(data.file);
  if (lines !== undefined) {
    yield `  output of the file before this:\n${indent(lines.join(''))}\n`;
    output.delete(data.file);
  }
}

function sourceOf(file) {
  return path.relative(process.cwd(), file ?? '');
}

function countsOf(counts, file) {
  const source = sourceOf(file);
  counts.by_file[source] ??= { passed: 0, failed: 0 };
  return counts.by_file[source];
}

function describe(error) {
  const cause = error?.cause ?? error;
  if (typeof cause === 'string') return cause;
  return inspect(cause, { depth: 4, breakLength: 100 }).replace(RUNNER_FRAMES, '');
}

/** Under `--test` a file without tests shows up as a passed test named like the file. */
function isFileWrapper(data) {
  return data.nesting === 0 && data.file !== undefined && path.resolve(data.name) === data.file;
}

function titlesOf(names, file) {
  const known = names.get(file) ?? [];
  names.set(file, known);
  return known;
}

function titleOf(names, data) {
  return [...titlesOf(names, data.file).slice(0, data.nesting), data.name].join(' › ');
}

function keep(output, data) {
  const lines = output.get(data.file) ?? [];
  lines.push(data.message);
  output.set(data.file, lines.slice(-OUTPUT_LINES_KEPT));
}

function indent(text) {
  return text.replace(/^/gm, '    ').trimEnd();
}
