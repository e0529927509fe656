/** Readers that stop reading while much passes: each costs its own bound, and nobody else notices. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { deviceFaults, LiveDevice } from '../support/process/live-device.ts';
import type { LinkEnd, LiveLink, Transport } from '../support/process/live-link.ts';
import { forgetPeak, peakBytes, residentBytes } from '../support/process/memory.ts';
import { scratchFolder } from '../support/process/scratch.ts';
import { runSeed, type Seeded, seeded } from '../support/process/seeded.ts';
import { ServerProcess } from '../support/process/server-process.ts';
import { embeddedPlace } from '../support/process/store-place.ts';
import type { StoredRow } from '../support/process/stored-state.ts';
import { BufferWatch, subscribersUntil } from '../support/process/subscribers.ts';
import { tokenFor } from '../support/process/tokens.ts';
import { push, type WireChange } from '../support/process/wire.ts';

const SCOPE = 'paused';
const MEBIBYTE = 1_048_576;
const PAUSED: Readonly<Record<Transport, number>> = { websocket: 188, events: 12 };
const READING: Readonly<Record<Transport, number>> = { websocket: 4, events: 2 };
/** Readers that stop for a moment again and again, shorter than a reader may be slow. */
const HALTING: Readonly<Record<Transport, number>> = { websocket: 4, events: 2 };
const HALT_MS = 3_000;
/** A heap that holds what is kept for them and little of what was thrown away. */
const HEAP = { NODE_OPTIONS: '--max-old-space-size=96' };
/** 500 documents of 100 KiB: 50 MiB. */
const PUSHES = 100;
const DOCUMENTS_EACH = 5;
const DOCUMENT_BYTES = 102_400;
const RSS_GROWTH_MAX = 250 * MEBIBYTE;
/** In its socket, and one frame that does not fit: it waits outside, and all readers share it. */
const BUFFER_MAX = MEBIBYTE;
const FRAME_MAX = DOCUMENT_BYTES + 1_000;
/** A reader that takes nothing is cut off after 10 s; the rest is a slow machine. */
const CUT_OFF_MS = 40_000;
/** How long a socket is waited for whose close nobody answers. */
const CLOSE_MS = 10_000;
/** Paused readers that come back for everything they missed. */
const COMING_BACK = 4;

interface Reader {
  readonly device: LiveDevice;
  readonly link: LiveLink;
  readonly transport: Transport;
}
/** A test that hangs ends here, ms. */
const TEST_MS = 240_000;

describe('embedded: readers that stop reading', () => {
  test('[LD-6] [WS-13] [SE-7] [PR-33] 200 paused readers while 50 MiB pass: bounded, cut off, the others get all in order', {
    timeout: TEST_MS,
  }, async (t) => {
    const { server, of, place, random } = await start(t);
    const paused = await connect(t, of, PAUSED);
    const reading = await connect(t, of, READING);
    for (const { link } of paused) link.pause();
    await pass(t, of, {
      random,
      after: () => subscribersUntil(of, (list) => list.length === reading.length, CUT_OFF_MS),
    });
    const cut = performance.now();
    await endsOfPaused(paused, cut);
    const log = (await place.read()).rows;
    await gotAll(reading, log);
    await comeBack(of, paused, log.at(-1)?.version as string);
    for (const { device } of goingOn(paused)) assert.deepEqual(deviceFaults(device, log), []);
    await server.stop();
  });

  test('[LD-6] [WS-13] [SE-7] [PR-40] readers that halt again and again while 50 MiB pass: bounded, none is cut off, all in order', {
    timeout: TEST_MS,
  }, async (t) => {
    const { server, of, place, random } = await start(t, HEAP);
    const halting = await connect(t, of, HALTING);
    const gone = new AbortController();
    t.after(() => gone.abort());
    const halts = halting.map(({ link }) => halt(link, random, gone.signal));
    await pass(t, of, { random, after: () => pause(2 * HALT_MS) });
    gone.abort();
    await Promise.all(halts);
    await gotAll(halting, (await place.read()).rows);
    await server.stop();
  });
});

/** Pushes everything, looks at the server meanwhile and holds it to its bounds. */
async function pass(
  t: TestContext,
  of: Target,
  { random, after }: { readonly random: Seeded; after(): Promise<unknown> },
): Promise<void> {
  const before = residentBytes(of.pid);
  forgetPeak(of.pid);
  const watch = new BufferWatch(of, 200);
  const passed = performance.now();
  await pushAll(of, random);
  t.diagnostic(`50 MiB pushed in ${Math.round(performance.now() - passed)} ms`);
  await after();
  await watch.stop();
  const growth = peakBytes(of.pid) - before;
  t.diagnostic(`the server grew by ${toMiB(growth)} MiB over ${toMiB(before)} MiB`);
  t.diagnostic(`at most ${watch.most_bytes} bytes waited for a reader (${watch.samples} looks)`);
  t.diagnostic(`at most ${toMiB(watch.most_total_bytes)} MiB waited for all of them`);
  assert.ok(watch.most_bytes > BUFFER_MAX / 4, 'the readers were not slow: nothing waited');
  const bound = BUFFER_MAX + FRAME_MAX;
  assert.ok(watch.most_bytes <= bound, `${watch.most_bytes} bytes waited for one reader`);
  assert.ok(growth <= RSS_GROWTH_MAX, `the server grew by ${toMiB(growth)} MiB`);
}

