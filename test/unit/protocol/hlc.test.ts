/** HLC: the tick at its edges, the raise, and what is refused. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  compareHlc,
  formatHlc,
  HLC_COUNTER_MAX,
  HLC_LENGTH_MAX,
  HLC_TIME_MAX,
  type Hlc,
  hlcAfter,
  isHlc,
  nextTick,
  parseHlc,
  ZERO_HLC,
} from '../../../src/protocol/pure/hlc.ts';

const NOON = Date.UTC(2026, 4, 2, 12);

test('[HL-4] a clock ahead of the head gives its own millisecond and counter 0', () => {
  assert.deepEqual(nextTick({ p: NOON, c: 7 }, NOON + 1), { p: NOON + 1, c: 0 });
  assert.deepEqual(nextTick({ p: NOON, c: 7 }, NOON + 1.9), { p: NOON + 1, c: 0 });
});

test('[HL-4] the same millisecond counts up', () => {
  assert.deepEqual(nextTick({ p: NOON, c: 0 }, NOON), { p: NOON, c: 1 });
  assert.deepEqual(nextTick({ p: NOON, c: 0 }, NOON + 0.9), { p: NOON, c: 1 });
});

test('[HL-4] a clock that stepped back freezes the time at the head and counts up', () => {
  assert.deepEqual(nextTick({ p: NOON, c: 3 }, NOON - 3_600_000), { p: NOON, c: 4 });
  assert.deepEqual(nextTick({ p: NOON, c: 3 }, -5), { p: NOON, c: 4 });
  assert.deepEqual(nextTick({ p: 0, c: 0 }, -5), { p: 0, c: 1 });
});

test('[HL-3] the last counter of a millisecond is used, the next tick takes the following one', () => {
  assert.deepEqual(nextTick({ p: NOON, c: HLC_COUNTER_MAX - 1 }, NOON), {
    p: NOON,
    c: HLC_COUNTER_MAX,
  });
  assert.deepEqual(nextTick({ p: NOON, c: HLC_COUNTER_MAX }, NOON), { p: NOON + 1, c: 0 });
});

test('[HL-3] 70,000 ticks under a stopped clock keep rising over the overflow (invariant 21)', () => {
  let tick = { p: NOON, c: 0 };
  let version = formatHlc({ ...tick, node: 'a1b2' });
  for (let i = 0; i < 70_000; i += 1) {
    tick = nextTick(tick, NOON);
    const next = formatHlc({ ...tick, node: 'a1b2' });
    if (!(version < next)) assert.fail(`${version} then ${next}`);
    version = next;
  }
  assert.deepEqual(tick, { p: NOON + 1, c: 70_000 - HLC_COUNTER_MAX - 1 });
});

test('[CR-3] raising a stamp counts up, or takes the next millisecond, and keeps the node', () => {
  const after = (text: string): string => hlcAfter(text as Hlc);
  assert.equal(after('20260502T120000.000Z-0001-a1b2'), '20260502T120000.000Z-0002-a1b2');
  assert.equal(after('20260502T120000.999Z-ffff-a1b2'), '20260502T120001.000Z-0000-a1b2');
  assert.equal(after('20260502T120000.000Z-0001'), '20260502T120000.000Z-0002');
  assert.throws(() => after('nonsense'), RangeError);
});

test('[HL-2] the empty version counts as the zero HLC', () => {
  assert.equal(compareHlc('', ZERO_HLC), 0);
  assert.equal(compareHlc(ZERO_HLC, ''), 0);
  assert.ok(compareHlc('', '19700101T000000.000Z-0001' as Hlc) < 0);
});

test('[HL-1] the zero HLC and the longest HLC are valid; one character more is not', () => {
  assert.deepEqual(parseHlc(ZERO_HLC), { p: 0, c: 0, node: '' });
  const longest = formatHlc({ p: HLC_TIME_MAX, c: HLC_COUNTER_MAX, node: 'zzzzzzzzzzzz' });
  assert.equal(longest.length, HLC_LENGTH_MAX);
  assert.equal(isHlc(longest), true);
  assert.equal(isHlc(`${longest}z`), false);
});

test('[HL-1] only strings parse', () => {
  for (const value of [undefined, null, 0, 20260502, true, {}, [ZERO_HLC], new String(ZERO_HLC)]) {
    assert.equal(parseHlc(value), undefined);
  }
});

test('[HL-1] a time outside 1970–9999 cannot be formatted', () => {
  for (const p of [-1, HLC_TIME_MAX + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => formatHlc({ p, c: 0, node: '' }), RangeError);
  }
});
