/** Devices and an application write to the same collections at the same time: nothing is lost unseen. */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { BSON, type Document, MongoClient } from 'mongodb';
import { freshDatabase, startOwnMongo } from '../support/mongodb.ts';
import { PulledCopy, pushTraffic } from '../support/process/device-traffic.ts';
import { ChangeRecorder, foreignFaults, runWriter } from '../support/process/foreign-writes.ts';
import { type Acknowledged, faultsOf, lostMutations } from '../support/process/history-oracle.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { COLLECTIONS, ServerProcess } from '../support/process/server-process.ts';
import { readMongo, type StoredState } from '../support/process/stored-state.ts';
import { tokenFor } from '../support/process/tokens.ts';
import type { Caller } from '../support/process/wire.ts';

const TEAMS = ['north', 'south'] as const;
const DOCUMENTS = 80;
const LANES = 4;
const PUSHES = 2_000;
/** Foreign writes beside the first pushes, while nobody looks, and beside the last pushes. */
const WRITES = [700, 700, 600] as const;
/**
 * Entries of the database's log: fewer than what is written while nobody looks, and enough for what
 * is written while a comparison lets its stream wait. The server of the tests skips what an open stream
 * has missed, and says nothing, where a mongod ends the stream.
 */
const LOG_ENTRIES = 10_000;
const PAUSE_MS = 8;
const QUIET_LIMIT_MS = 45_000;
const onMongo = Boolean(process.env['SYNC_TEST_MONGODB_URI']);

describe('mongo: an application and devices', { skip: !onMongo }, () => {
  test('[PR-20] two captures, one killed, history lost once: every content that a device replaced is logged, once', async (t) => {
    const world = await open(t, { oplogMaxEntries: LOG_ENTRIES, capture: 'adopt' });
    const [a, b] = [await world.serve(0), await world.serve(1)];
    const first = world.traffic(1, { writes: WRITES[0], pushes: PUSHES / 2 });
    await pause(1_500);
    await a.kill();
    const again = await world.serve(0);
    await first;
    await Promise.all([again.stop(), b.stop()]);
    await world.forget();
    const [c, d] = [await world.serve(0), await world.serve(1)];
    await world.traffic(3, { writes: WRITES[2], pushes: PUSHES / 2 });
    const state = await world.quiet(isCaughtUp);
    const { replaced, acknowledged, copies } = await world.finish();
    t.diagnostic(`${state.rows.length} rows, ${replaced.length} contents replaced`);
    assert.deepEqual(faultsOf(state), []);
    assert.deepEqual(foreignFaults(state, replaced), []);
    assert.deepEqual(lostMutations(state.rows, acknowledged), []);
    assert.match(c.output + d.output, /history_lost/, 'the history was lost');
    for (const { team, documents } of copies) assert.deepEqual(documents, contentOf(state, team));
  });

  test('[PR-21] without capture: no content that a device replaced is lost, and none is logged twice', async (t) => {
    const world = await open(t, { capture: 'off' });
    await Promise.all([world.serve(0), world.serve(1)]);
    await world.traffic(1, { writes: WRITES[0], pushes: PUSHES / 2 });
    const state = await world.quiet(() => true);
    const { replaced, acknowledged } = await world.finish();
    assert.ok(
      state.rows.some(({ origin }) => origin === 'external'),
      'pushes met foreign content',
    );
    assert.deepEqual(unseen(foreignFaults(state, replaced)), []);
    assert.deepEqual(lostMutations(state.rows, acknowledged), []);
  });
});

/** Without capture only what a push met is logged. */
function unseen(faults: readonly string[]): string[] {
  return faults.filter((fault) => !fault.includes('is not logged once'));
}

/** Everything that is current is logged under its version, and what is gone is logged as gone. */
function isCaughtUp(state: StoredState): boolean {
  const logged = new Set(state.rows.map(({ version }) => version));
  return (
    faultsOf(state).length === 0 && state.documents.every(({ version }) => logged.has(version))
  );
}

function contentOf({ documents }: StoredState, team: string): Record<string, unknown> {
  const own = documents.filter(({ scope_id }) => scope_id === team);
  const entries = own.map(({ collection, doc_id, data }) => [`${collection}/${doc_id}`, data]);
  return Object.fromEntries(entries.sort());
}

async function open(
  t: TestContext,
  options: { readonly oplogMaxEntries?: number; readonly capture: 'adopt' | 'off' },
) {
  const { oplogMaxEntries, capture } = options;
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const own = oplogMaxEntries === undefined ? undefined : await startOwnMongo({ oplogMaxEntries });
  if (own !== undefined) t.after(() => own.stop());
  const { uri, name, drop } = await freshDatabase(own);
  if (own === undefined) t.after(drop);
  const place = { uri, name, cwd: scratchFolder(t) };
  const servers = new ServerPair(t, { ...place, capture });
  const recorder = await ChangeRecorder.start(uri, name, COLLECTIONS);
  const callers = await Promise.all(
    TEAMS.map(async (team, at): Promise<Caller & { team: string }> => {
      const token = await tokenFor('device', team);
      return { team, token, client_id: `device-${at}`, url: '' };
    }),
  );
  return new World({ t, random, place, servers, recorder, callers });
}

