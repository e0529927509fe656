/** Bytes to a port and whatever comes back, for requests that no HTTP client would send. */

import { connect, type Socket } from 'node:net';
import { assertDescribed } from './described.ts';

/** A connection that keeps what it received. */
export interface RawSocket {
  readonly socket: Socket;
  text(): string;
  /** Resolves when what arrived so far fits the pattern. */
  seen(pattern: RegExp): Promise<void>;
  /** Resolves when the other side has closed, in whatever way. */
  readonly closed: Promise<void>;
}

/** Opens a connection. Resets are part of what is tested, so they are no error. */
export function openRaw(port: number): RawSocket {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  const listeners = new Set<() => void>();
  socket.on('data', (part) => {
    text += part.toString('latin1');
    for (const listener of listeners) listener();
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  return {
    socket,
    text: () => text,
    closed,
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (pattern.test(text)) resolve();
        };
        listeners.add(look);
        socket.once('close', () => reject(new Error(`closed after: ${text}`)));
        look();
      }),
  };
}

/**
 * Sends bytes and gives back everything until the other side closes. One whole answer is held
 * against the OpenAPI document [OA-4].
 */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  const raw = openRaw(port);
  // What was to be refused and is let in would stay open for ever.
  raw.seen(/^HTTP\/1\.1 101 /).then(
    () => raw.socket.destroy(),
    () => {},
  );
  raw.socket.write(bytes, 'latin1');
  await raw.closed;
  checkRaw(bytes, raw.text());
  return raw.text();
}

/** The request line is read loosely: what it cannot be read from was no request for the server either. */
function checkRaw(bytes: string, text: string): void {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const [method = '', target = ''] = (bytes.split('\r\n', 1)[0] ?? '').split(' ');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const isWhole = Number(headers['content-length'] ?? 0) === body.length;
  if (!isWhole) return;
  assertDescribed({ method, target, status: Number(statusLine.slice(9, 12)), headers, text: body });
}

/** Status and JSON body of an answer. */
export function parseRaw(text: string): { status: number; headers: string; body: unknown } {
  const [headers = '', body = ''] = text.split('\r\n\r\n');
  return {
    status: Number(headers.slice(9, 12)),
    headers,
    body: body === '' ? undefined : JSON.parse(body),
  };
}
