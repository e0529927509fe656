/**
 * Builds the product: `dist/*.js` (flat, code split) and `dist/types` (declarations).
 *
 * Usage: `node scripts/build.mjs [--js]`. With `--js` the declarations are left out (well under 2 s).
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { PRODUCT_ENTRIES, bundleFlat, existingEntries, outputNames } from './lib/bundle.mjs';
import { inRoot } from './lib/paths.mjs';
import { runProcess } from './lib/run-process.mjs';

const DECLARATION_LIMIT_MS = 180_000;

/** Bundles the JavaScript. Old outputs go last, so that a running process keeps its chunks meanwhile. */
export async function buildJavaScript() {
  mkdirSync(inRoot('dist'), { recursive: true });
  const metafile = await bundleFlat(existingEntries(PRODUCT_ENTRIES), inRoot('dist'), {
    define: { __BUILD_DATE__: JSON.stringify(buildDate()) },
  });
  writeFileSync(inRoot('dist/meta.json'), JSON.stringify(metafile));
  const written = outputNames(metafile);
  for (const entry of readdirSync(inRoot('dist'))) {
    if (/\.js(\.map)?$/.test(entry) && !written.has(entry)) rmSync(inRoot('dist', entry));
  }
  return metafile;
}

/** The day of the build: a clock that says less is wrong. Whole days keep repeated builds equal. */
function buildDate() {
  const seconds = process.env.SOURCE_DATE_EPOCH;
  const time = seconds === undefined ? Date.now() : Number(seconds) * 1000;
  return `${new Date(time).toISOString().slice(0, 10)}T00:00:00Z`;
}

/** Writes the declarations with tsc. Throws when it finds an error. */
export async function buildDeclarations() {
  rmSync(inRoot('dist/types'), { recursive: true, force: true });
  const result = await runProcess(
    process.execPath,
    [inRoot('node_modules/typescript/bin/tsc'), '-p', inRoot('config/tsconfig.types.json')],
    { limitMs: DECLARATION_LIMIT_MS },
  );
  if (result.code !== 0) throw new Error('tsc could not write the declarations');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const started = performance.now();
  await buildJavaScript();
  if (!process.argv.includes('--js')) await buildDeclarations();
  process.stderr.write(`built dist in ${Math.round(performance.now() - started)} ms\n`);
}
