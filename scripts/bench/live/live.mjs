/** Live delivery: how fast rows arrive, how fast clients come back, and what they cost. */

import { startMongo } from '../../mongodb.mjs';
import { fanOutScenario } from './fan-out.mjs';
import { idleScenario } from './idle.mjs';
import { nodeScenarios, propagationScenarios } from './propagation.mjs';
import { stormScenarios } from './storms.mjs';

/** Runs every scenario of live delivery, or those that `only` names. */
export async function liveScenarios(report, only = []) {
  const wants = (name) => only.length === 0 || only.includes(name);
  if (wants('propagation')) await propagationScenarios(report);
  if (wants('fan-out')) await fanOutScenario(report);
  if (wants('storm')) await stormScenarios(report);
  if (wants('idle')) await idleScenario(report);
  if (!wants('nodes')) return;
  const mongo = await startMongo({ syncOnCommit: true });
  try {
    await nodeScenarios(report, mongo);
  } finally {
    await mongo.stop();
  }
}
