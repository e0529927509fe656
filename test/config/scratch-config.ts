/** A folder of its own for each test, with a file in it, and the fault that loading it gives. */

import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ConfigError, type ConfigProblem } from '../../src/config/config-error.ts';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../../src/config/load-config.ts';

/** Files by name, written into a fresh folder that is removed after the test. */
export function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sync-config-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // Ends the search upwards, so that a stray file of the machine is never found.
  writeFileSync(join(folder, 'package.json'), '{"name":"scratch"}');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Loads `sync.config.yaml` with this text. */
export function loadYaml(
  t: TestContext,
  text: string,
  options: Partial<LoadOptions> = {},
): Promise<LoadedConfig> {
  const cwd = folderWith(t, { 'sync.config.yaml': text });
  return loadConfig({ cwd, env: {}, ...options });
}

/** The faults of loading; fails when there is none. */
export async function faultsOf(loading: Promise<unknown>): Promise<readonly ConfigProblem[]> {
  const error = await loading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ConfigError, `expected a ConfigError, got ${String(error)}`);
  return error.problems;
}
