/** The clock that draws versions and the guard of the process clock. */

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';
import {
  CLOCK_HOLD_MS,
  CLOCK_JUMP_MAX_MS,
  ClockError,
  GuardedClock,
} from '../../../src/core/clock-guard.ts';
import { HybridClock } from '../../../src/core/hybrid-clock.ts';
import { nodeSystem } from '../../../src/node-system.ts';
import { HLC_COUNTER_MAX, parseHlc } from '../../../src/protocol/pure/hlc.ts';
import { FakeClock, fakeSystem, NOON } from '../../support/engine/fake-system.ts';

function hybrid(prefix = ''): HybridClock {
  return new HybridClock(fakeSystem(new FakeClock()), prefix);
}

test('[HL-4] versions start above the head and count up inside a millisecond', () => {
  const clock = hybrid();
  const behind = clock.versions({ hlc_p: NOON - 5, hlc_c: 7 }, NOON);
  assert.deepEqual(behind.last, { p: NOON - 5, c: 7 });
  assert.deepEqual(
    [behind.next(), behind.next()].map((v) => [parseHlc(v)?.p, parseHlc(v)?.c]),
    [
      [NOON, 0],
      [NOON, 1],
    ],
  );
  assert.deepEqual(behind.last, { p: NOON, c: 1 });
  const ahead = clock.versions({ hlc_p: NOON + 9, hlc_c: HLC_COUNTER_MAX }, NOON);
  assert.deepEqual(parseHlc(ahead.next()), { p: NOON + 10, c: 0, node: clock.node });
});

test('[HL-5] two scopes never draw the same version in the same millisecond', () => {
  const clock = hybrid();
  const head = { hlc_p: 0, hlc_c: 0 };
  const [a, b] = [clock.versions(head, NOON), clock.versions(head, NOON)];
  const drawn = [a.next(), b.next(), a.next(), clock.versions(head, NOON).next()];
  assert.equal(new Set(drawn).size, 4);
});

test('[HL-5] a full counter of one scope sends the next one into the following millisecond', () => {
  const clock = hybrid();
  clock.versions({ hlc_p: NOON, hlc_c: HLC_COUNTER_MAX - 1 }, NOON).next();
  const next = clock.versions({ hlc_p: 0, hlc_c: 0 }, NOON);
  assert.deepEqual(parseHlc(next.next())?.p, NOON + 1);
});

test('[HL-5] the memory of drawn counters holds 10,000 entries, the busiest ones', () => {
  const clock = hybrid();
  const head = { hlc_p: 0, hlc_c: 0 };
  clock.versions(head, NOON).next();
  for (let i = 1; i <= 9_999; i += 1) clock.versions(head, NOON + i).next();
  assert.equal(parseHlc(clock.versions(head, NOON).next())?.c, 1, 'all 10,000 are remembered');
  clock.versions(head, NOON + 10_000).next();
  assert.equal(parseHlc(clock.versions(head, NOON).next())?.c, 2, 'the busy one was kept');
  assert.equal(parseHlc(clock.versions(head, NOON + 1).next())?.c, 0, 'the oldest one went');
  assert.equal(parseHlc(clock.versions(head, NOON + 3).next())?.c, 1);
});

test('[HL-6] the node id is a sanitised prefix and eight random characters, drawn again on demand', () => {
  const clock = hybrid('My-Host.7');
  assert.match(clock.node, /^myho[0-9a-z]{8}$/);
  assert.match(hybrid('é').node, /^[0-9a-z]{8}$/);
  assert.match(hybrid('A_b').node, /^ab[0-9a-z]{8}$/);
  const before = clock.node;
  const version = clock.versions({ hlc_p: 0, hlc_c: 0 }, NOON).next();
  assert.equal(parseHlc(version)?.node, before);
  clock.drawNode();
  assert.match(clock.node, /^myho[0-9a-z]{8}$/);
  assert.notEqual(clock.node, before);
  const again = clock.versions({ hlc_p: 0, hlc_c: 0 }, NOON);
  assert.deepEqual(parseHlc(again.next()), { p: NOON, c: 0, node: clock.node });
});

