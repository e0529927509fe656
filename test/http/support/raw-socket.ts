/** Bytes to a port and whatever comes back, for requests that no HTTP client would send. */

import { connect, type Socket } from 'node:net';

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

/** Sends bytes and gives back everything until the other side closes. */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  const raw = openRaw(port);
  raw.socket.write(bytes, 'latin1');
  await raw.closed;
  return raw.text();
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
