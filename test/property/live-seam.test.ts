/** The seam as a property; the process lane runs it ten times as often. */

import test from 'node:test';
import { runSeams } from '../support/engine/live-runs.ts';

test('[LD-1] 1,000 runs of pushes, readers and a bad feed: each row once and in order', () =>
  runSeams(1_000));
