/**
 * The cheapest HTTP/1.1 client that is still correct for the two servers it talks to: one request
 * in flight per socket, answers by Content-Length or chunks. Both sides of a comparison use it, so
 * that the load generator does not eat the second core.
 */

import net from 'node:net';

/** One keep-alive connection. */
export class Connection {
  #socket;
  #buffer = Buffer.alloc(0);
  #waiting;

  static open(port) {
    const connection = new Connection();
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => {
        resolve(connection);
      });
      socket.on('error', (error) => {
        reject(error);
        connection.#fail(error);
      });
      socket.on('close', () => connection.#fail(new Error('the server closed the connection')));
      socket.on('data', (chunk) => connection.#take(chunk));
      connection.#socket = socket;
    });
  }

  /** False once the server has closed it, as servers do with a connection that is idle for seconds. */
  get isOpen() {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  /** Sends prepared bytes and resolves with `{ status, body }`. */
  send(bytes) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) throw new Error('the connection is closed');
      this.#waiting = { resolve, reject };
      this.#socket.write(bytes);
    });
  }

  close() {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #fail(error) {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #take(chunk) {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const answer = parseAnswer(this.#buffer);
    if (answer === undefined || this.#waiting === undefined) return;
    this.#buffer = this.#buffer.subarray(answer.end);
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(answer);
  }
}

/** Bytes of a POST with a JSON body. */
export function postBytes(path, body, token) {
  const text = JSON.stringify(body);
  const auth = token === null ? '' : `Authorization: Bearer ${token}\r\n`;
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${auth}Content-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

function parseAnswer(buffer) {
  const headEnd = buffer.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = buffer.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length !== null) {
    const end = headEnd + 4 + Number(length[1]);
    return buffer.length < end
      ? undefined
      : { status, body: buffer.subarray(headEnd + 4, end), end };
  }
  return chunkedAnswer(buffer, headEnd + 4, status);
}

function chunkedAnswer(buffer, start, status) {
  const parts = [];
  let at = start;
  for (;;) {
    const lineEnd = buffer.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(buffer.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (buffer.length < end) return undefined;
    if (size === 0) return { status, body: Buffer.concat(parts), end };
    parts.push(buffer.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = end;
  }
}
