/** The dependency rules hold, and each of them would notice the import it forbids. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import { inRoot } from '../../scripts/lib/paths.mjs';

/** The cruiser reports success on nothing when it cannot read TypeScript; this many are there at least. */
const MODULES_MIN = 80;
const CRUISE_LIMIT_MS = 60_000;
const RULES_FILE = inRoot('config/dependency-rules.cjs');

interface CruiseSummary {
  readonly totalCruised: number;
  readonly violations: readonly {
    readonly from: string;
    readonly to: string;
    readonly rule: { readonly name: string };
  }[];
}

/** One forbidden import per rule: the file that holds it and what it imports. */
const PLANTED: readonly (readonly [rule: string, file: string, imported: string])[] = [
  ['R1-protocol-imports-only-zod', 'src/protocol/a.ts', 'hono'],
  ['R1-pure-imports-nothing', 'src/protocol/pure/a.ts', 'zod'],
  ['R2-core-stays-pure', 'src/core/a.ts', '../http/planted.ts'],
  ['R2-core-has-no-packages', 'src/core/b.ts', 'node:fs'],
  ['R3-adapters-know-ports-only', 'src/storage/mongo/a.ts', '../embedded/planted.ts'],
  ['R3-adapters-know-ports-only', 'src/auth/a.ts', '../core/engine.ts'],
  ['R5-http-enters-through-the-engine', 'src/http/a.ts', '../core/push/planted.ts'],
  ['R6-configuration-stays-outside', 'src/storage/embedded/a.ts', '../../config/planted.ts'],
  ['R7-one-composition-root', 'src/config/a.ts', '../compose.ts'],
  ['R7-adapters-meet-in-compose', 'src/cli/a.ts', '../storage/mongo/planted.ts'],
  ['R8-commands-do-not-decide', 'src/cli/b.ts', '../core/push/planted.ts'],
  ['R9-client-takes-values-from-pure-only', 'src/client/a.ts', '../protocol/planted.ts'],
  ['R9-console-runs-in-a-browser', 'src/console/a.ts', '../http/planted.ts'],
  ['R10-no-cycles', 'src/cli/cycle-a.ts', './cycle-b.ts'],
  ['R11-product-never-imports-tests', 'src/cli/c.ts', '../../test/planted.ts'],
  ['R11-compat-files-are-alone', 'src/http/compat/a.ts', './b.ts'],
  ['R12-no-dev-packages', 'src/cli/d.ts', 'fast-check'],
  ['imports-resolve', 'src/cli/e.ts', './absent.ts'],
];

/** Modules that planted imports point at. */
const TARGETS = [
  'src/http/planted.ts',
  'src/http/compat/b.ts',
  'src/core/engine.ts',
  'src/core/push/planted.ts',
  'src/protocol/planted.ts',
  'src/storage/mongo/planted.ts',
  'src/storage/embedded/planted.ts',
  'src/config/planted.ts',
  'src/compose.ts',
  'test/planted.ts',
];

function cruise(folder: string, roots: readonly string[]): CruiseSummary {
  const tool = inRoot('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const output = execFileSync(
    process.execPath,
    [tool, '--config', RULES_FILE, '--output-type', 'json', ...roots],
    { cwd: folder, encoding: 'utf8', timeout: CRUISE_LIMIT_MS, maxBuffer: 64 * 1024 * 1024 },
  );
  return (JSON.parse(output) as { summary: CruiseSummary }).summary;
}

function forbiddenPackages(): string[] {
  const { forbidden } = createRequire(inRoot('package.json'))(RULES_FILE) as {
    forbidden: { name: string; to: { path: string } }[];
  };
  return forbidden
    .filter((rule) => rule.name.startsWith('R4-'))
    .map((rule) =>
      rule.to.path
        .replace(/^.*node_modules\/\)/, '')
        .replace('(/|$)', '')
        .replace('\\', ''),
    );
}

function plant(folder: string): string[] {
  const write = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  const packages = forbiddenPackages();
  const dependencies = Object.fromEntries(packages.map((name) => [name, '1.0.0']));
  write(
    'package.json',
    JSON.stringify({ dependencies, devDependencies: { 'fast-check': '1.0.0' } }),
  );
  write(
    'tsconfig.json',
    JSON.stringify({ compilerOptions: { allowImportingTsExtensions: true, noEmit: true } }),
  );
  for (const name of [...packages, 'fast-check']) {
    write(
      `node_modules/${name}/package.json`,
      JSON.stringify({ name, version: '1.0.0', main: 'index.js' }),
    );
    write(`node_modules/${name}/index.js`, 'module.exports = {};\n');
  }
  for (const file of TARGETS) write(file, 'export const planted = 1;\n');
  for (const [, file, imported] of PLANTED)
    write(file, `import '${imported}';\nexport const a = 1;\n`);
  write('src/cli/cycle-b.ts', "import './cycle-a.ts';\nexport const b = 1;\n");
  for (const name of packages) {
    write(
      `src/core/imports-${name.replace(/\W/g, '')}.ts`,
      `import '${name}';\nexport const a = 1;\n`,
    );
  }
  return packages.map((name) => `R4-${name.replace(/[@/]/g, '')}-in-one-place`);
}

test('[AR-1] every module keeps the dependency rules, and the cruiser saw them', () => {
  const { violations, totalCruised } = cruise(inRoot(), ['src', 'test', 'bin']);
  assert.deepEqual(
    violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
    [],
  );
  assert.ok(totalCruised >= MODULES_MIN, `only ${totalCruised} modules were cruised`);
});

test('[AR-2] each dependency rule notices the import that it forbids', () => {
  mkdirSync(inRoot('build'), { recursive: true });
  const folder = mkdtempSync(inRoot('build/planted-'));
  try {
    const packageRules = plant(folder);
    const { violations } = cruise(folder, ['src', 'test']);
    const seen = new Set(violations.map(({ rule, from }) => `${rule.name} ${from}`));
    const missed = PLANTED.filter(([rule, file]) => !seen.has(`${rule} ${file}`)).map(String);
    const names = new Set(violations.map(({ rule }) => rule.name));
    missed.push(...packageRules.filter((rule) => !names.has(rule)));
    assert.deepEqual(missed, []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
