/** A push whose body is held back: a request that is in flight for as long as a test wants. */

import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';

/** A request that the server has begun to read. */
export interface HalfPush {
  /** Sends the rest and resolves with status and body. */
  finish(): Promise<{ status: number; body: string }>;
}

/** Sends the head and half of the body. The server's "100 Continue" shows that it has the request. */
export async function beginPush(port: number, token: string, body: string): Promise<HalfPush> {
  const half = Math.floor(body.length / 2);
  const sent: ClientRequest = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/sync/push',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      expect: '100-continue',
    },
  });
  // An error belongs to the test only when it waits for the answer.
  sent.on('error', () => {});
  sent.flushHeaders();
  await once(sent, 'continue');
  sent.write(body.slice(0, half));
  return {
    async finish() {
      const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
      sent.end(body.slice(half));
      const [response] = await answered;
      response.setEncoding('utf8');
      let text = '';
      for await (const part of response) text += part;
      return { status: response.statusCode ?? 0, body: text };
    },
  };
}