/** Two servers of one database, on ports that they keep. */
class ServerPair {
  readonly running: (ServerProcess | undefined)[] = [];
  readonly #ports = [0, 0];
  readonly #of: { uri: string; name: string; cwd: string; capture: string };

  constructor(t: TestContext, of: { uri: string; name: string; cwd: string; capture: string }) {
    this.#of = of;
    t.after(() => Promise.all(this.running.map((one) => one?.kill())));
  }

  async serve(at: 0 | 1): Promise<ServerProcess> {
    const { uri, name, cwd, capture } = this.#of;
    const policy = { scope_field: 'team', capture };
    const collections = Object.fromEntries(COLLECTIONS.map((one) => [one, policy]));
    const server = await ServerProcess.start({
      store: { SYNC_STORE: 'mongo', SYNC_MONGODB_URI: uri, SYNC_DATABASE_NAME: name },
      cwd,
      port: this.#ports[at] as number,
      env: { SYNC_COLLECTIONS: JSON.stringify(collections) },
    });
    this.#ports[at] = server.port;
    this.running[at] = server;
    return server;
  }
}

interface Parts {
  readonly t: TestContext;
  readonly random: Seeded;
  readonly place: { readonly uri: string; readonly name: string };
  readonly servers: ServerPair;
  readonly recorder: ChangeRecorder;
  readonly callers: readonly (Caller & { readonly team: string })[];
}

class World {
  readonly #parts: Parts;
  readonly #copies: { readonly team: string; readonly copy: PulledCopy }[];
  readonly #acknowledged: Acknowledged[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#copies = parts.callers.map((caller) => ({
      team: caller.team,
      copy: new PulledCopy(caller),
    }));
  }

  async serve(at: 0 | 1): Promise<ServerProcess> {
    const server = await this.#parts.servers.serve(at);
    // One scope's device asks one server, the other's the other one.
    (this.#parts.callers[at] as Caller).url = server.url;
    return server;
  }

  /** The application alone. */
  async write(run: number, writes: number): Promise<void> {
    const { place, random } = this.#parts;
    const began = performance.now();
    const effective = await runWriter({
      ...{ ...place, run, writes, seed: random.int(0, 2 ** 31), documents: DOCUMENTS },
      ...{ lanes: LANES, pause_ms: PAUSE_MS, collections: COLLECTIONS, teams: TEAMS },
    });
    this.#parts.t.diagnostic(
      `${effective} of ${writes} foreign writes took effect, ${Math.round(performance.now() - began)} ms`,
    );
  }

  /** The application writes, others do, and the database forgets the place where capture would go on. */
  async forget(): Promise<void> {
    const { uri, name } = this.#parts.place;
    const client = new MongoClient(uri);
    try {
      const meta = await client
        .db(name)
        .collection<Document & { _id: string }>('sync_meta')
        .findOne({ _id: 'capture' });
      const resumeAfter = BSON.EJSON.parse(meta?.['token']);
      await this.write(2, WRITES[1]);
      const filler = Array.from({ length: LOG_ENTRIES * 1.2 }, (_, n) => ({ n }));
      await client.db(`${name}_other`).collection('filler').insertMany(filler);
      const stream = client.db(name).watch([], { resumeAfter, maxAwaitTimeMS: 100 });
      await assert.rejects(stream.tryNext(), 'the log has not forgotten');
      await stream.close();
    } finally {
      await client.close();
    }
  }

  /** The application and the devices. */
  async traffic(run: number, wish: { writes: number; pushes: number }): Promise<void> {
    const { callers, random } = this.#parts;
    for (const { copy } of this.#copies) copy.start();
    const pushing = callers.map((caller, at) =>
      pushTraffic({
        caller,
        copy: (this.#copies[at] as { copy: PulledCopy }).copy,
        random: seeded(random.int(0, 2 ** 31)),
        ...{ team: caller.team, teams: TEAMS, documents: DOCUMENTS, collections: COLLECTIONS },
        changes: wish.pushes / callers.length,
      }),
    );
    const [, ...acknowledged] = await Promise.all([this.write(run, wish.writes), ...pushing]);
    this.#acknowledged.push(...acknowledged.flat());
    for (const { copy } of this.#copies) await copy.stop();
  }

  /** The state of the database once it is as it must be, or at the end of the time. */
  async quiet(isReached: (state: StoredState) => boolean): Promise<StoredState> {
    const { uri, name } = this.#parts.place;
    const end = performance.now() + QUIET_LIMIT_MS;
    for (;;) {
      const state = await readMongo(uri, name, COLLECTIONS);
      if (isReached(state) || performance.now() > end) return state;
      await pause(500);
    }
  }

  /** What happened, and what two kinds of copies hold: one kept all the time, one pulled anew. */
  async finish() {
    const replaced = await this.#parts.recorder.finish();
    const copies: { team: string; documents: Record<string, unknown> }[] = [];
    for (const [at, { team, copy }] of this.#copies.entries()) {
      const anew = new PulledCopy(this.#parts.callers[at] as Caller);
      for (const one of [copy, anew]) {
        await one.catchUp();
        const found = [...one.documents].map(([key, { data }]) => [key, data] as const);
        copies.push({ team, documents: Object.fromEntries(found.sort()) });
      }
    }
    return { replaced, acknowledged: this.#acknowledged, copies };
  }
}
