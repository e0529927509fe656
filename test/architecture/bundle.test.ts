/** What starting the command line loads, read from esbuild's metafile: cheap commands stay cheap. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Metafile } from 'esbuild';
import { PRODUCT_ENTRIES, bundleFlat } from '../../scripts/lib/bundle.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';

/** Own modules that `--version` and `--help` may load. */
const MODULES_MAX = 30;
const HEAVY = [
  'mongodb',
  'hono',
  '@hono/node-server',
  'zod',
  'pino',
  'jose',
  'prom-client',
  'cosmiconfig',
  'yaml',
];

interface Loaded {
  readonly modules: ReadonlySet<string>;
  readonly packages: ReadonlySet<string>;
}

/** Everything an output loads at once: static imports of its chunks, dynamic ones left out. */
function loadedBy(metafile: Metafile, output: string, seen = new Set<string>()): Loaded {
  const modules = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const found = metafile.outputs[file];
    assert.ok(found !== undefined, `no output ${file}`);
    for (const input of Object.keys(found.inputs)) modules.add(input);
    for (const { path, kind, external } of found.imports) {
      if (kind === 'dynamic-import') continue;
      if (external === true) packages.add(path);
      else visit(path);
    }
  };
  visit(output);
  return { modules, packages };
}

async function build(): Promise<Metafile> {
  return bundleFlat(PRODUCT_ENTRIES, inRoot('build/metafile'), { write: false });
}

test('[AR-10] --version loads few modules and none of the heavy packages', async () => {
  const { modules, packages } = loadedBy(await build(), 'build/metafile/cli.js');
  assert.deepEqual(
    HEAVY.filter(
      (name) => packages.has(name) || [...packages].some((one) => one.startsWith(`${name}/`)),
    ),
    [],
  );
  assert.ok(modules.size <= MODULES_MAX, `${modules.size} modules: ${[...modules].join(', ')}`);
});

test('[AR-10] each command is a module of its own that is loaded when it runs', async () => {
  const { outputs } = await build();
  const lazy = Object.entries(outputs).filter(([, { entryPoint }]) =>
    entryPoint?.startsWith('src/cli/commands/'),
  );
  assert.ok(lazy.length >= 4, `only ${lazy.length} commands are loaded lazily`);
});

test('[AR-11] the product is flat: entries under their fixed names beside their chunks', async () => {
  const { outputs } = await build();
  const names = Object.keys(outputs).map((file) => file.replace('build/metafile/', ''));
  assert.deepEqual(
    names.filter((name) => name.includes('/')),
    [],
  );
  for (const entry of Object.keys(PRODUCT_ENTRIES)) assert.ok(names.includes(`${entry}.js`), entry);
});
