/**
 * A proxy that lets requests through and keeps the answers to itself: when an answer has arrived
 * whole, the caller's socket is cut without a byte of it. What the server said can be looked up.
 */

import { once } from 'node:events';
import net from 'node:net';
import type { TestContext } from 'node:test';

const HEAD_END = '\r\n\r\n';

/** A running proxy. */
export interface CuttingProxy {
  readonly url: string;
  /** Bodies of the answers that nobody got, in the order of their arrival. */
  readonly kept: readonly string[];
}

/** Starts a proxy in front of a server; it ends with the test. */
export async function startCuttingProxy(t: TestContext, upstream: number): Promise<CuttingProxy> {
  const kept: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((caller) => {
    const target = net.connect(upstream, '127.0.0.1');
    for (const socket of [caller, target]) {
      sockets.add(socket);
      socket.once('close', () => {
        sockets.delete(socket);
        caller.destroy();
        target.destroy();
      });
      socket.on('error', () => {});
    }
    caller.pipe(target);
    keepAnswer(target, (body) => {
      kept.push(body);
      caller.resetAndDestroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as net.AddressInfo;
  return { url: `http://127.0.0.1:${port}`, kept };
}

function keepAnswer(target: net.Socket, onAnswer: (body: string) => void): void {
  let bytes = Buffer.alloc(0);
  target.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return;
    const head = bytes.subarray(0, end).toString('latin1');
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1]);
    const body = bytes.subarray(end + HEAD_END.length);
    if (body.length >= length) onAnswer(body.toString('utf8'));
  });
}
