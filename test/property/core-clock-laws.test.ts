/** Laws of the clock that draws versions. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { HybridClock } from '../../src/core/hybrid-clock.ts';
import { compareHlc, type Hlc, HLC_COUNTER_MAX, parseHlc } from '../../src/protocol/pure/hlc.ts';
import { checkLaw } from '../support/law.ts';
import { FakeClock, fakeSystem, NOON } from '../support/engine/fake-system.ts';

/** A draw: of which scope, at what time, how many, by a new process or with a new node first. */
const draw = fc.record({
  scope: fc.integer({ min: 0, max: 2 }),
  at: fc.oneof(
    fc.integer({ min: NOON - 3, max: NOON + 3 }),
    fc.double({ min: 0, max: NOON + 5, noNaN: true }),
    fc.constantFrom(0, -1, Number.NaN),
  ),
  count: fc.integer({ min: 1, max: 3 }),
  before: fc.constantFrom('nothing', 'nothing', 'restart', 'node'),
});
const counters = fc.constantFrom(0, HLC_COUNTER_MAX - 1, HLC_COUNTER_MAX);

test('[HL-4] versions of a scope strictly rise under any clock, counter, restart and node (invariant 21)', (t) => {
  const law = fc.property(fc.array(draw, { maxLength: 40 }), counters, (draws, counter) => {
    const system = fakeSystem(new FakeClock());
    let clock = new HybridClock(system, 'n');
    const heads = new Map<number, { hlc_p: number; hlc_c: number }>();
    const newest = new Map<number, Hlc>();
    const all = new Set<string>();
    for (const { scope, at, count, before } of draws) {
      if (before === 'restart') clock = new HybridClock(system, 'n');
      if (before === 'node') clock.drawNode();
      const head = heads.get(scope) ?? { hlc_p: NOON, hlc_c: counter };
      const source = clock.versions(head, at);
      for (let i = 0; i < count; i += 1) {
        const version = source.next();
        assert.ok(compareHlc(version, newest.get(scope) ?? '') > 0, 'above the one before');
        assert.ok(!all.has(version), 'drawn once over all scopes [HL-5]');
        newest.set(scope, version);
        all.add(version);
        const parts = parseHlc(version)!;
        assert.ok(parts.p > head.hlc_p || (parts.p === head.hlc_p && parts.c > head.hlc_c));
        assert.deepEqual(source.last, { p: parts.p, c: parts.c });
      }
      heads.set(scope, { hlc_p: source.last.p, hlc_c: source.last.c });
    }
  });
  checkLaw(t, law, 400);
});
