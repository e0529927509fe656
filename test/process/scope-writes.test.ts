/** Applications that write in a scope beside servers that take pushes, each in its own process. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FreshDatabase, freshDatabase } from '../support/mongodb.ts';
import { deliveryFaults, faultsOf, lostMutations } from '../support/process/history-oracle.ts';
import { runRace } from '../support/process/race.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, seeded } from '../support/process/seeded.ts';
import { COLLECTIONS, ServerProcess } from '../support/process/server-process.ts';
import { readMongo } from '../support/process/stored-state.ts';
import { HAS_MONGODB } from '../support/process/store-place.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { push } from '../support/process/wire.ts';

const SCOPE = 'shared';
const WRITERS = 2;
const WRITES = 40;
const CALLERS = 3;
const ROWS = 250;
const LIMIT_MS = 60_000;
/** How often the writing party must change at least. */
const TURNS_MIN = 25;
/** Longest time that a killed writer may hold its scope, ms. */
const FREE_MS = 10_000;

interface Written {
  readonly versions: readonly string[];
  readonly runs: number;
  readonly busy: number;
}

describe('mongo: applications write beside servers', { skip: !HAS_MONGODB }, () => {
  test('[LB-17] two writers and two servers on one scope: no gap, no fork, nothing lost', async (t) => {
    const database = await emptyDatabase(t);
    const servers = [await startServer(t, database), await startServer(t, database)];
    const token = await tokenFor('racer', SCOPE);
    const writers = Array.from({ length: WRITERS }, () => startWriter(t, database, WRITES));
    const outputs = writers.map((writer) => text(writer.stdout as NodeJS.ReadableStream));
    const random = seeded(runSeed());
    const race = await runRace({
      ...{ random, rows: ROWS, limit_ms: LIMIT_MS },
      callers: servers.flatMap(({ url }, at) =>
        Array.from({ length: CALLERS }, (_, i) => ({ url, token, client_id: `c-${at}-${i}` })),
      ),
      pullers: servers.map(({ url }, i) => ({ url, token, client_id: `puller-${i}` })),
    });
    await Promise.all(writers.map((writer) => writer.exitCode ?? once(writer, 'exit')));
    const written = (await Promise.all(outputs)).map((line) => JSON.parse(line) as Written);
    const state = await readMongo(database.uri, database.name, COLLECTIONS);
    // The oracle knows pushes: a row without a mutation counts as one of its own.
    const rows = state.rows.map((row) => ({ ...row, mutation_id: row.mutation_id ?? row.version }));
    t.diagnostic(
      `${race.acknowledged.length} pushed rows, writers: ${JSON.stringify(written.map(({ versions, ...one }) => ({ rows: versions.length, ...one })))}, 503s: ${race.retried}`,
    );
    assert.deepEqual(faultsOf({ ...state, rows }), []);
    assert.deepEqual(lostMutations(rows, race.acknowledged), []);
    const own = written.flatMap(({ versions }) => versions);
    assert.equal(own.length, 2 * WRITERS * WRITES);
    const there = new Set(rows.map(({ version }) => version));
    assert.deepEqual(
      own.filter((version) => !there.has(version)),
      [],
    );
    assert.equal(rows.length, race.acknowledged.length + own.length);
    const counter = state.documents.find(({ doc_id }) => doc_id === 'counter');
    assert.deepEqual(counter?.data, { n: WRITERS * WRITES }, 'a write was lost or made twice');
    const turns = turnsOf(rows, written);
    assert.ok(turns >= TURNS_MIN, `only ${turns} turns: there was no race`);
    assert.deepEqual({ torn: race.torn, stale: race.stale }, { torn: 0, stale: 0 });
    for (const delivered of race.delivered) {
      const pulled = rows.slice(
        0,
        rows.findIndex(({ version }) => version === delivered.at(-1)) + 1,
      );
      assert.deepEqual(deliveryFaults(pulled, delivered), []);
    }
  });

  test('[LB-16] a writer that is killed inside its function frees the scope within 10 s', async (t) => {
    const database = await emptyDatabase(t);
    const server = await startServer(t, database);
    const writer = startWriter(t, database, 0);
    await once(writer.stdout as NodeJS.ReadableStream, 'data');
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    const killed = performance.now();
    const caller = { url: server.url, token: await tokenFor('racer', SCOPE), client_id: 'c1' };
    const change = {
      ...{ collection: 'tasks', doc_id: 't1', operation: 'upsert' as const, data: {} },
      ...{ parent_version: null, mutation_id: 'm1' },
    };
    const answer = await push(caller, [change]);
    assert.equal(answer.results[0]?.status, 'accepted');
    assert.ok(performance.now() - killed < FREE_MS, `${performance.now() - killed} ms`);
    const { documents } = await readMongo(database.uri, database.name, COLLECTIONS);
    assert.deepEqual(
      documents.map(({ doc_id }) => doc_id),
      ['t1'],
    );
  });
});

/** How often the next row was somebody else's. */
function turnsOf(
  rows: readonly { readonly version: string }[],
  written: readonly Written[],
): number {
  const owners = new Map(
    written.flatMap(({ versions }, at) => versions.map((version) => [version, at] as const)),
  );
  const owner = rows.map(({ version }) => owners.get(version) ?? -1);
  return owner.filter((one, i) => i > 0 && one !== owner[i - 1]).length;
}

async function emptyDatabase(t: TestContext): Promise<FreshDatabase> {
  const database = await freshDatabase();
  t.after(() => database.drop());
  return database;
}

async function startServer(t: TestContext, { uri, name }: FreshDatabase): Promise<ServerProcess> {
  const store = { SYNC_STORE: 'mongo', SYNC_MONGODB_URI: uri, SYNC_DATABASE_NAME: name };
  const server = await ServerProcess.start({ store, cwd: scratchFolder(t) });
  t.after(() => server.kill());
  return server;
}

function startWriter(t: TestContext, { uri, name }: FreshDatabase, writes: number): ChildProcess {
  const entry = fileURLToPath(new URL('./scope-writer.entry.js', import.meta.url));
  const writer = spawn(process.execPath, [entry, uri, name, SCOPE, String(writes)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => writer.kill('SIGKILL'));
  return writer;
}
