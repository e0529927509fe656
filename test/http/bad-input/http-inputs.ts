/** Rows H and M of the bad-input catalogue: HTTP itself, on every endpoint. */

import { gzipSync } from 'node:zlib';
import { call } from '../support/call.ts';
import { openRaw, sendRaw } from '../support/raw-socket.ts';
import { bearer } from '../support/world.ts';
import { get, type Inputs, parseReply, pushText, raw, send, ZERO } from './inputs.ts';

const EMPTY_PUSH = '{"client_id":"c1","changes":[]}';
const BODY_LIMIT = 8_388_608;
const CLOSE = 'Connection: close\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const PUSH = () =>
  `POST /sync/push HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer()}\r\n${JSON_TYPE}`;

function withType(type: string) {
  return pushText(EMPTY_PUSH, { headers: { 'content-type': type } });
}

function withEncoding(encoding: string) {
  return pushText(gzipSync(EMPTY_PUSH), { headers: { 'content-encoding': encoding } });
}

function rawPush(rest: string) {
  return async (world: { port: number }) => parseReply(await sendRaw(world.port, PUSH() + rest));
}

/** The inputs by row and name. */
export const HTTP_INPUTS: Inputs = {
  H1: { unknown: get('/nowhere'), 'trailing slash': get('/sync/pull/'), '/%zz': get('/%zz') },
  H2: {
    'GET push': get('/sync/push'),
    'DELETE pull': (world) => send(world, { method: 'DELETE', path: '/sync/pull' }),
    TRACE: (world) => send(world, { method: 'TRACE', path: '/sync/pull' }),
  },
  H3: {
    'text/plain': withType('text/plain'),
    multipart: withType('multipart/form-data; boundary=x'),
    none: rawPush(`${CLOSE}Content-Type:\r\nContent-Length: 2\r\n\r\n{}`),
  },
  H4: { 'utf-16': withType('application/json; charset=utf-16') },
  H5: { declared: rawPush(`Content-Length: ${BODY_LIMIT + 1}\r\n\r\n`) },
  H6: { chunked: pushText(' '.repeat(BODY_LIMIT + 100_000), { chunked: true }) },
  H7: { 'a million [': pushText('['.repeat(1_000_000)) },
  H8: { '1 MB of [],': pushText(`[${'[],'.repeat(349_525)}0]`) },
  H9: {
    gzip: withEncoding('gzip'),
    br: withEncoding('br'),
    zstd: withEncoding('zstd'),
    nested: withEncoding('gzip, gzip'),
  },
  H11: {
    'length and chunks': rawPush(
      'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    ),
  },
  H12: {
    'two lengths': rawPush('Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'),
    'length -1': rawPush('Content-Length: -1\r\n\r\n'),
  },
  H13: {
    missing: raw(`GET /healthz HTTP/1.1\r\n${CLOSE}\r\n`),
    'a b': raw(`GET /healthz HTTP/1.1\r\nHost: a b\r\n${CLOSE}\r\n`),
    two: raw(`GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n${CLOSE}\r\n`),
  },
  H14: { '17 KiB': raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(17_000)}\r\n\r\n`) },
  H15: {
    '10 kB': get(`/sync/pull?since=${'a'.repeat(10_000)}`),
    '20 kB': raw(`GET /sync/pull?since=${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`),
  },
  H16: {
    'half a body': async (world) => {
      const { socket, closed, text } = openRaw(world.port);
      socket.end(`${PUSH()}Content-Length: ${EMPTY_PUSH.length}\r\n\r\n${EMPTY_PUSH.slice(0, 12)}`);
      await closed;
      return parseReply(text());
    },
  },
  H17: {
    'slow header': raw('GET /healthz HTTP/1.1\r\nHost: x\r\n'),
    'slow body': rawPush(`Content-Length: 100\r\n\r\n{`),
  },
  H19: { 'image/png': get(`/sync/pull?since=${ZERO}`, { accept: 'image/png' }) },
  H20: { 'half a letter': pushText(new Uint8Array([0x7b, 0x22, 0xc3, 0x22, 0x7d])) },
  H21: { BOM: pushText(`\ufeff${EMPTY_PUSH}`) },
  H22: { 'two client_ids': pushText('{"client_id":"c1","changes":[],"client_id":"c2"}') },
  H23: {
    empty: pushText(''),
    null: pushText('null'),
    '[]': pushText('[]'),
    '"x"': pushText('"x"'),
    '1': pushText('1'),
  },
  H24: {
    'trailing garbage': pushText(`${EMPTY_PUSH}x`),
    comment: pushText(`/* */${EMPTY_PUSH}`),
    'single quotes': pushText(EMPTY_PUSH.replaceAll('"', "'")),
    NaN: pushText('{"client_id":"c1","changes":NaN}'),
  },
  H25: {
    'foreign origin': (world) =>
      call(world.port, { path: '/healthz', headers: { origin: 'https://evil.example.org' } }),
  },
  H26: {
    draining: async (world) => {
      await world.engine.drain();
      return send(world, { path: `/sync/pull?since=${ZERO}` });
    },
  },
  M1: {
    'no token': (world) => call(world.port, { path: '/metrics' }),
    'another token': (world) =>
      call(world.port, { path: '/metrics', headers: { authorization: bearer() } }),
  },
};
