/** Runs test files inside this process: `node one-process.mjs <file…>`. A file that fails to load is a failed test. */

import test from 'node:test';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

for (const file of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(path.resolve(file)).href);
  } catch (error) {
    test(`${path.basename(file)} loads`, () => {
      throw error;
    });
  }
}
