/** Runs test files inside this process: `node one-process.mjs <file…>`. A file that fails to load is a failed test. */

import test, { after } from 'node:test';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

// A test may wait for work whose handles do not hold the process (an idle worker's answer).
const hold = setInterval(() => {}, 60_000);
after(() => clearInterval(hold));

for (const file of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(path.resolve(file)).href);
  } catch (error) {
    test(`${path.basename(file)} loads`, () => {
      throw error;
    });
  }
}
