/** Laws of the hybrid logical clock: order, round trip, tick, raise. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  compareHlc,
  formatHlc,
  HLC_COUNTER_MAX,
  HLC_TIME_MAX,
  type Hlc,
  type HlcParts,
  hlcAfter,
  isHlc,
  joins,
  nextTick,
  parseHlc,
  ZERO_HLC,
} from '../../src/protocol/pure/hlc.ts';
import { checkLaw } from '../support/law.ts';

const HOUR_MS = 3_600_000;
const node = fc.stringMatching(/^[0-9a-z]{4,12}$/);
const counter = fc.oneof(
  fc.integer({ min: 0, max: HLC_COUNTER_MAX }),
  fc.constantFrom(0, 1, HLC_COUNTER_MAX - 1, HLC_COUNTER_MAX),
);
const time = fc.oneof(
  fc.integer({ min: 0, max: HLC_TIME_MAX - HOUR_MS }),
  fc.integer({ min: 1_777_636_800_000, max: 1_777_636_800_003 }),
);
const anyNode = fc.oneof(fc.constant(''), fc.constantFrom('a1b2', 'a1b20', 'zzzz'), node);
const parts: fc.Arbitrary<HlcParts> = fc
  .tuple(time, counter, anyNode)
  .map(([p, c, id]) => ({ p, c, node: id }));
const hlc = parts.map(formatHlc);
const wildClock = fc.oneof(
  time,
  fc.double({ min: -1e15, max: HLC_TIME_MAX, noNaN: true }),
  fc.constantFrom(-1, 0, Number.NaN, Number.NEGATIVE_INFINITY),
);

/** Order of the parts, written apart from the code under test. */
function tupleOrder(a: HlcParts, b: HlcParts): number {
  if (a.p !== b.p) return a.p - b.p;
  if (a.c !== b.c) return a.c - b.c;
  return a.node < b.node ? -1 : a.node > b.node ? 1 : 0;
}

test('[HL-1] format and parse are inverse', (t) => {
  checkLaw(
    t,
    fc.property(parts, (value) => {
      assert.deepEqual(parseHlc(formatHlc(value)), value);
    }),
  );
});

test('[HL-1] any text either parses and prints as itself, or is refused without throwing', (t) => {
  const shaped = fc.stringMatching(
    /^(\d{4}|9999)\d{4}T\d{6}\.\d{3}Z-[0-9a-f]{4}(-[0-9a-z]{4,12})?$/,
  );
  const damaged = fc
    .tuple(hlc, fc.nat({ max: 40 }), fc.constantFrom('', '0', '9', 'Z', '-', 'g', ' ', '\n', '😀'))
    .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1));
  checkLaw(
    t,
    fc.property(fc.oneof(shaped, damaged, fc.string(), fc.anything()), (value) => {
      const parsed = parseHlc(value);
      assert.equal(isHlc(value), parsed !== undefined);
      if (parsed !== undefined) assert.equal(formatHlc(parsed), value);
    }),
    2_000,
  );
});

test('[HL-2] string order is the order of (time, counter, node) (invariant 21)', (t) => {
  checkLaw(
    t,
    fc.property(parts, parts, (a, b) => {
      const [left, right] = [formatHlc(a), formatHlc(b)];
      const expected = Math.sign(tupleOrder(a, b));
      assert.equal(Math.sign(compareHlc(left, right)), expected);
      assert.equal(left < right ? -1 : left > right ? 1 : 0, expected);
      assert.equal(Buffer.compare(Buffer.from(left), Buffer.from(right)), expected);
    }),
    2_000,
  );
});

test('[HL-4] ticks rise under any clock, counter, restart and node change (invariant 21)', (t) => {
  const step = fc.record({ now: wildClock, restart: fc.boolean(), node });
  checkLaw(
    t,
    fc.property(parts, node, fc.array(step, { maxLength: 60 }), (start, firstNode, steps) => {
      let head = formatHlc(start);
      let memory: Pick<HlcParts, 'p' | 'c'> = start;
      let ownNode = firstNode;
      for (const { now, restart, node: newNode } of steps) {
        if (restart) {
          memory = parseHlc(head) as HlcParts;
          ownNode = newNode;
        }
        const tick = nextTick(memory, now);
        const version = formatHlc({ ...tick, node: ownNode });
        assert.ok(head < version, `${head} then ${version}`);
        assert.ok(compareHlc(head, version) < 0);
        assert.ok(isHlc(version));
        assert.ok(!(Math.floor(now) > tick.p), 'never behind the clock');
        head = version;
        memory = tick;
      }
    }),
  );
});

test('[HL-3] a full counter takes the next millisecond and never a fifth digit (invariant 21)', (t) => {
  checkLaw(
    t,
    fc.property(time, wildClock, node, (p, now, id) => {
      const full = { p, c: HLC_COUNTER_MAX };
      const tick = nextTick(full, Math.min(now, p));
      assert.deepEqual(tick, { p: p + 1, c: 0 });
      assert.ok(formatHlc({ ...full, node: id }) < formatHlc({ ...tick, node: id }));
    }),
  );
});

test('[CR-3] a raised stamp is the next one above another, with the same node', (t) => {
  checkLaw(
    t,
    fc.property(hlc, parts, (below, other) => {
      const raised = hlcAfter(below);
      const { node: own } = parseHlc(below) as HlcParts;
      assert.equal(parseHlc(raised)?.node, own);
      assert.ok(compareHlc(below, raised) < 0);
      const sibling = formatHlc({ ...other, node: own });
      if (compareHlc(below, sibling) < 0) assert.ok(compareHlc(raised, sibling) <= 0);
    }),
  );
});

test('[PL-2] a row joins exactly the since that its prev names, and "" is the zero HLC', (t) => {
  checkLaw(
    t,
    fc.property(hlc, hlc, (a, b) => {
      assert.equal(joins(a, a), true);
      assert.equal(joins(a, b), a === b);
      assert.equal(joins('', a), a === ZERO_HLC);
    }),
  );
  assert.equal(joins('', ZERO_HLC), true);
  assert.equal(joins(ZERO_HLC, ''), true);
  assert.equal(joins('', '19700101T000000.000Z-0000-a1b2' as Hlc), false);
});
