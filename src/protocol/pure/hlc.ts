/**
 * Hybrid logical clock values: strict parse, format, compare and the tick.
 *
 * Form `YYYYMMDDTHHMMSS.mmmZ-CCCC[-NODE]`: UTC with fixed widths, a counter of four lower-case hex
 * digits and a node id of 4 to 12 characters `[0-9a-z]`. The two-part form of older servers is read,
 * never written. String order equals clock order because every part has a fixed width; a fifth
 * counter digit would break that, so an overflow advances the millisecond instead [HL-3].
 */

/** A checked HLC string. Compare with `compareHlc`; never with `localeCompare`. */
export type Hlc = string & { readonly __hlc: never };

/** The parts of an HLC: physical milliseconds since 1970, counter 0–65535, node id ("" in the two-part form). */
export interface HlcParts {
  readonly p: number;
  readonly c: number;
  readonly node: string;
}

/** "From the beginning", and on the wire the head of a scope that does not exist yet. */
export const ZERO_HLC = '19700101T000000.000Z-0000' as Hlc;

/** Largest counter value; the next one takes the following millisecond. */
export const HLC_COUNTER_MAX = 0xffff;

/** Largest physical time the fixed-width year can hold (9999-12-31T23:59:59.999Z), milliseconds. */
export const HLC_TIME_MAX = 253_402_300_799_999;

const PATTERN =
  /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})\.(\d{3})Z-([0-9a-f]{4})(?:-([0-9a-z]{4,12}))?$/;

/** The longest HLC string; longer input is refused before the pattern runs. */
export const HLC_LENGTH_MAX = 38;

/** Parses an HLC, calendar included. Returns undefined for anything else; never throws. */
export function parseHlc(text: unknown): HlcParts | undefined {
  if (typeof text !== 'string' || text.length > HLC_LENGTH_MAX) return undefined;
  const m = PATTERN.exec(text);
  if (m === null) return undefined;
  const [, year, month, day, hour, minute, second, ms, counter, node] = m as unknown as string[];
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(ms));
  const p = date.getTime();
  // A part out of its range rolls over into the next one, possibly beyond the last year.
  if (p < 0 || p > HLC_TIME_MAX || formatTime(p) !== text.slice(0, 20)) return undefined;
  return { p, c: Number.parseInt(counter as string, 16), node: node ?? '' };
}

/** True for a well-formed HLC string. */
export function isHlc(text: unknown): text is Hlc {
  return parseHlc(text) !== undefined;
}

/** Formats parts as an HLC; an empty node gives the two-part form. */
export function formatHlc(parts: HlcParts): Hlc {
  const counter = parts.c.toString(16).padStart(4, '0');
  const tail = parts.node === '' ? '' : `-${parts.node}`;
  return `${formatTime(parts.p)}-${counter}${tail}` as Hlc;
}

/** Order of two HLCs by parsed value: negative, zero or positive. "" counts as the zero HLC. */
export function compareHlc(a: Hlc | '', b: Hlc | ''): number {
  const left = a === '' ? ZERO_HLC : a;
  const right = b === '' ? ZERO_HLC : b;
  // Fixed widths make code-unit order equal to the order of the parts; a two-part value is a prefix
  // of its three-part siblings and so sorts before them.
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The version a row's `prev` must name so that a page joins a client's `since` ("" ≙ zero). [PL-2] */
export function joins(prev: Hlc | '', since: Hlc | ''): boolean {
  return compareHlc(prev, since) === 0;
}

/**
 * The smallest stamp that sorts above `below` and keeps its node id.
 * Used to raise an edit's stamp above the stamp of the content it edited.
 */
export function hlcAfter(below: Hlc): Hlc {
  const parts = parseHlc(below);
  if (parts === undefined) throw new RangeError('hlcAfter needs a valid HLC');
  return parts.c < HLC_COUNTER_MAX
    ? formatHlc({ ...parts, c: parts.c + 1 })
    : formatHlc({ p: parts.p + 1, c: 0, node: parts.node });
}

/**
 * One tick above `head` at the time `nowMs`: the same millisecond counts up, a full counter takes
 * the next millisecond, and a clock that stepped back freezes the physical part at the head's.
 */
export function nextTick(
  head: Pick<HlcParts, 'p' | 'c'>,
  nowMs: number,
): Pick<HlcParts, 'p' | 'c'> {
  const now = Math.max(0, Math.floor(nowMs));
  if (now > head.p) return { p: now, c: 0 };
  return head.c < HLC_COUNTER_MAX ? { p: head.p, c: head.c + 1 } : { p: head.p + 1, c: 0 };
}

/** The time formatted last: the rows of a bundle share their millisecond. */
let formatted = { ms: Number.NaN, text: '' };

function formatTime(ms: number): string {
  if (ms === formatted.ms) return formatted.text;
  if (!(ms >= 0 && ms <= HLC_TIME_MAX)) throw new RangeError('HLC time is outside 1970–9999');
  formatted = { ms, text: new Date(ms).toISOString().replace(/[-:]/g, '') };
  return formatted.text;
}
