/**
 * Measures speed as ratios against a named baseline in the same run, and prints JSON lines.
 *
 * Usage: `npm run bench [-- embedded http live mongo adoption] [-- --write]`. `--write` records the run in
 * docs/bench.jsonl and renders docs/BENCHMARKS.md from it. Parts of `live` can be named alone: propagation,
 * fan-out, storm, idle, nodes. Nothing here gates a build.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { hardwareLine, Report } from './bench/measure.mjs';
import { renderBenchmarks } from './bench/render.mjs';
import { buildJavaScript } from './build.mjs';
import { bundleFlat, WORKER_ENTRIES } from './lib/bundle.mjs';
import { inRoot } from './lib/paths.mjs';

const GROUPS = ['embedded', 'http', 'live', 'mongo', 'adoption'];
const LIVE_PARTS = ['propagation', 'fan-out', 'storm', 'idle', 'nodes'];
const RECORD = inRoot('docs/bench.jsonl');

const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const groups = wanted.length === 0 ? GROUPS : GROUPS.filter((group) => wanted.includes(group));
const liveParts = LIVE_PARTS.filter((part) => wanted.includes(part));
// Servers end with this process, which a signal alone would not let happen.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
await buildJavaScript();
await bundleFlat(
  {
    'in-process': 'scripts/bench/in-process.mjs',
    mongo: 'scripts/bench/mongo.mjs',
    adoption: 'scripts/bench/adoption.mjs',
    ...WORKER_ENTRIES,
  },
  inRoot('build/bench'),
);

const report = new Report();
report.add(hardwareLine());
if (groups.includes('embedded')) {
  const { embeddedScenarios } = await importBuilt('in-process');
  await embeddedScenarios(report);
}
if (groups.includes('http')) {
  const { httpScenarios } = await import('./bench/http.mjs');
  await httpScenarios(report);
}
if (groups.includes('live') || liveParts.length > 0) {
  const { liveScenarios } = await import('./bench/live/live.mjs');
  await liveScenarios(report, groups.includes('live') ? [] : liveParts);
}
if (groups.includes('mongo') || groups.includes('adoption')) {
  const { startMongo } = await import('./mongodb.mjs');
  const { mongoScenarios } = await importBuilt('mongo');
  const { adoptionScenarios } = await importBuilt('adoption');
  const server = await startMongo({ syncOnCommit: true });
  try {
    if (groups.includes('mongo')) await mongoScenarios(report, server);
    if (groups.includes('adoption')) await adoptionScenarios(report, server);
  } finally {
    await server.stop();
  }
}
if (process.argv.includes('--write')) record(report.lines);

/** Keeps the figures of groups that this run did not measure. */
function record(lines) {
  const names = new Set(lines.map((line) => line.scenario));
  const kept = readLines().filter((line) => line.scenario && !names.has(line.scenario));
  const all = [...lines, ...kept];
  writeFileSync(RECORD, `${all.map((line) => JSON.stringify(line)).join('\n')}\n`);
  writeFileSync(inRoot('docs/BENCHMARKS.md'), renderBenchmarks(all));
}

function readLines() {
  try {
    return readFileSync(RECORD, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}

function importBuilt(name) {
  return import(pathToFileURL(inRoot(`build/bench/${name}.js`)).href);
}
