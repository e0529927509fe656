/** Temporary folders that go when their test ends. */

import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';

/** A new folder of one test. Processes that use it must have ended before the test does. */
export function scratchFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sync-process-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}
