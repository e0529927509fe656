/** The package says exactly what it needs and ships only what is there. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { PACKAGE_VERSION } from '../../src/build-info.ts';
import { source, sources } from './support/sources.ts';

interface Manifest {
  readonly version: string;
  readonly files: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as Manifest;

test('[AR-18] every dependency is pinned to one version', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const loose = Object.entries({
    ...dependencies,
    ...devDependencies,
    ...optionalDependencies,
  }).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version));
  assert.deepEqual(loose, []);
});

test('[AR-18] every dependency of the product is named in the README with its purpose', () => {
  const readme = source('README.md').text;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  assert.deepEqual(
    names.filter((name) => !readme.includes(`\`${name}\``)),
    [],
  );
});

test('[AR-18] the version that --version prints is the one of the package', () => {
  assert.equal(PACKAGE_VERSION, manifest.version);
});

test('[AR-18] CHANGELOG.md has an entry for this version', () => {
  assert.match(
    source('CHANGELOG.md').text,
    new RegExp(`^## ${manifest.version.replaceAll('.', '\\.')}\\b`, 'm'),
  );
});

test('[AR-18] commands that the documents show are scripts of the package', () => {
  const shown = [
    source('README.md'),
    source('CONTRIBUTING.md'),
    ...sources(['docs'], ['.md']),
  ].flatMap(({ file, text }) =>
    [...text.matchAll(/npm run ([a-z:-]+)/g)].map((match) => ({ file, script: match[1] ?? '' })),
  );
  assert.deepEqual(
    shown.filter(({ script }) => !(script in manifest.scripts)),
    [],
  );
});
