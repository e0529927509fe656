/** Answers that may be large: compressed for callers that accept gzip, whole or in blocks. */

import { Readable, pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import { type Exchange, type HeaderMap, reply } from './exchange.ts';
import { BLOCK_BYTES, GZIP_BYTES_MIN, GZIP_LEVEL } from './http-limits.ts';
import { acceptsGzip } from './middleware/negotiate.ts';

const gzipWhole = promisify(gzip);

/** Answers 200 with a text that is ready, compressed when it is long enough to gain [HT-14]. */
export async function replyText(
  exchange: Exchange,
  text: string,
  headers: HeaderMap,
): Promise<Response> {
  const all = { ...headers, ...varyByEncoding(exchange) };
  if (text.length < GZIP_BYTES_MIN || !wantsGzip(exchange)) {
    return reply(exchange, { status: 200, body: text, headers: all });
  }
  const body = await gzipWhole(text, { level: GZIP_LEVEL });
  return reply(exchange, {
    status: 200,
    body: new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength),
    headers: { ...all, 'Content-Encoding': 'gzip' },
  });
}

/**
 * Answers 200 with texts written in blocks. With gzip the first block is flushed, so that a caller
 * sees its first line early. A failure while the body is made aborts it: the caller sees a broken
 * body, never one that looks complete [HT-15].
 */
export function replyBlocks(
  exchange: Exchange,
  texts: Iterable<string>,
  headers: HeaderMap,
): Response {
  const all = { ...headers, ...varyByEncoding(exchange) };
  if (!wantsGzip(exchange)) {
    return reply(exchange, { status: 200, body: plainStream(texts), headers: all });
  }
  return reply(exchange, {
    status: 200,
    body: gzipStream(texts),
    headers: { ...all, 'Content-Encoding': 'gzip' },
  });
}

/** The texts as UTF-8, in blocks of `BLOCK_BYTES` and a shorter last one. */
export function* toBlocks(texts: Iterable<string>): Generator<Uint8Array> {
  let pending: Buffer[] = [];
  let size = 0;
  for (const text of texts) {
    let rest = Buffer.from(text);
    while (size + rest.length >= BLOCK_BYTES) {
      const cut = BLOCK_BYTES - size;
      yield Buffer.concat([...pending, rest.subarray(0, cut)]);
      rest = rest.subarray(cut);
      pending = [];
      size = 0;
    }
    pending.push(rest);
    size += rest.length;
  }
  if (size > 0) yield Buffer.concat(pending);
}

function plainStream(texts: Iterable<string>): ReadableStream<Uint8Array> {
  const blocks = guarded(texts);
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const next = blocks.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    cancel() {
      blocks.return(undefined);
    },
  });
}

function gzipStream(texts: Iterable<string>): ReadableStream<Uint8Array> {
  const blocks = guarded(texts);
  const packed = createGzip({ level: GZIP_LEVEL, chunkSize: BLOCK_BYTES });
  const first = blocks.next();
  if (first.done === true) {
    packed.end();
  } else {
    packed.write(first.value);
    packed.flush(constants.Z_SYNC_FLUSH);
    // The error reaches the reader through `packed`, which the pipeline destroys with it.
    pipeline(Readable.from(blocks), packed, () => {});
  }
  return Readable.toWeb(packed) as ReadableStream<Uint8Array>;
}

/** Blocks whose failure has no cause: the adapter prints whatever error a body ends with. */
function* guarded(texts: Iterable<string>): Generator<Uint8Array, undefined> {
  try {
    yield* toBlocks(texts);
    return undefined;
  } catch {
    throw new Error('the body could not be completed');
  }
}

function wantsGzip(exchange: Exchange): boolean {
  return acceptsGzip(exchange.request.headers.get('accept-encoding'));
}

function varyByEncoding(exchange: Exchange): HeaderMap {
  const before = exchange.headers['Vary'];
  return { Vary: before === undefined ? 'Accept-Encoding' : `${before}, Accept-Encoding` };
}
