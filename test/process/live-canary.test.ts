/**
 * Nothing of a scope reaches another one. Scope A is full of one secret text: in its name, its actors,
 * its ids, its fields and its content. A stranger of scope B asks for everything it may not have, with
 * A's versions, names and ids, and every byte that the server sends to it is searched for the text.
 */

import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { LiveDevice } from '../support/process/live-device.ts';
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
import { Stranger } from '../support/process/stranger.ts';
import { TcpProxy } from '../support/process/tcp-proxy.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { ZERO_HLC } from '../support/process/wire.ts';

/** In everything of scope A, and in nothing else. */
const SECRET = 'canary7Qx';
const SCOPE_A = `${SECRET}-scope`;
const SCOPE_B = 'open-scope';
/** In the content of B: the stranger's own connections must show it. */
const OWN = 'sparrow4Kd';
/** Documents of A whose ids the stranger knows; only their content is secret. */
const KNOWN_IDS = Array.from({ length: 10 }, (_, at) => `known-${at}`);
const ACTIONS = 150;
const SIDE_BY_SIDE = 5;
/** A test that hangs ends here, ms. */
const TEST_MS = 90_000;

describe('embedded: two scopes', () => {
  test('[LD-11] [PR-34] a stranger that asks for everything of another scope gets not a byte of it', {
    timeout: TEST_MS,
  }, async (t) => {
    await search(t, embeddedPlace(t));
  });
});

describe('mongo: two scopes', { skip: !HAS_MONGODB }, () => {
  test('[LD-11] [PR-35] a stranger that asks for everything of another scope gets not a byte of it', {
    timeout: TEST_MS,
  }, async (t) => {
    await search(t, await mongoPlace(t));
  });
});

async function search(t: TestContext, place: StorePlace): Promise<void> {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const server = await ServerProcess.start({
    store: place.settings,
    cwd: scratchFolder(t),
    env: { SYNC_STREAM__MAX_CONNECTIONS_PER_ACTOR: '50', SYNC_STREAM__MAX_EVENTS_PER_ACTOR: '50' },
  });
  t.after(() => server.kill());
  const { url, port } = server;
  const [a, b] = await Promise.all([
    tokenFor(`${SECRET}-actor`, SCOPE_A),
    tokenFor('stranger', SCOPE_B),
  ]);
  const owner = writer({ url, random, token: a, client_id: `${SECRET}-client` }, SECRET);
  const own = writer({ url, random, token: b, client_id: 'own' }, OWN);
  await Promise.all([owner.pushOnce(20), own.pushOnce(20)]);
  const reader = await readAsOwner(t, { port, token: a });
  owner.start();
  own.start();

  const recorded = await Recording.start(t, port);
  const stranger = new Stranger({
    ...{ url: recorded.url, token: b, random, scope_id: SCOPE_A },
    ...{ versions: () => versionsOf(owner, own), mutations: () => mutationsOf(owner) },
    doc_ids: KNOWN_IDS,
  });
  await inParallel(ACTIONS, () => stranger.act());
  await pause(300);
  stranger.leave();
  await Promise.all([owner.stop(), own.stop()]);

  const { found, bytes, connections } = recorded.search(SECRET);
  t.diagnostic(`${bytes} bytes over ${connections} connections searched; ${stranger.summary()}`);
  assert.ok(reader.recording.search(SECRET).found.length > 0, 'A itself sees its text');
  assert.ok(reader.device.rows.length > 20, 'A gets its rows');
  assert.ok(recorded.search(OWN).found.length > 20, 'the stranger sees what is its own');
  assert.deepEqual(stranger.answeredTwice, [], 'answers to mutations of A were given to B');
  assert.deepEqual(found, [], 'bytes of A');
  assert.deepEqual(stranger.unused(), [], 'ways that were not tried');
}

function writer(
  of: {
    readonly url: string;
    readonly random: Seeded;
    readonly token: string;
    readonly client_id: string;
  },
  text: string,
): LiveTraffic {
  const { url, token, client_id } = of;
  const random = seeded(of.random.int(0, 2 ** 31));
  let known = text === SECRET ? [...KNOWN_IDS] : [];
  return new LiveTraffic({
    ...{ token, client_id, random, rows: 6, idle_ms: 60 },
    target: () => url,
    newId() {
      const [next, ...rest] = known;
      known = rest;
      return next ?? `${text}-${random.uuid()}`;
    },
    newData: () => ({ [`${text}-field`]: `${text} ${random.uuid()}`, n: random.int(0, 9) }),
  });
}

/** A connection of A: it is listed as a subscriber, and proves that the search finds what is there. */
async function readAsOwner(
  t: TestContext,
  { port, token }: { readonly port: number; readonly token: string },
) {
  const recording = await Recording.start(t, port);
  const device = new LiveDevice(ZERO_HLC);
  const more = { client_id: `${SECRET}-device` };
  const link = device.connect({ url: recording.url, token, transport: 'websocket', more });
  t.after(() => link.destroy());
  await device.until(() => device.caughtUp);
  return { recording, device };
}

/** Everything that a server said on the connections of one proxy. */
class Recording {
  readonly url: string;
  readonly #pieces: Map<number, Buffer[]>;

  private constructor(url: string, pieces: Map<number, Buffer[]>) {
    this.url = url;
    this.#pieces = pieces;
  }

  static async start(t: TestContext, port: number): Promise<Recording> {
    const pieces = new Map<number, Buffer[]>();
    const proxy = await TcpProxy.start(t, {
      port,
      onAnswer: (connection, bytes) => {
        pieces.set(connection, [...(pieces.get(connection) ?? []), bytes]);
      },
    });
    return new Recording(proxy.url, pieces);
  }

  /** Where the text stands, with what is around it. */
  search(text: string): { found: string[]; bytes: number; connections: number } {
    const found: string[] = [];
    let bytes = 0;
    for (const pieces of this.#pieces.values()) {
      const all = Buffer.concat(pieces);
      bytes += all.length;
      for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1)) {
        found.push(all.toString('latin1', Math.max(0, at - 150), at + 100));
      }
    }
    return { found, bytes, connections: this.#pieces.size };
  }
}

function versionsOf(...writers: readonly LiveTraffic[]): string[] {
  return writers.flatMap(({ acknowledged }) => acknowledged.slice(-20).map((one) => one.version));
}

function mutationsOf({ acknowledged }: LiveTraffic): Map<string, string> {
  return new Map(acknowledged.slice(0, 20).map((one) => [one.mutation_id, one.version]));
}

async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, async () => {
      for (; left > 0; left -= 1) await work();
    }),
  );
}
