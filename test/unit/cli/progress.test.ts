/** Progress of long work on a terminal, in a pipe, as events, and not at all. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { createProgress, type ProgressOutput } from '../../../src/cli/progress.ts';
import { FakeClock } from '../../support/engine/fake-system.ts';

type Kind = Partial<Pick<ProgressOutput, 'json' | 'quiet' | 'rewrites' | 'statusColumns'>>;

function shown(kind: Kind = {}) {
  const lines: string[] = [];
  const statuses: (string | null)[] = [];
  const events: unknown[] = [];
  const output: ProgressOutput = {
    json: false,
    quiet: false,
    rewrites: false,
    statusColumns: 120,
    ...kind,
    status: (line) => statuses.push(line),
    info: (line) => lines.push(line),
    jsonLine: async (value) => {
      events.push(value);
    },
  };
  return { output, lines, statuses, events };
}

const TASKS = { label: 'import tasks', unit: 'documents' };

test('[IM-1] a terminal gets one line with a bar, the rate and the remaining time', async () => {
  const clock = new FakeClock();
  const { output, statuses, lines } = shown({ rewrites: true });
  const progress = createProgress(output, { ...TASKS, total: 4_000, clock });
  await progress.update({ done: 0 });
  clock.pass(10_000);
  await progress.update({ done: 1_000, counts: { rejected: 0 } });
  clock.pass(99);
  await progress.update({ done: 1_010 });
  clock.pass(1);
  await progress.update({ done: 2_000, counts: { rejected: 1_200 } });
  progress.end();
  assert.deepEqual(statuses, [
    'import tasks [........................] 0 %, 0 of 4,000 documents',
    'import tasks [######..................] 25 %, 1,000 of 4,000 documents, 100/s, 30 s left',
    'import tasks [############............] 50 %, 2,000 of 4,000 documents, 198/s, 11 s left, 1,200 rejected',
    null,
  ]);
  assert.deepEqual(lines, []);
});

test('[IM-1] the bar shrinks and goes first, then the end of the line, where the terminal is narrow', async () => {
  const widths = async (statusColumns: number) => {
    const { output, statuses } = shown({ rewrites: true, statusColumns });
    const progress = createProgress(output, { ...TASKS, total: 10, clock: new FakeClock() });
    await progress.update({ done: 5 });
    return statuses[0];
  };
  assert.equal(
    await widths(80),
    `import tasks [${'#'.repeat(12)}${'.'.repeat(12)}] 50 %, 5 of 10 documents`,
  );
  assert.equal(await widths(46), 'import tasks [###...] 50 %, 5 of 10 documents');
  assert.equal(await widths(45), 'import tasks 50 %, 5 of 10 documents');
  assert.equal(await widths(20), 'import tasks 50 %, ');
});

test('[IM-1] without a terminal there is a line every five seconds', async () => {
  const clock = new FakeClock();
  const { output, lines } = shown();
  const progress = createProgress(output, { ...TASKS, total: null, clock });
  for (let done = 100; done <= 1_200; done += 100) {
    clock.pass(1_000);
    await progress.update({ done });
  }
  progress.end();
  assert.deepEqual(lines, [
    'import tasks: 500 documents, 100/s',
    'import tasks: 1,000 documents, 100/s',
  ]);
});

test('[IM-1] with --json every step is an event, with --quiet there is nothing', async () => {
  const clock = new FakeClock();
  const { output, events, lines, statuses } = shown({ json: true });
  const progress = createProgress(output, { ...TASKS, total: null, clock });
  clock.pass(2_000);
  await progress.update({ done: 5, part: 0.5, counts: { rejected: 0 } });
  await progress.update({ done: 10, part: 1 });
  progress.end();
  const event = { event: 'progress', ...TASKS, total: null, per_second: 2.5, seconds_left: 2 };
  assert.deepEqual(events, [
    { ...event, done: 5, part: 0.5, counts: { rejected: 0 } },
    { ...event, done: 10, part: 1, per_second: 5, seconds_left: 0, counts: {} },
  ]);
  assert.deepEqual([lines, statuses], [[], []]);
  for (const json of [true, false]) {
    const silent = shown({ json, quiet: true });
    const quiet = createProgress(silent.output, { ...TASKS, total: 1, clock });
    clock.pass(60_000);
    await quiet.update({ done: 1 });
    assert.deepEqual([silent.lines, silent.statuses, silent.events], [[], [], []]);
  }
});

test('[IM-1] the rate is that of the last half minute, and what was done before this run is no speed', async () => {
  const clock = new FakeClock();
  const { output, events } = shown({ json: true });
  const progress = createProgress(output, { ...TASKS, total: 10_000, from: 5_000, clock });
  clock.pass(1_000);
  await progress.update({ done: 5_100 });
  let done = 5_100;
  for (let second = 0; second < 60; second += 1) {
    clock.pass(1_000);
    done += 10;
    await progress.update({ done });
  }
  const [first] = events as { per_second: number; seconds_left: number }[];
  assert.deepEqual([first?.per_second, first?.seconds_left], [100, 49]);
  const last = events.at(-1) as { per_second: number; seconds_left: number };
  assert.deepEqual([last.per_second, last.seconds_left], [10, 430]);
});

test('[IM-1] durations read as people say them', async () => {
  const left = async (seconds: number) => {
    const clock = new FakeClock();
    const { output, statuses } = shown({ rewrites: true });
    const progress = createProgress(output, { ...TASKS, total: seconds + 1, clock });
    clock.pass(1_000);
    await progress.update({ done: 1 });
    return /, ([^,]*) left/.exec(String(statuses[0]))?.[1];
  };
  assert.deepEqual(await Promise.all([59, 60, 200, 3_599, 7_500].map(left)), [
    '59 s',
    '1 min 0 s',
    '3 min 20 s',
    '59 min 59 s',
    '2 h 5 min',
  ]);
});
