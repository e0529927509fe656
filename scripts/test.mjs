/**
 * The test command.
 *
 * `npm test` runs everything. `npm test -- [--lane NAME]… [--grep TEXT] [--no-mongodb] [FILE…]` runs a part:
 * lanes by name, tests by title, or the named test files. The last line is `N passed, N failed`.
 */

import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildDeclarations, buildJavaScript } from './build.mjs';
import { runChecks } from './check.mjs';
import { WORKER_ENTRIES, bundleFlat, existingEntries } from './lib/bundle.mjs';
import { BROWSERS, findChromium } from './lib/chromium.mjs';
import { coverageGate } from './lib/coverage.mjs';
import {
  LANES,
  NODE_VERSIONS,
  REPEATED_LANES,
  entryFiles,
  laneNamed,
  laneOf,
  testFiles,
} from './lib/lanes.mjs';
import { installNode } from './lib/node-versions.mjs';
import { inRoot } from './lib/paths.mjs';
import { bundleName, runLane } from './lib/run-lane.mjs';
import { killRunning } from './lib/run-process.mjs';
import { stallReports } from './lib/stalls.mjs';
import { Tally } from './lib/tally.mjs';

/** Lanes that are no folders of tests. */
const EXTRA_LANES = ['check', 'node', 'coverage'];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lane: { type: 'string', multiple: true },
    grep: { type: 'string' },
    'no-mongodb': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const outdir = inRoot('build', `test-${process.pid}`);
const coverageDir = `${outdir}/coverage`;
/** What servers that stood still said. */
const stalls = `${outdir}/stalls`;
const tally = new Tally();
/** What the tests use, found once. */
let mongodb;

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    killRunning();
    cleanUp();
    process.exit(130);
  });
}

try {
  await main();
} finally {
  cleanUp();
}

async function main() {
  removeStaleBuilds();
  const plan = planLanes();
  if (wants('check') && whole()) await checkLane();
  if (await built(plan)) {
    await runPlan(plan);
    if (wants('node')) await otherNodes(plan);
    if (wants('coverage') && whole()) tally.add('coverage', await coverageGate(coverageDir));
  }
  for (const stall of stallReports(stalls)) process.stdout.write(`  ${stall}\n`);
  process.exitCode = tally.print() ? 0 : 1;
}

/** Lanes with their files, in order; named files narrow them. */
function planLanes() {
  const chosen = positionals.length > 0 ? positionals : testFiles();
  const byLane = new Map();
  for (const file of chosen) {
    const lane = laneOf(file);
    byLane.set(lane, [...(byLane.get(lane) ?? []), file]);
  }
  for (const name of flags.lane ?? []) {
    if (!EXTRA_LANES.includes(name)) laneNamed(name);
  }
  const narrowed = positionals.length > 0;
  return LANES.filter((lane) => wants(lane.name) || neededByNode(lane))
    .filter((lane) => !narrowed || byLane.has(lane))
    .map((lane) => ({ lane, files: byLane.get(lane) ?? [] }));
}

function neededByNode(lane) {
  return flags.lane?.includes('node') && REPEATED_LANES.includes(lane.name);
}

/** True when the lane was asked for; named files ask for their own lanes only. */
function wants(name) {
  if (flags.lane !== undefined) return flags.lane.includes(name);
  return positionals.length === 0 || !EXTRA_LANES.includes(name);
}

/** Parts that say nothing about a filtered run are left out of it. */
function whole() {
  return flags.grep === undefined && positionals.length === 0;
}

async function checkLane() {
  const started = performance.now();
  const results = await runChecks();
  const failed = results.filter((one) => !one.ok);
  tally.add('check', {
    passed: results.length - failed.length,
    failed: failed.length,
    seconds: (performance.now() - started) / 1000,
    notes: failed.map((one) => `✗ ${one.name}`),
  });
}

