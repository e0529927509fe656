/** Times as people write them: `15m`, an ISO date, an HLC, `0`. */

import { formatHlc, HLC_TIME_MAX, type Hlc, isHlc, ZERO_HLC } from '../protocol/pure/hlc.ts';

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `15m`, `1h`, `7d` in ms; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] as string] as number);
}

/** The version after which `--since` starts; undefined when the text is none of the known forms. */
export function parseSince(text: string, nowMs: number): Hlc | undefined {
  if (text === '0') return ZERO_HLC;
  if (isHlc(text)) return text;
  const age = parseDuration(text);
  if (age !== undefined) return atTime(nowMs - age);
  const isDate = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;
  return isDate.test(text) ? atTime(Date.parse(text)) : undefined;
}

function atTime(ms: number): Hlc | undefined {
  if (Number.isNaN(ms) || ms > HLC_TIME_MAX) return undefined;
  return formatHlc({ p: Math.max(0, ms), c: 0, node: '' });
}
