#!/usr/bin/env node
/**
 * Loads the built command line. In a fresh checkout there is nothing built yet: it is built once,
 * so that the first command after `npm ci` works.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `error: Node ${process.versions.node} is too old\nfix: use Node 20.19 or newer\n`,
  );
  process.exit(1);
}

const built = new URL('../dist/cli.js', import.meta.url);
if (!existsSync(built)) build();
await import(built.href);

function build() {
  const script = fileURLToPath(new URL('../scripts/build.mjs', import.meta.url));
  const tools = new URL('../node_modules/esbuild/package.json', import.meta.url);
  if (existsSync(script) && existsSync(tools)) {
    process.stderr.write('building once …\n');
    spawnSync(process.execPath, [script, '--js'], { stdio: ['ignore', 2, 2] });
  }
  if (existsSync(built)) return;
  process.stderr.write('error: offline-sync is not built\nfix: npm ci && npm run build\n');
  process.exit(1);
}
