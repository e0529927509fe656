/**
 * esbuild settings shared by the product and its tests.
 *
 * Everything is bundled flat into one directory, so a worker is found beside the code that starts it
 * with `new URL('./writer-worker.js', import.meta.url)` in the product and in the tests alike.
 */

import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ROOT, inRoot } from './paths.mjs';

/** Worker entries that the embedded store starts by name. */
export const WORKER_ENTRIES = {
  'writer-worker': 'src/storage/embedded/writer-worker.ts',
  'reader-worker': 'src/storage/embedded/reader-worker.ts',
};

/** What `dist` holds, by the name of its file. */
export const PRODUCT_ENTRIES = {
  cli: 'src/cli/main.ts',
  index: 'src/index.ts',
  ...WORKER_ENTRIES,
};

/** Keeps the entries whose file exists and names the others on stderr. */
export function existingEntries(entries) {
  const kept = {};
  for (const [name, file] of Object.entries(entries)) {
    if (existsSync(inRoot(file))) kept[name] = file;
    else process.stderr.write(`left out: ${file} does not exist\n`);
  }
  return kept;
}

/**
 * Bundles entries (name → source file) into one flat directory.
 * Returns esbuild's metafile. Packages stay external; shared modules land in chunks once.
 */
export async function bundleFlat(entries, outdir, { define, ...options } = {}) {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: inRoot(file), out })),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    chunkNames: '[name]-[hash]',
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
    define: { __CONSOLE_SCRIPT__: JSON.stringify(await consoleScript()), ...define },
    ...options,
  });
  return result.metafile;
}

/** The script of the page at /console, which stands in the page itself. */
async function consoleScript() {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [inRoot('src/console/main.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    charset: 'ascii',
    minifyWhitespace: true,
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** Names of the files that a build wrote into its directory. */
export function outputNames(metafile) {
  return new Set(Object.keys(metafile.outputs).map((file) => path.basename(file)));
}

/** Bundles one module and imports it: how a script reads values out of TypeScript. */
export async function importTypeScript(file) {
  const outfile = inRoot('build', `import-${process.pid}-${path.basename(file, '.ts')}.mjs`);
  await build({
    absWorkingDir: ROOT,
    entryPoints: [inRoot(file)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    logLevel: 'warning',
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile, { force: true });
  }
}
