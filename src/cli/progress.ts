/**
 * How far long work is: one line that is rewritten on a terminal, a line every few seconds without
 * one, an event per step with --json, nothing with --quiet. Knows nothing about the work.
 */

import type { Clock } from '../core/ports/system.ts';

/** Where progress goes; `Output` is one. */
export interface ProgressOutput {
  readonly json: boolean;
  readonly quiet: boolean;
  /** True when the line on stderr can be rewritten, and how wide it may be. */
  readonly rewrites: boolean;
  readonly statusColumns: number;
  /** Shows the line in place of the one before; null takes it away. */
  status(line: string | null): void;
  info(line: string): void;
  jsonLine(value: unknown): Promise<void>;
}

/** What is being done. */
export interface ProgressOptions {
  /** The work in two words, such as `import tasks`. */
  readonly label: string;
  /** What is counted, such as `documents`. */
  readonly unit: string;
  /** How many there will be; null when nobody knows. */
  readonly total: number | null;
  /** How many were done before this run (a resumed one): they say nothing about its speed. */
  readonly from?: number;
  readonly clock: Pick<Clock, 'monotonic'>;
}

/** Where the work stands. */
export interface ProgressState {
  readonly done: number;
  /** Part of the work that is done, 0 to 1, when it is known better than by `done` and `total`. */
  readonly part?: number;
  /** A total that became known, or changed. */
  readonly total?: number | null;
  /** Further counts by name, such as `{rejected: 3}`; zeros are left out for people. */
  readonly counts?: Readonly<Record<string, number>>;
}

/** Shows progress until `end`. */
export interface Progress {
  /** Call it after each step, as often as there are steps; it decides what is shown. */
  update(state: ProgressState): Promise<void>;
  /** Takes the line away. The result of the work is the caller's to print. */
  end(): void;
}

/** The numbers of one event of `--json`, also what a line is made of. */
interface Measured {
  readonly done: number;
  readonly total: number | null;
  readonly part: number | null;
  readonly per_second: number | null;
  readonly seconds_left: number | null;
  readonly counts: Readonly<Record<string, number>>;
}

const REWRITE_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
/** The rate is that of the last half minute, so that a change of speed shows. */
const SAMPLE_EVERY_MS = 1_000;
const SAMPLES_MAX = 30;
const BAR_WIDTH_MAX = 24;
const BAR_WIDTH_MIN = 6;

/** Starts the clock. With --json every update is one event `progress` on stdout. */
export function createProgress(output: ProgressOutput, options: ProgressOptions): Progress {
  const { label, unit, clock } = options;
  const pace = new Pace(clock, options.from ?? 0);
  let total = options.total;
  let shownAt = output.rewrites ? Number.NEGATIVE_INFINITY : clock.monotonic();
  return {
    async update(state) {
      if (state.total !== undefined) total = state.total;
      const measured = pace.measure(state, total);
      if (output.quiet) return;
      if (output.json) {
        await output.jsonLine({ event: 'progress', label, unit, ...measured });
        return;
      }
      const now = clock.monotonic();
      if (now - shownAt < (output.rewrites ? REWRITE_EVERY_MS : LINE_EVERY_MS)) return;
      shownAt = now;
      if (output.rewrites) output.status(fit(options, measured, output.statusColumns));
      else output.info(`${label}: ${describe(unit, measured)}`);
    },
    end() {
      if (output.rewrites) output.status(null);
    },
  };
}

/** Speed and remaining time from a window of samples. */
class Pace {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #samples: { readonly at: number; readonly done: number; readonly part: number }[];

  constructor(clock: Pick<Clock, 'monotonic'>, from: number) {
    this.#clock = clock;
    this.#samples = [{ at: clock.monotonic(), done: from, part: 0 }];
  }

  measure(state: ProgressState, total: number | null): Measured {
    const { done, counts = {} } = state;
    const part = partOf(state, total);
    const at = this.#clock.monotonic();
    const first = this.#samples[0] as { at: number; done: number; part: number };
    // What was done before this run is known only with the total.
    const firstPart =
      total !== null && total > 0 ? Math.max(first.part, first.done / total) : first.part;
    const seconds = (at - first.at) / 1_000;
    const moved = part === null ? 0 : part - firstPart;
    const last = this.#samples.at(-1) as { at: number };
    if (at - last.at >= SAMPLE_EVERY_MS) {
      this.#samples.push({ at, done, part: part ?? 0 });
      if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    }
    return {
      done,
      total,
      part,
      per_second: seconds > 0 ? round((done - first.done) / seconds) : null,
      seconds_left:
        part !== null && seconds > 0 && moved > 0
          ? wholeSeconds(((1 - part) / moved) * seconds)
          : null,
      counts,
    };
  }
}

function partOf({ done, part }: ProgressState, total: number | null): number | null {
  if (part !== undefined) return Math.min(1, Math.max(0, part));
  return total === null || total <= 0 ? null : Math.min(1, done / total);
}

/** Up, but not for the last bits of a division. */
function wholeSeconds(seconds: number): number {
  return Math.ceil(Math.round(seconds * 1_000) / 1_000);
}

function round(value: number): number {
  return value >= 10 ? Math.round(value) : Math.round(value * 10) / 10;
}

/** The line of a terminal: the bar takes the room that the text leaves, and what does not fit is cut. */
function fit({ label, unit }: ProgressOptions, measured: Measured, columns: number): string {
  const text = describe(unit, measured);
  const room = columns - 1 - `${label} [] ${text}`.length;
  const bar = measured.part !== null && room >= BAR_WIDTH_MIN ? barOf(measured.part, room) : '';
  return `${label} ${bar}${text}`.slice(0, Math.max(0, columns - 1));
}

function barOf(part: number, room: number): string {
  const width = Math.min(BAR_WIDTH_MAX, room);
  const filled = Math.floor(part * width);
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] `;
}

function describe(unit: string, measured: Measured): string {
  const { done, total, part, per_second, seconds_left, counts } = measured;
  const parts = [
    ...(part === null ? [] : [`${Math.floor(part * 100)} %`]),
    total === null ? `${grouped(done)} ${unit}` : `${grouped(done)} of ${grouped(total)} ${unit}`,
    ...(per_second === null ? [] : [`${grouped(per_second)}/s`]),
    ...(seconds_left === null ? [] : [`${duration(seconds_left)} left`]),
    ...Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${grouped(count)} ${name}`),
  ];
  return parts.join(', ');
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

/** `12 s`, `3 min 20 s`, `2 h 5 min`. */
function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
