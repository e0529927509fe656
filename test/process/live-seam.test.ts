/** The seam as a property, at length. */

import test from 'node:test';
import { runSeams } from '../support/engine/live-runs.ts';

test('[LD-1] 10,000 runs of pushes, readers and a bad feed: each row once and in order', () =>
  runSeams(10_000));