function guarded(earliest_ms = 0) {
  const inner = new FakeClock();
  const jumps: number[] = [];
  const clock = new GuardedClock(inner, {
    earliest_ms,
    onHeldBack: (jump_ms) => jumps.push(jump_ms),
  });
  return { inner, jumps, clock };
}

test('[HL-7] a clock before the build date refuses to start', () => {
  assert.throws(() => guarded(NOON + 1), ClockError);
  assert.equal(guarded(NOON).clock.now(), NOON);
});

test('[HL-7] time that passes on both clocks is taken, and a step of a minute', () => {
  const { inner, jumps, clock } = guarded();
  inner.pass(3_600_000);
  assert.equal(clock.now(), NOON + 3_600_000);
  inner.wall += CLOCK_JUMP_MAX_MS;
  assert.equal(clock.now(), NOON + 3_660_000);
  inner.wall += 7;
  assert.equal(clock.now(), NOON + 3_660_007, 'the step was accepted');
  assert.deepEqual(jumps, []);
});

test('[HL-7] a larger step is held back with one warning, and time goes on meanwhile', () => {
  const { inner, jumps, clock } = guarded();
  inner.wall += CLOCK_JUMP_MAX_MS + 1;
  assert.equal(clock.now(), NOON);
  inner.pass(500);
  assert.equal(clock.now(), NOON + 500);
  assert.deepEqual(jumps, [CLOCK_JUMP_MAX_MS + 1]);
  inner.wall -= CLOCK_JUMP_MAX_MS + 1;
  assert.equal(clock.now(), NOON + 500, 'it was set right');
  inner.wall += 120_000;
  clock.now();
  assert.deepEqual(jumps, [CLOCK_JUMP_MAX_MS + 1, 120_000], 'the next one warns again');
});

test('[HL-7] a step that lasted ten minutes is believed', () => {
  const { inner, jumps, clock } = guarded();
  inner.wall += 28_800_000;
  assert.equal(clock.now(), NOON);
  inner.pass(CLOCK_HOLD_MS - 1);
  assert.equal(clock.now(), NOON + CLOCK_HOLD_MS - 1);
  inner.pass(1);
  assert.equal(clock.now(), NOON + 28_800_000 + CLOCK_HOLD_MS);
  inner.pass(1_000);
  assert.equal(clock.now(), NOON + 28_800_000 + CLOCK_HOLD_MS + 1_000);
  assert.equal(jumps.length, 1);
});

test('[HL-7] a step back is taken: the head is the memory', () => {
  const { inner, clock } = guarded();
  inner.wall -= 3_600_000;
  assert.equal(clock.now(), NOON - 3_600_000);
});

test('[HL-7] a held back time is a whole number of milliseconds', () => {
  const { inner, clock } = guarded();
  inner.wall += 100_000;
  inner.mono += 0.7;
  assert.equal(clock.now(), NOON);
  assert.equal(clock.monotonic(), inner.mono);
});

test('[HL-7] waiting is left to the inner clock', async () => {
  const { inner, clock } = guarded();
  await clock.sleep(25);
  assert.deepEqual(inner.slept, [25]);
});

/** Whether a wait is over before the event loop turns. */
async function endsAtOnce(waiting: Promise<void>): Promise<boolean> {
  let ended = false;
  void waiting.then(() => {
    ended = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return ended;
}

test('[LD-10] a wait of the guarded clock can be ended, as one of the clock in it', async () => {
  const clock = new GuardedClock(nodeSystem.clock, { earliest_ms: 0, onHeldBack() {} });
  const stop = new AbortController();
  const waiting = clock.sleep(1_000, stop.signal);
  assert.equal(await endsAtOnce(waiting), false);
  stop.abort();
  assert.equal(await endsAtOnce(waiting), true);
});

test('[LD-10] a wait leaves no listener behind, and does not begin when it was ended before', async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i += 1) await nodeSystem.clock.sleep(0, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  assert.equal(await endsAtOnce(nodeSystem.clock.sleep(1_000, AbortSignal.abort())), true);
});
