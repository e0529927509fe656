/** Runs a fast-check property with a seed that the test output names, so that every run can be repeated. */

import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';
import fc from 'fast-check';

const SEED_MAX = 2 ** 31 - 1;

/**
 * Checks `property`. `SYNC_TEST_SEED` repeats a run; `path` from a failure's report narrows it to the
 * counterexample. `runs` is per property: keep the lane fast.
 */
export function checkLaw<T>(t: TestContext, property: fc.IProperty<T>, runs = 500): void {
  const seed = Number(process.env['SYNC_TEST_SEED'] ?? randomInt(SEED_MAX));
  t.diagnostic(`seed ${seed}`);
  fc.assert(property, { seed, numRuns: runs });
}
