/** Clients that all come back at once, a few rows behind. */

import { setTimeout } from 'node:timers/promises';
import { interleaved, within } from '../measure.mjs';
import { Crowd } from './crowd.mjs';
import { minimalSide, productSide, pushRows, withSides } from './sides.mjs';

const ROUNDS = 15;
/** Storms until the code of a side is compiled. */
const WARM_ROUNDS = 5;
const BEHIND = 10;
const BIG = 5_000;
const BIG_ROUNDS = 3;
/** Rows that are written while the big storm is under way. */
const MEANWHILE = 5;
const PAUSE_MS = 100;
const SETTLE_MS = 300;

/** 100 and 500 clients against the minimal server; 5,000 without a loss. */
export async function stormScenarios(report) {
  const crowd = new Crowd();
  try {
    await withSides([productSide, minimalSide], async (product, minimal) => {
      const storms = [await prepare(product), await prepare(minimal)];
      for (const storm of storms) await warm(crowd, storm);
      for (const count of [100, 500]) {
        const [ours, baseline] = await Promise.all(storms.map((storm) => storm(crowd, count, 0)));
        const facts = await interleaved(ROUNDS, ours, baseline);
        const scenario = `live storm of ${count} clients until all caught up`;
        report.add({ scenario, unit: 'ms', ...within(facts, 1.5) });
      }
      const [ours, baseline] = await Promise.all(
        storms.map((storm) => storm(crowd, BIG, MEANWHILE)),
      );
      const facts = await interleaved(BIG_ROUNDS, ours, baseline);
      // Every client has counted its rows, or the run has failed.
      const scenario = `live storm of ${BIG.toLocaleString('en')} clients while ${MEANWHILE} rows are written`;
      report.add({ scenario, unit: 'ms', ...facts, goal: 'no row lost', met: true });
    });
  } finally {
    await crowd.stop();
  }
}

async function warm(crowd, storm) {
  const run = await storm(crowd, 500, 0);
  for (let round = 0; round < WARM_ROUNDS; round += 1) await run();
}

/** Writes the rows that the clients have missed; gives what makes a storm of a size. */
async function prepare(side) {
  const places = await pushRows(side, 50);
  return async (crowd, count, meanwhile) => {
    const tokens = await side.tokens(count);
    return async () => {
      const { port, target } = side;
      const first = side.first(places.at(-1 - BEHIND));
      const rows = BEHIND + meanwhile;
      const [{ ms }, written] = await Promise.all([
        crowd.connect({ port, target, tokens, first, rows }),
        pushRows(side, meanwhile, PAUSE_MS),
      ]);
      places.push(...written);
      await crowd.close();
      // The server hears of the ends: they are not work of the next round.
      await setTimeout(SETTLE_MS);
      return ms;
    };
  };
}
