/** Rows W of the catalogue: handshakes and messages of the stream, on a real engine. */

import { WebSocket } from 'ws';
import { asJson, type Reply } from '../support/call.ts';
import { bearer } from '../support/world.ts';
import { type Input, type Inputs, raw, ZERO } from './inputs.ts';

const ASK =
  'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const AHEAD = '20990101T000000.000Z-0000-a1b2';

function handshake(more = '', target = '/sync/stream', method = 'GET'): Input {
  return raw(`${method} ${target} HTTP/1.1\r\n${ASK}${more}\r\n`);
}

/** Opens a connection, does something with it, and waits for its end. */
function talk(
  act: (ws: WebSocket) => void,
  headers: () => Record<string, string> = withToken,
): Input {
  return (world) =>
    new Promise<Reply>((resolve, reject) => {
      const ws = new WebSocket(`ws://127.0.0.1:${world.port}/sync/stream`, { headers: headers() });
      let text = '';
      ws.on('error', reject);
      ws.on('open', () => act(ws));
      ws.on('message', (data) => {
        text = String(data);
      });
      ws.on('close', (close) => {
        const { code, ...told } = asJson(text) ?? {};
        const json = { ...told, ...(code === undefined ? {} : { error: code }) };
        resolve({ status: 101, headers: {}, text, json, close });
      });
    });
}

const withToken = (): Record<string, string> => ({ authorization: bearer() });
const withoutToken = (): Record<string, string> => ({});

function say(message: unknown, headers = withToken): Input {
  return talk(
    (ws) => ws.send(typeof message === 'string' ? message : JSON.stringify(message)),
    headers,
  );
}

const subscribe = (more: object = {}): object => ({ type: 'subscribe', since: ZERO, ...more });

/** Inputs of these rows. */
export const STREAM_INPUTS: Inputs = {
  W1: {
    'target //': handshake('', '//'),
    'target http://[': handshake('', 'http://['),
    '10 kB': handshake('', `/${'a'.repeat(10_000)}`),
  },
  W2: {
    'bad key': raw(`GET /sync/stream HTTP/1.1\r\n${ASK.replace('dGhl', '')}\r\n`),
    'bad version': raw(`GET /sync/stream HTTP/1.1\r\n${ASK.replace('13', '7')}\r\n`),
  },
  W3: {
    token: handshake('', '/sync/stream?token=a'),
    access_token: handshake('', '/sync/stream?access_token=a'),
  },
  W4: {
    foreign: handshake('Origin: https://evil.example\r\n'),
    null: handshake('Origin: null\r\n'),
  },
  W5: { silent: talk(() => {}), 'silent without a token': talk(() => {}, withoutToken) },
  W6: {
    ping: say({ type: 'ping' }, withoutToken),
    unsubscribe: say({ type: 'unsubscribe' }, withoutToken),
  },
  W7: {
    'no JSON': say('hello'),
    null: say('null'),
    array: say('[]'),
    'unknown type': say({ type: 'publish' }),
  },
  W8: { binary: talk((ws) => ws.send(Buffer.from('{}'), { binary: true })) },
  W9: { '64 KiB + 1': say('x'.repeat(65_537)) },
  W11: {
    '41 messages': talk((ws) => {
      for (let count = 0; count < 41; count += 1) ws.send('{"type":"ack"}');
    }),
  },
  W13: {
    'other subject': talk((ws) => {
      ws.send(JSON.stringify(subscribe()));
      ws.send(
        JSON.stringify({ type: 'auth', token: bearer({ sub: 'bob' }).slice('Bearer '.length) }),
      );
    }),
  },
  W15: { 'foreign scope_id': say(subscribe({ scope_id: 's2' })) },
  W16: {
    pruned: (world, seeds) => {
      const scoped = (): Record<string, string> => ({ authorization: bearer({ scopes: 's3' }) });
      return say(subscribe({ since: seeds.pruned }), scoped)(world, seeds);
    },
  },
  W17: {
    junk: say(subscribe({ since: 'now' })),
    absent: say({ type: 'subscribe' }),
    future: say(subscribe({ since: AHEAD })),
  },
  W18: {
    forbidden: say(subscribe({ collections: ['hidden'] })),
    unknown: say(subscribe({ collections: ['nothing'] })),
  },
  W23: { subprotocol: handshake('Sec-WebSocket-Protocol: graphql-ws\r\n') },
  W24: {
    POST: handshake('', '/sync/stream', 'POST'),
    'another path': handshake('', '/sync/pull'),
    h2c: raw(
      'GET /sync/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
    ),
  },
};
