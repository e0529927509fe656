/** Runs the built files of one lane with node:test and turns the outcome into counts. */

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot } from './paths.mjs';
import { runProcess } from './run-process.mjs';

/**
 * Runs `files` (test sources) out of `outdir` on the given Node binary.
 * A lane without tests, a timed-out lane, a skipped test and a process left running are failures.
 */
export async function runLane(lane, files, options) {
  const started = performance.now();
  const summary = path.join(options.outdir, `summary-${lane.name}.json`);
  rmSync(summary, { force: true });
  if (options.coverageDir !== undefined) mkdirSync(options.coverageDir, { recursive: true });
  const built = files.map((file) => path.join(options.outdir, `${bundleName(file)}.js`));
  const result = await runProcess(
    options.node ?? process.execPath,
    [...nodeArguments(lane, options), ...built],
    {
      limitMs: lane.minutes * 60_000,
      env: {
        SYNC_TEST_SUMMARY: summary,
        NODE_OPTIONS: '',
        FORCE_COLOR: '0',
        ...(options.coverageDir === undefined ? {} : { NODE_V8_COVERAGE: options.coverageDir }),
        ...options.env,
      },
    },
  );
  const counts = verdict(lane, readSummary(summary), result, options);
  return { ...counts, seconds: (performance.now() - started) / 1000 };
}

/** Name of a test's bundle: its path with `__` for `/`, since all bundles share one directory. */
export function bundleName(file) {
  if (file.endsWith('.entry.ts')) return path.basename(file, '.ts');
  return file.replace(/^test\//, '').replaceAll('/', '__').replace(/\.ts$/, '');
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
    return { passed: 0, failed: 0, skipped: 0, slowest: [], titles: [], empty_files: [] };
  }
}

function verdict(lane, summary, result, { grep, env }) {
  const faults = [];
  if (result.timedOut) faults.push(`stopped after ${lane.minutes} minutes`);
  else if (summary.failed === 0 && result.code !== 0) faults.push(`ended with code ${result.code}`);
  if (result.leftovers && !result.timedOut) faults.push('left processes running (ended now)');
  if (grep === undefined) {
    if (summary.passed + summary.failed === 0) faults.push('ran no test');
    for (const file of summary.empty_files) faults.push(`${file} holds no test`);
    if (summary.skipped > 0) faults.push(`${summary.skipped} tests were skipped`);
    if (lane.both_stores && env?.SYNC_TEST_MONGODB_URI) {
      if (!summary.titles.some((title) => /mongo/i.test(title))) {
        faults.push('no test with "mongo" in its title ran, although a MongoDB was given');
      }
    }
  }
  const slow = summary.slowest.filter((one) => one.ms > 5_000);
  return {
    passed: summary.passed,
    failed: summary.failed + faults.length,
    notes: [
      ...faults.map((fault) => `✗ ${lane.name} ${fault}`),
      ...slow.map((one) => `slow: ${(one.ms / 1000).toFixed(1)} s ${one.title}`),
    ],
  };
}