/** False when there is nothing to run: a build that failed is one failure and the end. */
async function built(plan) {
  try {
    await bundleTests(plan);
    if (plan.some(({ lane }) => lane.product)) await buildProduct();
    return true;
  } catch (error) {
    tally.add('build', { passed: 0, failed: 1, notes: [`✗ ${error.message}`] });
    return false;
  }
}

async function bundleTests(plan) {
  mkdirSync(outdir, { recursive: true });
  const files = [...plan.flatMap((one) => one.files), ...entryFiles()];
  const entries = Object.fromEntries(files.map((file) => [bundleName(file), file]));
  await bundleFlat({ ...entries, ...existingEntries(WORKER_ENTRIES) }, outdir);
}

async function buildProduct() {
  await buildJavaScript();
  if (wants('package')) await buildDeclarations();
}

async function runPlan(plan) {
  for (const { lane, files } of plan) {
    if (!wants(lane.name)) continue;
    if (files.length === 0 && lane.may_be_empty) {
      process.stdout.write(`— ${lane.name}: no file yet\n`);
      continue;
    }
    if (lane.mongodb === 'required' && flags['no-mongodb']) {
      tally.notProven(lane.name, '--no-mongodb');
      continue;
    }
    if (lane.chromium && findChromium() === undefined) {
      tally.notProven(lane.name, `no browser; install ${BROWSERS.join(' or ')} to run it`);
      continue;
    }
    if (lane.mongodb === 'optional' && flags['no-mongodb']) {
      tally.notProven(`${lane.name} (mongo)`, '--no-mongodb');
    }
    tally.add(lane.name, await runFiles(lane, files));
  }
}

async function runFiles(lane, files, options = {}) {
  if (files.length === 0) return { passed: 0, failed: 1, notes: [`✗ ${lane.name} has no file`] };
  return runLane(lane, files, {
    outdir,
    grep: flags.grep,
    env: await laneEnvironment(lane),
    ...(lane.covered && whole() ? { coverageDir } : {}),
    ...options,
  });
}

/** The deployment that MONGODB_URI names, or a server for each test file that wants one. */
async function laneEnvironment(lane) {
  if (lane.mongodb === 'none' || flags['no-mongodb']) return { SYNC_TEST_MONGODB_URI: '' };
  if (mongodb === undefined) {
    const { startMongo } = await import('./mongodb.mjs');
    mongodb = await startMongo();
    process.stdout.write(`MongoDB of the tests: ${mongodb.kind}\n`);
    await mongodb.stop();
  }
  if (mongodb.pid === undefined) return { SYNC_TEST_MONGODB_URI: mongodb.uri };
  mkdirSync(stalls, { recursive: true });
  const preload = pathToFileURL(inRoot('scripts/lib/mongodb-of-file.mjs')).href;
  return {
    SYNC_TEST_MONGODB: 'own',
    SYNC_TEST_STALLS: stalls,
    NODE_OPTIONS: `--import=${preload}`,
  };
}

/** The same bundles on newer versions of Node, whose built-in SQLite the store then uses. */
async function otherNodes(plan) {
  for (const version of NODE_VERSIONS) {
    const name = `node ${version.split('.')[0]}`;
    const { node, reason } = await installNode(version);
    if (node === undefined) {
      tally.notProven(name, reason);
      continue;
    }
    for (const { lane, files } of plan) {
      if (!REPEATED_LANES.includes(lane.name)) continue;
      const repeated = { ...lane, name: `${lane.name} ${name}` };
      tally.add(repeated.name, await runFiles(repeated, files, { node, coverageDir: undefined }));
    }
  }
}

/** Removes build folders whose run no longer exists (it was killed). */
function removeStaleBuilds() {
  mkdirSync(inRoot('build'), { recursive: true });
  for (const name of readdirSync(inRoot('build'))) {
    const pid = /^test-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      rmSync(inRoot('build', name), { recursive: true, force: true });
    }
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function cleanUp() {
  if (!flags.keep) rmSync(outdir, { recursive: true, force: true });
}
