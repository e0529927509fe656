/** A request that asks for another protocol and is served in plain HTTP instead. */

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Upgrade } from '../server.ts';

/** Fields that ask for the upgrade. */
const ASKING = /^(upgrade|connection|http2-settings)$/i;

/**
 * Puts the request back in front of its socket, without what asked for an upgrade. Node has taken
 * the head off and stopped parsing; a client that offers h2c (curl, Java) would wait for ever. A
 * server may go on in HTTP/1.1 (RFC 9110, 7.8), body and later requests included.
 */
export function putBack(request: IncomingMessage, socket: Duplex, rest: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!ASKING.test(name)) head += `${name}: ${rawHeaders[at + 1]}\r\n`;
  }
  const others = otherOptions(request.headers.connection);
  if (others !== '') head += `Connection: ${others}\r\n`;
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), rest]));
}

/**
 * Serves the request as a server without listeners for upgrades would, when `listener` is the only
 * one: nobody else would answer it. False = there are others, or no server is known.
 */
export function serveWithoutUpgrade(
  { request, socket, head }: Upgrade,
  listener: (...upgrade: [IncomingMessage, Duplex, Buffer]) => void,
): boolean {
  // Node keeps the server of a connection in a field that its types leave out.
  const { server, encrypted } = socket as Duplex & { server?: Server; encrypted?: boolean };
  const [first, ...others] = server?.listeners('upgrade') ?? [];
  if (server === undefined || first !== listener || others.length > 0) return false;
  putBack(request, socket, head);
  server.emit(encrypted === true ? 'secureConnection' : 'connection', socket);
  return true;
}

/** What `Connection` says beside the upgrade, such as `close`. */
function otherOptions(connection: string | undefined): string {
  const options = (connection ?? '').split(',').map((option) => option.trim());
  return options.filter((option) => option !== '' && !ASKING.test(option)).join(', ');
}
