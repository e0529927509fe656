/** A proxy between driver and server that can swallow the answer of one command. */

import { once } from 'node:events';
import net from 'node:net';

/** A running proxy. */
export interface LossyProxy {
  /** URI of the server through the proxy. */
  readonly uri: string;
  /** The next message that holds `command` reaches the server; its answer cuts the connection. */
  loseAnswerOf(command: string): void;
  /** How many answers were lost. */
  readonly lost: number;
  close(): Promise<void>;
}

/** Starts a proxy in front of the server of `uri`. */
export async function startLossyProxy(uri: string): Promise<LossyProxy> {
  const target = new URL(uri);
  let wanted: string | undefined;
  let lost = 0;
  const sockets = new Set<net.Socket>();
  const proxy = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname);
    let losing = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (message: Buffer) => {
      if (wanted !== undefined && message.includes(wanted)) {
        wanted = undefined;
        losing = true;
      }
      far.write(message);
    });
    far.on('data', (message: Buffer) => {
      if (losing) {
        lost += 1;
        near.destroy();
      } else {
        near.write(message);
      }
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as net.AddressInfo;
  return {
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    loseAnswerOf: (command) => {
      wanted = command;
    },
    get lost() {
      return lost;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
