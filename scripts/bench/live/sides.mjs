/** The two sides of a comparison of live delivery, each spoken to in its own words. */

import { setTimeout } from 'node:timers/promises';
import { RawStream } from '../raw-stream.mjs';
import { Connection, postBytes } from '../raw-http.mjs';
import { startBareWs, startMinimal, startProduct } from '../servers.mjs';
import { newTask, pushBody } from '../tasks.mjs';

const SCOPE = 'live';
/** Sockets that one actor may have by default. */
const STREAMS_PER_ACTOR = 10;

/** `offline-sync serve`: every client with a token, every actor with as many streams as it may have. */
export async function productSide(options) {
  const server = await startProduct(options);
  const writer = new Writer(server.port);
  const token = await server.token(SCOPE);
  return {
    ...server,
    target: '/sync/stream',
    events: { target: '/sync/events?data=1', token },
    first: (since) => JSON.stringify({ type: 'subscribe', since }),
    /** A token for each of `count` clients. */
    tokens: (count) =>
      Promise.all(
        Array.from({ length: count }, (_, n) =>
          server.token(SCOPE, `reader-${Math.floor(n / STREAMS_PER_ACTOR)}`),
        ),
      ),
    bytes: (tasks) => postBytes('/sync/push', pushBody(tasks), token),
    push: (bytes) => writer.push(bytes),
    placeOf: ({ head }) => head,
    stop: () => stopped(writer, server),
  };
}

/** The minimal server. */
export async function minimalSide() {
  const server = await startMinimal();
  const writer = new Writer(server.port);
  return {
    ...server,
    target: '/',
    events: { target: '/events' },
    first: (since) => JSON.stringify({ since }),
    tokens: (count) => Array.from({ length: count }, () => null),
    bytes: (changes) => postBytes('/push', { changes }, null),
    push: (bytes) => writer.push(bytes),
    placeOf: ({ pos }) => pos,
    stop: () => stopped(writer, server),
  };
}

/** `ws` alone; a push is the text of the frame itself. */
export async function bareSide() {
  const server = await startBareWs();
  const writer = new Writer(server.port);
  return {
    ...server,
    target: '/',
    first: () => '{}',
    tokens: (count) => Array.from({ length: count }, () => null),
    bytes: (frame) => textBytes(frame),
    push: (bytes) => writer.push(bytes),
    stop: () => stopped(writer, server),
  };
}

/** One caller in closed loop, on a connection that is opened again when the server has closed it. */
class Writer {
  #port;
  #connection;

  constructor(port) {
    this.#port = port;
  }

  async push(bytes) {
    if (this.#connection?.isOpen !== true) this.#connection = await Connection.open(this.#port);
    const { status, body } = await this.#connection.send(bytes);
    if (status !== 200) throw new Error(`answer ${status}: ${body.toString().slice(0, 300)}`);
    return JSON.parse(body);
  }

  close() {
    this.#connection?.close();
  }
}

/** Starts sides, gives them to `work`, and stops them whatever happens. */
export async function withSides(starts, work) {
  const sides = [];
  try {
    for (const start of starts) sides.push(await start());
    return await work(...sides);
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
}

/** Pushes `count` rows one by one, with a pause before each; gives the place after each. */
export async function pushRows(side, count, pause_ms = 0) {
  const places = [];
  for (let n = 0; n < count; n += 1) {
    if (pause_ms > 0) await setTimeout(pause_ms);
    places.push(side.placeOf(await side.push(side.bytes([newTask()]))));
  }
  return places;
}

/** A client that caught up; `next()` resolves with the next row's arrival. */
export async function openReceiver({ port, target, first, tokens }) {
  const [token] = await tokens(1);
  let arrived = () => {};
  let failed = () => {};
  const stream = await new Promise((resolve, reject) => {
    failed = reject;
    new RawStream({ port, target, token: token ?? undefined, first: first(null) }, (one) => {
      if (one.failure !== undefined) failed(new Error(one.failure));
      else if (one.changes > 0) arrived(performance.now());
      else if (one.caughtUp) resolve(one);
    });
  });
  return {
    next: () =>
      new Promise((resolve, reject) => {
        [arrived, failed] = [resolve, reject];
      }),
    close: () => stream.close(),
  };
}

async function stopped(writer, server) {
  writer.close();
  await server.stop();
}

function textBytes(text) {
  return Buffer.from(
    `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
