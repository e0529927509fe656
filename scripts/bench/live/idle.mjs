/** What a socket costs that only waits. */

import { setTimeout } from 'node:timers/promises';
import { median } from '../measure.mjs';
import { Crowd } from './crowd.mjs';
import { bareSide, productSide, withSides } from './sides.mjs';

const SOCKETS = 10_000;
/** Sockets that come and go before anything is measured. */
const WARM = 1_000;
const SETTLE_MS = 3_000;
const ROUNDS = 2;

/** Growth of the server's resident memory with 10,000 sockets that have subscribed. */
export async function idleScenario(report) {
  const crowd = new Crowd();
  try {
    const ours = [];
    const baseline = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(await withSides([productSide], (side) => growth(crowd, side)));
      baseline.push(await withSides([bareSide], (side) => growth(crowd, side)));
    }
    const [mine, bare] = [median(ours), median(baseline)];
    report.add({
      scenario: `live memory of one idle socket, of ${SOCKETS.toLocaleString('en')}`,
      unit: 'KiB',
      ours: mine / SOCKETS,
      baseline: bare / SOCKETS,
      goal: '≤ 40 KiB',
      met: mine / SOCKETS <= 40,
    });
    report.add({
      scenario: `live memory of ${SOCKETS.toLocaleString('en')} idle sockets`,
      unit: 'MiB',
      ours: mine / 1_024,
      baseline: bare / 1_024,
      goal: '≤ 400 MiB',
      met: mine / 1_024 <= 400,
    });
  } finally {
    await crowd.stop();
  }
}

/** KiB. */
async function growth(crowd, side) {
  const tokens = await side.tokens(SOCKETS);
  const connect = (some) =>
    crowd.connect({
      port: side.port,
      target: side.target,
      first: side.first(null),
      tokens: some,
      rows: 0,
    });
  await connect(tokens.slice(0, WARM));
  await crowd.close();
  await setTimeout(SETTLE_MS);
  const before = side.rssKiB();
  await connect(tokens);
  await setTimeout(SETTLE_MS);
  const after = side.rssKiB();
  await crowd.close();
  return after - before;
}
