/** The answer to a handshake that is refused: an ordinary HTTP answer, and the end of the connection. */

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERROR_CATALOGUE, type SyncError } from '../../protocol/errors.ts';
import { errorEnvelope, errorHeaders } from '../error-response.ts';
import { commonHeaders } from '../exchange.ts';

/** Name of what never became a request. */
export const NO_REQUEST = '-';

/** Names of the answer; `request_id` "-" = it was no request. */
export interface RefusalFacts {
  readonly request_id: string;
  readonly epoch: string;
  readonly now_ms: number;
}

/** Writes the answer and closes. */
export function refuseHandshake(socket: Duplex, error: SyncError, about: RefusalFacts): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status } = ERROR_CATALOGUE[error.code];
  const body = JSON.stringify(errorEnvelope(error, about.request_id));
  const headers = {
    ...(about.request_id === NO_REQUEST ? {} : commonHeaders(about.request_id, about)),
    ...errorHeaders(error),
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // What still arrives is thrown away: unread bytes would turn the end into a reset.
  socket.resume();
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () =>
    socket.destroy(),
  );
}
