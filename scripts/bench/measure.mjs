/** Timing helpers of the benchmark: medians, interleaved rounds, one JSON line per figure. */

import { cpus, totalmem } from 'node:os';

/** Median of numbers. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which `share` of the numbers are. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Milliseconds that `work` takes. */
export async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Runs both sides in turn, A B A B …, after one warm-up of each, and returns both medians with the
 * median of the ratios round by round: a machine whose speed drifts changes both sides alike.
 */
export async function interleaved(rounds, ours, baseline) {
  await ours();
  await baseline();
  const figures = { ours: [], baseline: [] };
  for (let round = 0; round < rounds; round += 1) {
    figures.ours.push(await ours());
    figures.baseline.push(await baseline());
  }
  return ratioFacts(figures.ours, figures.baseline);
}

/** Both medians, and the median of the ratios round by round. */
export function ratioFacts(ours, baseline) {
  const ratios = ours.map((value, round) => value / baseline[round]);
  return {
    ours: median(ours),
    baseline: median(baseline),
    ratio: median(ratios),
    ratio_min: Math.min(...ratios),
    ratio_max: Math.max(...ratios),
  };
}

/** Facts with the goal of being at most `times` the baseline. */
export function within(facts, times) {
  return { ...facts, goal: `≤ ${times}`, met: facts.ratio <= times };
}

/** Collects figures and prints each as a JSON line. */
export class Report {
  lines = [];

  /** One figure. `goal` is a text like "≤ 1.5" or null; `met` is null without a goal. */
  add(figure) {
    const line = roundNumbers(figure);
    this.lines.push(line);
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}

/** The line that says which machine the figures are from. */
export function hardwareLine() {
  return {
    kind: 'hardware',
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    date: new Date().toISOString().slice(0, 10),
  };
}

function roundNumbers(object) {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [
      key,
      typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
    ]),
  );
}
