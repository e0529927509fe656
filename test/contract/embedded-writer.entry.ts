/**
 * Writes single documents to the folder named by its first argument until it is killed, 8 groups at a
 * time, and prints the version of each group when it is durable. A second argument ends it after
 * that many groups. Any failure is printed with its kind.
 */

import { writeSync } from 'node:fs';
import { StoreError } from '../../src/core/ports/store.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { openEmbeddedStore } from '../../src/storage/embedded/embedded-store.ts';
import { CONTRACT_LAYOUT } from './contract-world.ts';
import { loadOf, planBundle } from './plan-builder.ts';

const CALLERS = 8;
const SCOPE = 'scope';
const TEXT = 'x'.repeat(2_000);

const say = (line: string): void => void writeSync(1, `${line}\n`);

const [data_dir = '', groups = 'Infinity'] = process.argv.slice(2);
const store = await openEmbeddedStore({
  data_dir,
  mode: 'write',
  clock: nodeSystem.clock,
  onFatal: () => say('fatal'),
});
await store.applySetup(CONTRACT_LAYOUT);
say('open');
let left = Number(groups);
let place = 0;

await Promise.all(Array.from({ length: CALLERS }, writeUntilDone));
await store.close();

async function writeUntilDone(): Promise<void> {
  while (left > 0) {
    left -= 1;
    place += 1;
    const changes = [
      { doc_id: `doc-${place}`, data: { text: TEXT }, mutation_id: `m-${process.pid}-${place}` },
    ];
    try {
      const { outcome } = await store.commitGroup(SCOPE, {
        load: loadOf(SCOPE, changes),
        budget_ms: 10_000,
        decide: (snapshot) => {
          const plan = planBundle(snapshot, changes);
          return { plan, outcome: plan.head.head_version };
        },
      });
      say(outcome);
    } catch (error) {
      say(error instanceof StoreError ? error.kind : String(error));
    }
  }
}
