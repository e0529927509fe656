/**
 * The cheapest WebSocket client that is still correct for the servers it talks to: frames of a server,
 * which are whole and unmasked, counted by their type. Both sides of a comparison use it, so that the load
 * generator is the same small share of each figure.
 */

import { randomBytes } from 'node:crypto';
import net from 'node:net';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const CHANGE = '{"type":"change"';
const CAUGHT_UP = '{"type":"caught_up"';
/** One buffer for all sockets: what is read is used before the next read. */
const READ_BUFFER = Buffer.allocUnsafe(262_144);

/** One connection. `changes` counts rows, `caughtUp` says that the replay is over. */
export class RawStream {
  changes = 0;
  caughtUp = false;
  /** What ended it, unless we did. */
  failure;
  #socket;
  #first;
  #onText;
  #rest;
  #open = false;
  #closing = false;

  /**
   * `first` is the text that is sent as soon as the connection is open; `onText(stream, bytes)` is called
   * for every text frame, after it was counted; `from` is the local address.
   */
  constructor({ port, target, token, first, from = '127.0.0.1' }, onText) {
    this.#first = first;
    this.#onText = onText;
    const onread = { buffer: READ_BUFFER, callback: (size) => this.#read(size) };
    const to = { host: '127.0.0.1', localAddress: from, port, noDelay: true, onread };
    this.#socket = net.connect(to, () => this.#socket.write(handshake(target, token)));
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', () => this.#fail('the server closed the connection'));
  }

  /** Text of less than 64 KiB. The mask is zero, so the bytes are the text's own. */
  send(text) {
    this.#socket.write(maskedFrame(TEXT, Buffer.from(text)));
  }

  /** Resolves when the connection is gone. */
  close() {
    this.#closing = true;
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      this.#socket.once('close', () => resolve());
      this.#socket.destroy();
    });
  }

  #fail(message) {
    if (this.#closing || this.failure !== undefined) return;
    this.failure = message;
    this.#onText(this, '');
  }

  #read(size) {
    const fresh = READ_BUFFER.subarray(0, size);
    let bytes = this.#rest === undefined ? fresh : Buffer.concat([this.#rest, fresh]);
    if (!this.#open) bytes = this.#readHandshake(bytes);
    const used = this.#readFrames(bytes);
    this.#rest = used === bytes.length ? undefined : Buffer.from(bytes.subarray(used));
    return true;
  }

  /** What follows the handshake's answer; all of it, and nothing used, while that is not complete. */
  #readHandshake(bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return bytes;
    const answer = bytes.latin1Slice(0, end);
    if (!answer.startsWith('HTTP/1.1 101')) {
      this.#fail(answer);
      return bytes.subarray(bytes.length);
    }
    this.#open = true;
    if (this.#first !== undefined) this.send(this.#first);
    return bytes.subarray(end + 4);
  }

  /** Takes whole frames; gives how many bytes they were. */
  #readFrames(bytes) {
    let at = 0;
    while (this.#open && at + 2 <= bytes.length) {
      let length = bytes[at + 1];
      let start = at + 2;
      if (length === 126) {
        if (start + 2 > bytes.length) break;
        length = bytes.readUInt16BE(start);
        start += 2;
      } else if (length === 127) {
        if (start + 8 > bytes.length) break;
        length = Number(bytes.readBigUInt64BE(start));
        start += 8;
      }
      if (start + length > bytes.length) break;
      this.#take(bytes[at] & 0x0f, bytes.subarray(start, start + length));
      at = start + length;
    }
    return at;
  }

  #take(kind, bytes) {
    if (kind === TEXT) {
      if (bytes.latin1Slice(0, CHANGE.length) === CHANGE) this.changes += 1;
      else if (bytes.latin1Slice(0, CAUGHT_UP.length) === CAUGHT_UP) this.caughtUp = true;
      this.#onText(this, bytes);
    } else if (kind === PING) {
      this.#socket.write(maskedFrame(PONG, bytes));
    } else if (kind === CLOSE) {
      this.#fail(`closed: ${bytes.readUInt16BE(0)} ${bytes.utf8Slice(2)}`);
    }
  }
}

function handshake(target, token) {
  const auth = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  return (
    `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `${auth}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
  );
}

function maskedFrame(kind, payload) {
  const { length } = payload;
  const head = length < 126 ? 6 : 8;
  const frame = Buffer.alloc(head + length);
  frame[0] = 0x80 | kind;
  if (length < 126) {
    frame[1] = 0x80 | length;
  } else {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  }
  payload.copy(frame, head);
  return frame;
}
