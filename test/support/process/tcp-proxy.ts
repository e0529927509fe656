/**
 * A proxy for any protocol over TCP, whose connections can be cut, cut after so many bytes, or left
 * open without a word: what a network does to connections that last.
 */

import { once } from 'node:events';
import net from 'node:net';
import type { TestContext } from 'node:test';

/** What a proxy does from its start. */
export interface ProxyOptions {
  /** Port of the server behind it. */
  readonly port: number;
  /** After how many bytes of answer a new connection is cut; undefined = never. */
  answerBytes?(): number | undefined;
  /** After those bytes it is left open without a word instead. */
  readonly thenSilent?: boolean;
  /** Hears every byte that the server sent, by connection. */
  onAnswer?(connection: number, bytes: Buffer): void;
}

interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
  frozen: boolean;
}

/** A running proxy. */
export class TcpProxy {
  readonly port: number;
  /** Connections that it cut by itself. */
  cuts = 0;
  readonly #server: net.Server;
  readonly #options: ProxyOptions;
  readonly #pairs = new Set<Pair>();
  #refusing = false;
  #count = 0;

  private constructor(server: net.Server, options: ProxyOptions) {
    this.port = (server.address() as net.AddressInfo).port;
    this.#server = server;
    this.#options = options;
    server.on('connection', (near: net.Socket) => this.#join(near));
  }

  /** Starts a proxy; it ends with the test. */
  static async start(t: TestContext, options: ProxyOptions): Promise<TcpProxy> {
    const server = net.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server, options);
    t.after(() => {
      proxy.cut();
      proxy.#server.close();
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Cuts every connection. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      this.cuts += 1;
      near.destroy();
      far.destroy();
    }
  }

  /** Cuts every connection, and every new one at once, until `accept`. */
  refuse(): void {
    this.#refusing = true;
    this.cut();
  }

  accept(): void {
    this.#refusing = false;
  }

  /** From now on no byte passes on the open connections, both ways, and no end does: a lost route. */
  freeze(): void {
    for (const pair of this.#pairs) {
      pair.frozen = true;
      pair.near.pause();
      pair.far.pause();
    }
  }

  #join(near: net.Socket): void {
    if (this.#refusing) {
      near.on('error', () => {});
      near.destroy();
      return;
    }
    const far = net.connect(this.#options.port, '127.0.0.1');
    const pair: Pair = { near, far, frozen: false };
    const number = this.#count;
    let left = this.#options.answerBytes?.() ?? Number.POSITIVE_INFINITY;
    this.#count += 1;
    this.#pairs.add(pair);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.setNoDelay(true);
      one.on('error', () => {});
      one.once('close', () => {
        this.#pairs.delete(pair);
        if (!pair.frozen) other.destroy();
      });
      one.on('end', () => {
        if (!pair.frozen) other.end();
      });
      other.on('drain', () => {
        if (!pair.frozen) one.resume();
      });
    }
    near.on('data', (bytes) => {
      if (!pair.frozen && !far.write(bytes)) near.pause();
    });
    far.on('data', (bytes: Buffer) => {
      if (pair.frozen) return;
      this.#options.onAnswer?.(number, bytes);
      const passed = bytes.subarray(0, left);
      left -= passed.length;
      if (!near.write(passed)) far.pause();
      if (left > 0) return;
      if (this.#options.thenSilent === true) {
        pair.frozen = true;
        return;
      }
      this.cuts += 1;
      // What was passed before arrives; the reader then meets a broken connection.
      near.end(() => near.destroy());
      far.destroy();
    });
  }
}
