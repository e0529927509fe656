/**
 * The engine in this process against the same statements issued raw, on the embedded store.
 * Bundled before it runs, because it imports the product's sources.
 */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEmbeddedStore } from '../../src/storage/embedded/embedded-store.ts';
import { ZERO_HLC } from '../../src/protocol/pure/hlc.ts';
import { nodeSystem } from '../../src/node-system.ts';
import { benchLayout, createBenchEngine } from './bench-engine.mjs';
import { interleaved, timed } from './measure.mjs';
import { RawStore } from './raw-store.mjs';
import { newTask, pushAll, pushBody } from './tasks.mjs';

const ROUNDS = 9;
const FULL_DOCUMENTS = 100_000;

/** Push, pull and full in this process. */
export async function embeddedScenarios(report) {
  const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-bench-'));
  const store = await openEmbeddedStore({
    data_dir: path.join(folder, 'ours'),
    mode: 'write',
    clock: nodeSystem.clock,
  });
  const raw = new RawStore(path.join(folder, 'raw.db'));
  try {
    await store.applySetup(benchLayout());
    const engine = await createBenchEngine(store);
    await pushScenarios(report, engine, raw);
    await pullScenario(report, engine, raw);
    await fullScenario(report, engine, raw);
  } finally {
    await store.close();
    raw.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function pushScenarios(report, engine, raw) {
  for (const changes of [1, 100]) {
    for (const [callers, scopes] of [
      [1, 1],
      [32, 1],
      [32, 16],
    ]) {
      const pushes = changes === 1 ? 320 : 64;
      const bodies = () =>
        Array.from({ length: pushes }, () => Array.from({ length: changes }, newTask));
      const figure = await interleaved(
        ROUNDS,
        async () => {
          const work = bodies();
          const ms = await timed(() => pushAll(engine, work, { callers, scopes }));
          return (ms / pushes) * 1_000;
        },
        async () => {
          const work = bodies();
          const ms = await timed(async () => {
            for (const [i, tasks] of work.entries()) raw.push(`s${i % scopes}`, tasks);
          });
          return (ms / pushes) * 1_000;
        },
      );
      report.add({
        scenario: `embedded push, ${changes} change(s), ${callers} caller(s), ${scopes} scope(s)`,
        unit: 'µs per push',
        ...figure,
        goal: '≤ 1.5',
        met: figure.ratio <= 1.5,
      });
    }
  }
}

async function pullScenario(report, engine, raw) {
  const scope = `pull-${randomUUID()}`;
  for (let i = 0; i < 10; i += 1) {
    const tasks = Array.from({ length: 100 }, newTask);
    await pushAll(engine, [tasks], { callers: 1, scopes: 1 });
    raw.push(scope, tasks);
  }
  const query = { since: ZERO_HLC, collections: undefined, limit: 500 };
  const figure = await interleaved(
    25,
    () =>
      timed(async () => {
        const page = await engine.pull(engine.context('s0'), query);
        if (page.kind !== 'page' || page.changes.length < 500) throw new Error('short page');
        return `{"changes":[${page.changes.join(',')}],"last_seq":"${page.last_seq}"}`;
      }),
    () => timed(async () => raw.pull(scope, 500)),
  );
  report.add({
    scenario: 'embedded pull of 500 rows against find + JSON',
    unit: 'ms',
    ...figure,
    goal: '≤ 1.3',
    met: figure.ratio <= 1.3,
  });
}

async function fullScenario(report, engine, raw) {
  const scope = 'full';
  for (let at = 0; at < FULL_DOCUMENTS; at += 500) {
    const tasks = Array.from({ length: 500 }, newTask);
    await engine.push(engine.context(scope), pushBody(tasks, { anonymous: true }));
    raw.push(scope, tasks);
  }
  const figure = await interleaved(
    5,
    async () => FULL_DOCUMENTS / ((await timed(() => walk(engine, scope))) / 1_000),
    async () => FULL_DOCUMENTS / ((await timed(async () => raw.dump(scope))) / 1_000),
  );
  report.add({
    scenario: 'embedded full resync of 100,000 documents against a cursor → NDJSON dump',
    unit: 'documents/s',
    ...figure,
    goal: '≥ 0.7',
    met: figure.ratio >= 0.7,
  });
}

async function walk(engine, scope) {
  let cursor;
  let count = 0;
  let bytes = 0;
  do {
    const page = await engine.full(engine.context(scope), {
      collections: ['tasks'],
      cursor,
      limit: 5_000,
      trailer: true,
    });
    for (const chunk of page.chunks) bytes += Buffer.byteLength(chunk);
    count += page.count;
    cursor = page.cursor ?? undefined;
  } while (cursor !== undefined);
  if (count !== FULL_DOCUMENTS || bytes === 0) throw new Error(`${count} documents`);
}
