/** The coverage gate: lines of the engine and the protocol that the covered lanes executed. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { inRoot, listFiles } from './paths.mjs';
import { runProcess } from './run-process.mjs';

const LINES_MIN = 95;
const REPORT_LIMIT_MS = 180_000;

/** Reports with c8 from raw V8 coverage and compares with the floor. */
export async function coverageGate(rawDir) {
  const started = performance.now();
  namePathsPlainly(rawDir);
  const { code, output } = await runProcess(
    process.execPath,
    [
      inRoot('node_modules/c8/bin/c8.js'),
      'report',
      `--temp-directory=${rawDir}`,
      '--reporter=text',
      '--exclude-after-remap',
      '--all',
      '--src=src',
      '--include=src/core/**',
      '--include=src/protocol/**',
      '--exclude=src/core/ports/**',
      ...(await typeOnlyFiles()).map((file) => `--exclude=${file}`),
      '--check-coverage',
      `--lines=${LINES_MIN}`,
      '--functions=0',
      '--branches=0',
      '--statements=0',
    ],
    { limitMs: REPORT_LIMIT_MS, capture: true },
  );
  process.stdout.write(output);
  return {
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    seconds: (performance.now() - started) / 1000,
    notes: code === 0 ? [] : [`✗ lines of src/core and src/protocol are below ${LINES_MIN} %`],
  };
}

/** Files without a statement never run and would count as 0 %. */
async function typeOnlyFiles() {
  const files = [...listFiles('src/core'), ...listFiles('src/protocol')];
  const texts = await Promise.all(
    files.map(async (file) => {
      const source = readFileSync(inRoot(file), 'utf8');
      const { code } = await transform(source, { loader: 'ts', minify: true });
      return { file, code: code.replace(/export\s*\{\s*\};?/, '').trim() };
    }),
  );
  return texts.filter(({ code }) => code === '').map(({ file }) => file);
}

/**
 * Node names the sources of a map by `file:` URLs. c8 compares those with its patterns before it turns
 * them into paths, drops every count of a bundle with several sources, and calls such files fully covered.
 */
function namePathsPlainly(rawDir) {
  for (const name of readdirSync(rawDir)) {
    const file = path.join(rawDir, name);
    const raw = JSON.parse(readFileSync(file, 'utf8'));
    for (const { data } of Object.values(raw['source-map-cache'] ?? {})) {
      if (data === null || data === undefined) continue;
      data.sources = data.sources.map((source) =>
        source.startsWith('file://') ? fileURLToPath(source) : source,
      );
    }
    writeFileSync(file, JSON.stringify(raw));
  }
}
