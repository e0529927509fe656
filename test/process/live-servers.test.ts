/**
 * The seam on real servers: clients connect, break off in the middle of bundles, go on at another node
 * from their last row, through connections that are cut after any byte, while bundles are pushed. Each
 * client's rows are compared with the log in the store.
 */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { startOwnMongo } from '../support/mongodb.ts';
import { faultsOf, lostMutations } from '../support/process/history-oracle.ts';
import { deviceFaults, LiveDevice, rowsFor } from '../support/process/live-device.ts';
import type { Transport } from '../support/process/live-link.ts';
import { LiveTraffic } from '../support/process/live-traffic.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import {
  embeddedPlace,
  HAS_MONGODB,
  mongoPlace,
  type StorePlace,
} from '../support/process/store-place.ts';
import { TcpProxy } from '../support/process/tcp-proxy.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { ZERO_HLC } from '../support/process/wire.ts';

const SCOPE = 'seam';
const DEVICES = 12;
const ROUNDS_EACH = 5;
/** Every so many devices follow one of the two collections. */
const FILTERED_EVERY = 4;
const WRITERS = 3;
const BUNDLE_ROWS = 20;
/** Rows that are there before the first device: more than one page of a replay. */
const ROWS_BEFORE = 1_200;
/** A connection through the proxy is cut after at most so many bytes. */
const CUT_WITHIN_BYTES = 60_000;
const ROUND_MS = 700;
/** For the last rows to reach everybody; polling and a feed that is opened anew are within it. */
const CATCH_UP_MS = 40_000;
/** Entries that the database of one test remembers: fewer than what is written in a moment. */
const LOG_ENTRIES = 20;
/** A test that hangs ends here, ms. */
const TEST_MS = 150_000;

describe('embedded: the seam on a server', () => {
  test('[LD-1] [PR-28] 60 client rounds on one process: every row once and in order', {
    timeout: TEST_MS,
  }, async (t) => {
    await run(t, embeddedPlace(t), { nodes: 1 });
  });
});

