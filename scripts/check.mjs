/** Static checks: types, lint and format, dependency rules, dead code, drift of generated files. */

import { pathToFileURL } from 'node:url';
import { inRoot } from './lib/paths.mjs';
import { runProcess } from './lib/run-process.mjs';

const CHECK_LIMIT_MS = 180_000;

const CHECKS = [
  { name: 'types', tool: 'node_modules/typescript/bin/tsc', args: ['--noEmit', '-p', '.'] },
  {
    name: 'lint and format',
    tool: 'node_modules/@biomejs/biome/bin/biome',
    args: ['ci', '--colors=off', '--max-diagnostics=100', '.'],
  },
  {
    name: 'dependency rules',
    tool: 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
    args: ['--config', 'config/dependency-rules.cjs', 'src', 'test', 'bin'],
  },
  {
    name: 'dead code',
    tool: 'node_modules/knip/bin/knip.js',
    args: ['--config', 'config/knip.json', '--no-progress'],
  },
  { name: 'generated files', tool: 'scripts/generate.mjs', args: ['--check'] },
];

/** Runs every check, prints what a failing one said, and returns `[{name, ok}]`. */
export async function runChecks() {
  const results = [];
  for (const { name, tool, args } of CHECKS) {
    const { code, output } = await runProcess(process.execPath, [inRoot(tool), ...args], {
      limitMs: CHECK_LIMIT_MS,
      capture: true,
    });
    if (code !== 0) process.stdout.write(`\n✗ ${name}\n${output}\n`);
    results.push({ name, ok: code === 0 });
  }
  return results;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const results = await runChecks();
  for (const { name, ok } of results) process.stdout.write(`${ok ? '✓' : '✗'} ${name}\n`);
  process.exitCode = results.every((one) => one.ok) ? 0 : 1;
}