/** Each reader has the newest row, and all before it, on the connection that it began with. */
async function gotAll(readers: readonly Reader[], log: readonly StoredRow[]): Promise<void> {
  const head = log.at(-1)?.version;
  await Promise.all(readers.map(({ device }) => device.until(() => device.place === head)));
  for (const { device, link } of readers) {
    assert.deepEqual(deviceFaults(device, log), []);
    link.destroy();
  }
}

interface Target {
  readonly url: string;
  readonly token: string;
  readonly pid: number;
}

async function start(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const random = seeded(runSeed());
  t.diagnostic(`SYNC_TEST_SEED=${random.seed}`);
  const place = embeddedPlace(t);
  const server = await ServerProcess.start({
    store: place.settings,
    cwd: scratchFolder(t),
    env: {
      ...env,
      SYNC_STREAM__MAX_CONNECTIONS_PER_ACTOR: '1000',
      SYNC_STREAM__MAX_EVENTS_PER_ACTOR: '1000',
    },
  });
  t.after(() => server.kill());
  const of: Target = { url: server.url, token: await tokenFor('ann', SCOPE), pid: server.pid };
  return { server, of, place, random };
}

async function connect(
  t: TestContext,
  { url, token }: Target,
  counts: Readonly<Record<Transport, number>>,
): Promise<Reader[]> {
  const transports = (['websocket', 'events'] as const).flatMap((transport) =>
    Array.from({ length: counts[transport] }, () => transport),
  );
  return Promise.all(
    transports.map(async (transport) => {
      const device = new LiveDevice(null, { digest });
      const link = device.connect({ url, token, transport });
      t.after(() => link.destroy());
      await device.until(() => device.caughtUp);
      return { device, link, transport };
    }),
  );
}

/** Takes a little, stops for a moment, and so on until the signal. */
async function halt(link: LiveLink, random: Seeded, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    link.pause();
    await pause(random.int(500, HALT_MS));
    link.resume();
    await pause(random.int(20, 300));
  }
}

async function pushAll({ url, token }: Target, random: Seeded): Promise<void> {
  for (let at = 0; at < PUSHES; at += 1) {
    const changes = Array.from({ length: DOCUMENTS_EACH }, (): WireChange => {
      const text = random.uuid().repeat(DOCUMENT_BYTES / 36);
      const base = { collection: 'notes', operation: 'upsert', parent_version: null } as const;
      return { ...base, doc_id: random.uuid(), data: { text }, mutation_id: random.uuid() };
    });
    await push({ url, token, client_id: 'writer' }, changes);
  }
}

/**
 * Half of the sockets read on when they were cut off and are told why; the others never do, and the
 * server waits no longer for their answer than it says.
 */
async function endsOfPaused(paused: readonly Reader[], cut: number): Promise<void> {
  const sockets = paused.filter(({ transport }) => transport === 'websocket');
  const half = sockets.slice(0, sockets.length / 2);
  const told = await Promise.all(half.map((reader) => readOn(reader)));
  for (const { code, reason } of told) assert.deepEqual([code, reason], [1013, 'slow_consumer']);
  const streams = paused.filter(({ transport }) => transport === 'events');
  for (const { code, retry } of await Promise.all(streams.map((reader) => readOn(reader)))) {
    assert.equal(code, 1000, 'an event stream ends as a whole body');
    assert.ok(retry !== undefined && retry >= 1_000, 'it says when to come again');
  }
  await pause(Math.max(0, cut + CLOSE_MS + 3_000 - performance.now()));
}

function readOn({ link }: Reader): Promise<LinkEnd> {
  link.resume();
  return link.ended;
}

/** Readers that come back: of those that were told, of those that were cut, and of the event streams. */
function goingOn(paused: readonly Reader[]): Reader[] {
  const sockets = paused.filter(({ transport }) => transport === 'websocket');
  const streams = paused.filter(({ transport }) => transport === 'events');
  return [sockets.slice(0, COMING_BACK), sockets.slice(-COMING_BACK), streams.slice(0, 2)].flat();
}

async function comeBack(of: Target, paused: readonly Reader[], head: string): Promise<void> {
  const open = openSockets(of.pid);
  const most = READING.websocket + READING.events + 20;
  assert.ok(open <= most, `${open} sockets are open: those of cut readers were not freed`);
  // What the kernel still holds for a reader that was cut is dropped with its connection.
  for (const { link } of paused) link.destroy();
  await Promise.all(
    goingOn(paused).map(async ({ device, transport }) => {
      const link = device.connect({ ...of, transport });
      await device.until(() => device.place === head);
      link.destroy();
    }),
  );
}

function openSockets(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

function digest(data: unknown): string {
  return createHash('sha1')
    .update(JSON.stringify(data ?? null))
    .digest('base64');
}

function toMiB(bytes: number): number {
  return Math.round(bytes / MEBIBYTE);
}
