/**
 * Thousands of clients in a process of their own, so that neither the server nor the writer shares a thread
 * with them. Commands come over IPC, one at a time; every answer is one message. Times are of the clock
 * that all processes of a machine share.
 */

import { RawStream } from '../raw-stream.mjs';

const LIMIT_MS = 60_000;
/** Local addresses that clients spread over, so that none runs out of ports. */
const ADDRESSES = 16;

const streams = [];
let frame = '';
let check = () => {};

const COMMANDS = { connect, expect, finish, close };
let finished;

process.on('message', async (command) => {
  try {
    process.send({ result: await COMMANDS[command.do](command) });
  } catch (error) {
    process.send({ failure: error.message });
  }
});
process.on('disconnect', () => process.exit(0));

/**
 * Opens one client per token at once and waits until each caught up and got its rows; exactly those.
 * `ms` is from the first connection attempt to the last receipt.
 */
async function connect({ port, target, tokens, first, rows }) {
  const started = process.hrtime.bigint();
  const done = everybody((stream) => stream.caughtUp && stream.changes >= rows, tokens.length);
  tokens.forEach((token, n) => {
    const from = `127.0.0.${2 + (n % ADDRESSES)}`;
    streams.push(new RawStream({ port, target, token: token ?? undefined, first, from }, onText));
  });
  const ended = await done;
  checkCounts(rows);
  return { ms: Number(ended - started) / 1e6 };
}

/** From now on every client shall get `rows` more; `finish` tells when the last one had them. */
function expect({ rows }) {
  for (const stream of streams) stream.changes = 0;
  finished = everybody((stream) => stream.changes >= rows, streams.length).then((ended) => {
    checkCounts(rows);
    return { at: String(ended), frame };
  });
  finished.catch(() => {});
  return {};
}

function finish() {
  return finished;
}

async function close() {
  await Promise.all(streams.splice(0).map((stream) => stream.close()));
  return {};
}

function onText(stream, bytes) {
  if (frame === '' && stream.changes > 0 && bytes.length > 0) frame = bytes.toString();
  check(stream);
}

/** The time at which the last of `count` clients `isDone`; rejects when one of them was cut off. */
function everybody(isDone, count) {
  frame = '';
  const left = new Set();
  let missing = count;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const some = streams.find((stream) => !left.has(stream));
      const facts = `${some?.changes} rows, caught up: ${some?.caughtUp}`;
      reject(new Error(`${missing} of ${count} clients are not done; one of them: ${facts}`));
    }, LIMIT_MS);
    check = (stream) => {
      if (stream.failure !== undefined) {
        clearTimeout(timer);
        reject(new Error(stream.failure));
      } else if (isDone(stream) && !left.has(stream)) {
        left.add(stream);
        missing -= 1;
        if (missing > 0) return;
        clearTimeout(timer);
        resolve(process.hrtime.bigint());
      }
    };
  });
}

function checkCounts(rows) {
  const wrong = streams.find((stream) => stream.changes !== rows);
  if (wrong !== undefined) throw new Error(`a client got ${wrong.changes} rows instead of ${rows}`);
}
