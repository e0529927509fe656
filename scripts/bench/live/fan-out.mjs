/** One writer, many subscribers of one scope, beside `ws` sending the same bytes. */

import { interleaved } from '../measure.mjs';
import { newTask } from '../tasks.mjs';
import { Crowd } from './crowd.mjs';
import { bareSide, productSide, withSides } from './sides.mjs';

const ROUNDS = 7;
const SUBSCRIBERS = 1_000;
const ROWS = 40;

/** Frames per second until the last receipt. */
export async function fanOutScenario(report) {
  const crowds = [new Crowd(), new Crowd()];
  try {
    await withSides([productSide, bareSide], async (product, bare) => {
      await Promise.all([subscribeAll(crowds[0], product), subscribeAll(crowds[1], bare)]);
      let frame = '';
      const facts = await interleaved(
        ROUNDS,
        async () => {
          const requests = Array.from({ length: ROWS }, () => product.bytes([newTask()]));
          const received = await receiveAll(crowds[0], product, requests);
          frame = received.frame;
          return rate(received);
        },
        async () => {
          const requests = Array.from({ length: ROWS }, () => bare.bytes(frame));
          return rate(await receiveAll(crowds[1], bare, requests));
        },
      );
      report.add({
        scenario: `live fan-out of ${ROWS} pushes to ${SUBSCRIBERS.toLocaleString('en')} subscribers`,
        unit: 'frames/s',
        ...facts,
        goal: '≥ 0.67',
        met: facts.ratio >= 1 / 1.5,
      });
    });
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.stop()));
  }
}

async function subscribeAll(crowd, { port, target, first, tokens }) {
  const connected = { port, target, first: first(null), rows: 0 };
  await crowd.connect({ ...connected, tokens: await tokens(SUBSCRIBERS) });
}

/** Pushes one after another, each as soon as the one before was answered. */
function receiveAll(crowd, side, requests) {
  return crowd.receive(requests.length, async () => {
    for (const bytes of requests) await side.push(bytes);
  });
}

function rate({ ms }) {
  return (SUBSCRIBERS * ROWS) / (ms / 1_000);
}