describe('mongo: the seam on servers', { skip: !HAS_MONGODB }, () => {
  test('[LD-1] [FE-4] [PR-29] 60 client rounds on two processes: every row once and in order', {
    timeout: TEST_MS,
  }, async (t) => {
    await run(t, await mongoPlace(t), { nodes: 2 });
  });

  test('[LD-5] [PR-30] the database forgets its history under the feed: every row once and in order', {
    timeout: TEST_MS,
  }, async (t) => {
    const mongo = await startOwnMongo({ oplogMaxEntries: LOG_ENTRIES });
    t.after(() => mongo.stop());
    const client = await MongoClient.connect(mongo.uri);
    t.after(() => client.close());
    const { lost, gaps } = await run(t, await mongoPlace(t, mongo), {
      nodes: 2,
      // A node is away for a moment; the other one commits more than the database remembers.
      async disturb(random, [first]) {
        first?.signal('SIGSTOP');
        await pause(random.int(800, 1_500));
        // This database forgets every 1,000 entries, and when it is told to.
        await client.db('admin').command({ 'secantusAdmin.pruneOplog': 1 });
        first?.signal('SIGCONT');
      },
    });
    // A mongod would end the stream; this one goes on behind the hole and says nothing.
    assert.ok(lost + gaps > 0, 'the feed never lost its place: write more at once');
  });

  test('[LD-5] [LD-9] [PR-31] the connections to the database are cut: every row once and in order', {
    timeout: TEST_MS,
  }, async (t) => {
    const place = await mongoPlace(t);
    const { SYNC_MONGODB_URI: uri = '' } = place.settings;
    const proxy = await TcpProxy.start(t, { port: Number(new URL(uri).port) });
    const behind = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`;
    const settings = { ...place.settings, SYNC_MONGODB_URI: behind };
    const { lost } = await run(t, place, {
      nodes: 2,
      settings,
      async disturb(random) {
        proxy.refuse();
        await pause(random.int(0, 1_500));
        proxy.accept();
      },
    });
    assert.ok(lost > 0, 'no feed noticed that its connection was cut');
  });
});

interface RunOptions {
  readonly nodes: number;
  /** Of the servers, where it is not the place's. */
  readonly settings?: StorePlace['settings'];
  /** Done again and again beside the rounds. */
  disturb?(random: Seeded, servers: readonly ServerProcess[]): Promise<void>;
}

/** What happened during the rounds, so that a run in which nothing happened is seen. */
interface Happened {
  rounds: number;
  inside_bundles: number;
  other_node: number;
  readonly by: Record<Transport, number>;
}

interface World {
  readonly servers: readonly ServerProcess[];
  readonly proxies: readonly TcpProxy[];
  readonly random: Seeded;
  readonly token: string;
  readonly happened: Happened;
}

async function run(
  t: TestContext,
  place: StorePlace,
  { nodes, settings = place.settings, disturb }: RunOptions,
): Promise<{ lost: number; gaps: number }> {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const world = await open(t, { nodes, settings, random });
  const writers = Array.from({ length: WRITERS }, (_, at) => writer(world, at));
  while (rowsOf(writers) < ROWS_BEFORE) {
    await Promise.all(writers.map((one) => one.pushOnce(BUNDLE_ROWS)));
  }
  for (const one of writers) one.start();
  let over = false;
  const disturbing = (async () => {
    while (!over && disturb !== undefined) {
      await disturb(random, world.servers);
      await pause(random.int(500, 2_000));
    }
  })();
  // Some have nothing, some begin with what is new, some go on from a row.
  const places = [ZERO_HLC, null, writers[0]?.acknowledged.at(-200)?.version as string];
  const devices = Array.from({ length: DEVICES }, (_, at) => {
    const filter = at % FILTERED_EVERY === 0 ? { collections: ['notes'] } : {};
    return new LiveDevice(places[at % places.length] as string | null, filter);
  });
  await Promise.all(devices.map((device) => rounds(device, world)));
  over = true;
  await disturbing;
  await Promise.all(writers.map((one) => one.stop()));
  await settle(t, { place, devices, writers, world });
  const lost = feedsLost(world);
  const gaps = await gapRows(world);
  t.diagnostic(`${lost} feeds broke, ${gaps} rows were read that no feed told`);
  report(t, world);
  return { lost, gaps };
}

async function open(
  t: TestContext,
  {
    nodes,
    settings,
    random,
  }: Required<Pick<RunOptions, 'nodes' | 'settings'>> & { random: Seeded },
): Promise<World> {
  const servers = await Promise.all(
    Array.from({ length: nodes }, () =>
      ServerProcess.start({
        store: settings,
        cwd: scratchFolder(t),
        env: {
          SYNC_STREAM__MAX_CONNECTIONS_PER_ACTOR: '100',
          SYNC_STREAM__MAX_EVENTS_PER_ACTOR: '100',
        },
      }),
    ),
  );
  t.after(() => Promise.all(servers.map((server) => server.kill())));
  const proxies = await Promise.all(
    servers.map(({ port }) =>
      TcpProxy.start(t, { port, answerBytes: () => random.int(1, CUT_WITHIN_BYTES) }),
    ),
  );
  const happened = { rounds: 0, inside_bundles: 0, other_node: 0, by: { websocket: 0, events: 0 } };
  return { servers, proxies, random, token: await tokenFor('ann', SCOPE), happened };
}

function writer({ servers, random, token }: World, at: number): LiveTraffic {
  return new LiveTraffic({
    ...{ token, client_id: `writer-${at}`, rows: BUNDLE_ROWS, idle_ms: 30 },
    random: seeded(random.int(0, 2 ** 31)),
    target: () => (servers[(at + 1) % servers.length] as ServerProcess).url,
  });
}

function rowsOf(writers: readonly LiveTraffic[]): number {
  return writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
}

/** Connects, breaks off at a random row or moment, rests, and goes on elsewhere. */
async function rounds(device: LiveDevice, world: World): Promise<void> {
  const { random, servers, proxies, happened, token } = world;
  let before = -1;
  for (let round = 0; round < ROUNDS_EACH; round += 1) {
    const node = random.int(0, servers.length - 1);
    const transport = random.pick<Transport>(['websocket', 'events']);
    const through = random.chance(0.4) ? proxies : servers;
    const { url } = through[node] as { readonly url: string };
    const link = device.connect({ url, token, transport });
    const goal = device.rows.length + random.int(1, 120);
    const reached = device.until(() => device.rows.length >= goal);
    await Promise.race([reached, link.ended, pause(random.int(50, ROUND_MS))]);
    link.destroy();
    await link.ended;
    happened.rounds += 1;
    happened.by[transport] += 1;
    if (device.isInsideBundle) happened.inside_bundles += 1;
    if (before >= 0 && node !== before) happened.other_node += 1;
    before = node;
    await pause(random.chance(0.2) ? random.int(500, 2_000) : random.int(0, 100));
  }
}

/** The last connection of each device must bring it to the head of the log. */
async function settle(
  t: TestContext,
  of: {
    readonly place: StorePlace;
    readonly devices: readonly LiveDevice[];
    readonly writers: readonly LiveTraffic[];
    readonly world: World;
  },
): Promise<void> {
  const { place, devices, writers, world } = of;
  const { rows: log } = await checked(place, writers);
  await Promise.all(
    devices.map(async (device, at) => {
      const server = world.servers[at % world.servers.length] as ServerProcess;
      const transport = at % 2 === 0 ? 'websocket' : 'events';
      const link = device.connect({ url: server.url, token: world.token, transport });
      // Where a device that begins with what is new began is known once it is answered.
      let last: string | undefined;
      const isThere = () => {
        if (device.began === undefined) return false;
        last ??= rowsFor(device, log).at(-1)?.version ?? '';
        return (device.place ?? '') >= last;
      };
      const arrived = device.until(isThere);
      await Promise.race([arrived, link.ended, pause(CATCH_UP_MS, undefined, { ref: false })]);
      // A row that came once too often would come now.
      await pause(200);
      link.destroy();
      assert.ok(isThere(), `device ${at} stayed at ${device.place} before ${last}`);
    }),
  );
  for (const [at, device] of devices.entries()) {
    assert.deepEqual(deviceFaults(device, log), [], `device ${at} began at ${device.began}`);
  }
  const delivered = devices.reduce((sum, { rows }) => sum + rows.length, 0);
  t.diagnostic(`${log.length} rows in the log, ${delivered} rows delivered`);
}

async function checked(place: StorePlace, writers: readonly LiveTraffic[]) {
  const state = await place.read();
  assert.deepEqual(faultsOf(state), []);
  const acknowledged = writers.flatMap((one) => one.acknowledged);
  assert.deepEqual(lostMutations(state.rows, acknowledged), []);
  assert.equal(state.rows.length, acknowledged.length);
  return state;
}

/** How often a server said that its feed broke. */
function feedsLost({ servers }: World): number {
  return servers.reduce(
    (sum, { output }) => sum + output.split('change feed is gone').length - 1,
    0,
  );
}

/** Rows that the feeds left out. */
async function gapRows({ servers }: World): Promise<number> {
  const pages = await Promise.all(
    servers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
  );
  return pages.reduce((sum, page) => {
    const found = /^sync_feed_gap_rows_total(?:\{\})? (\d+)/m.exec(page);
    return sum + Number(found?.[1] ?? 0);
  }, 0);
}

function report(t: TestContext, { happened, proxies, servers }: World): void {
  const cuts = proxies.reduce((sum, proxy) => sum + proxy.cuts, 0);
  const { rounds: count, inside_bundles, other_node, by } = happened;
  t.diagnostic(`${count} rounds: ${by.websocket} sockets, ${by.events} event streams`);
  t.diagnostic(`${inside_bundles} broke off inside a bundle, ${cuts} connections were cut`);
  assert.ok(count >= 50 && by.websocket > 0 && by.events > 0);
  assert.ok(inside_bundles > 0, 'no client broke off inside a bundle');
  assert.ok(cuts > 0, 'no connection was cut');
  if (servers.length > 1) assert.ok(other_node > 0, 'no client went on at another node');
}
