/** The bytes of a request body, bounded while they arrive. */

import type { IncomingMessage } from 'node:http';
import { SyncError } from '../../protocol/errors.ts';
import type { Exchange } from '../exchange.ts';

/**
 * Reads the whole body. Throws 413 as soon as it is known to be over `limit` bytes: from
 * Content-Length before a byte is read, else while reading; the rest stays unread [HT-9].
 */
export function readBody(exchange: Exchange, limit: number): Promise<Buffer> {
  const declared = exchange.request.headers.get('content-length');
  if (declared !== null && Number(declared) > limit) throw new SyncError('body_too_large');
  return exchange.incoming === undefined
    ? readWebBody(exchange.request, limit)
    : readIncoming(exchange.incoming, limit);
}

/**
 * The adapter's own readers know no limit and copy the bytes once more, so the message is read
 * directly; small bodies arrive as one chunk and are not copied at all.
 */
function readIncoming(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  if (incoming.readableEnded) throw bodyTaken();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (finish: () => void) => {
      incoming.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      finish();
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > limit) settle(() => reject(new SyncError('body_too_large')));
    };
    const onEnd = () => settle(() => resolve(joinChunks(chunks)));
    const onGone = () => settle(() => reject(incomplete()));
    incoming.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
    if (incoming.destroyed) onGone();
  });
}

async function readWebBody(request: Request, limit: number): Promise<Buffer> {
  if (request.bodyUsed) throw bodyTaken();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > limit) throw new SyncError('body_too_large');
    chunks.push(Buffer.from(chunk));
  }
  return joinChunks(chunks);
}

function joinChunks(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
}

function incomplete(): SyncError {
  return new SyncError('invalid_request', { details: { reason: 'incomplete_body' } });
}

/** A fault of the application around: waiting for what somebody else read would never end. */
function bodyTaken(): Error {
  return new Error(
    'the body was read before it came here; mount the sync routes before body parsers',
  );
}
