/** Runs the built files of one lane with node:test and turns the outcome into counts. */

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot } from './paths.mjs';
import { noCounts } from './reporter.mjs';
import { runProcess } from './run-process.mjs';
import { keepStall, stoodStill } from './stalls.mjs';

/** A test above this is named in the report. */
const SLOW_MS = 5_000;

/**
 * Runs `files` (test sources) out of `outdir` on the given Node binary.
 * A lane without tests, a timed-out lane, a skipped test and a process left running are failures.
 */
export async function runLane(lane, files, options) {
  const started = performance.now();
  const { summary, result } = await runFiles(lane, files, options);
  const again = result.timedOut ? [] : stalledFiles(summary, files, options);
  if (again.length > 0) await runAgain(lane, again, { summary, result, options });
  const counts = verdict(lane, { summary, result }, options);
  return { ...counts, seconds: (performance.now() - started) / 1000 };
}

async function runFiles(lane, files, options) {
  const file = path.join(options.outdir, `summary-${lane.name}.json`);
  rmSync(file, { force: true });
  if (options.coverageDir !== undefined) mkdirSync(options.coverageDir, { recursive: true });
  const built = files.map((one) => path.join(options.outdir, `${bundleName(one)}.js`));
  const result = await runProcess(
    options.node ?? process.execPath,
    [...nodeArguments(lane, options), ...built],
    {
      limitMs: lane.minutes * 60_000,
      env: {
        SYNC_TEST_SUMMARY: file,
        NODE_OPTIONS: '',
        FORCE_COLOR: '0',
        ...(options.coverageDir === undefined ? {} : { NODE_V8_COVERAGE: options.coverageDir }),
        ...options.env,
      },
    },
  );
  return { summary: readSummary(file), result };
}

/** Files that failed on a database that stood still: the run says nothing about them. */
function stalledFiles(summary, files, { env }) {
  const folder = env?.SYNC_TEST_STALLS;
  if (folder === undefined) return [];
  return files.filter(
    (file) => (summary.by_file[file]?.failed ?? 0) > 0 && stoodStill(folder, bundleName(file)),
  );
}

/** Runs them once more, each on a new database, and puts what they show now in the place of what they showed. */
async function runAgain(lane, files, { summary, result, options }) {
  for (const file of files) {
    process.stdout.write(`  run again, because its MongoDB stood still: ${file}\n`);
    keepStall(options.env.SYNC_TEST_STALLS, bundleName(file));
  }
  const second = await runFiles(lane, files, options);
  for (const file of files) {
    summary.passed -= summary.by_file[file].passed;
    summary.failed -= summary.by_file[file].failed;
  }
  summary.passed += second.summary.passed;
  summary.failed += second.summary.failed;
  summary.skipped += second.summary.skipped;
  summary.failures = [
    ...summary.failures.filter(({ file }) => !files.includes(file)),
    ...second.summary.failures,
  ];
  summary.last_started = second.summary.last_started;
  const leftovers = result.leftovers || second.result.leftovers;
  Object.assign(result, second.result, { leftovers });
}

/** Name of a test's bundle: its path with `__` for `/`, since all bundles share one directory. */
export function bundleName(file) {
  if (file.endsWith('.entry.ts')) return path.basename(file, '.ts');
  return file
    .replace(/^test\//, '')
    .replaceAll('/', '__')
    .replace(/\.ts$/, '');
}

function nodeArguments(lane, { grep }) {
  const reporter = pathToFileURL(inRoot('scripts/lib/reporter.mjs')).href;
  const shared = [
    '--enable-source-maps',
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    ...(grep === undefined ? [] : [`--test-name-pattern=${grep}`]),
  ];
  if (lane.one_process) return [...shared, inRoot('scripts/lib/one-process.mjs')];
  return [
    ...shared,
    '--test',
    `--test-concurrency=${lane.concurrency}`,
    `--test-timeout=${lane.test_seconds * 1000}`,
  ];
}

function readSummary(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return noCounts();
  }
}

function verdict(lane, { summary, result }, options) {
  const faults = processFaults(lane, summary, result);
  if (options.grep === undefined && !result.timedOut)
    faults.push(...emptinessFaults(lane, summary, options.env));
  const slow = summary.slowest.filter((one) => one.ms > SLOW_MS);
  return {
    passed: summary.passed,
    failed: summary.failed + faults.length,
    failures: [...summary.failures.map(({ text }) => text), ...faults],
    notes: [
      ...faults.map((fault) => `✗ ${lane.name} ${fault}`),
      ...slow.map((one) => `slow: ${(one.ms / 1000).toFixed(1)} s ${one.title}`),
    ],
  };
}

function processFaults(lane, summary, { timedOut, code, leftovers }) {
  if (timedOut) {
    return [`was stopped after ${lane.minutes} minutes; the last test: ${summary.last_started}`];
  }
  const faults = [];
  if (summary.failed === 0 && code !== 0) faults.push(`ended with code ${code}`);
  if (leftovers) faults.push('left processes running (ended now)');
  return faults;
}

/** What looks green only because nothing ran. */
function emptinessFaults(lane, summary, env) {
  const faults = summary.empty_files.map((file) => `${file} holds no test`);
  if (summary.passed + summary.failed === 0) faults.push('ran no test');
  const given = Boolean(env?.SYNC_TEST_MONGODB_URI || env?.SYNC_TEST_MONGODB);
  const excused = lane.mongodb !== 'none' && !given;
  if (summary.skipped > 0 && !excused) faults.push(`skipped ${summary.skipped} tests`);
  const mongo = summary.titles.some((title) => /mongo/i.test(title));
  if (lane.both_stores && given && !mongo) {
    faults.push('ran no test with "mongo" in its title, although a MongoDB was given');
  }
  return faults;
}
