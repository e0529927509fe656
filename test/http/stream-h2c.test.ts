import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRaw, parseRaw, sendRaw } from './support/raw-socket.ts';
import { startStream } from './support/stream-world.ts';

const ASK =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP\r\n';
const AUTH = 'Host: x\r\nAuthorization: Bearer s1\r\nContent-Type: application/json\r\n';
const CLOSE = ASK.replace('Upgrade,', 'Upgrade, close,');

/** A push whose body is longer than one packet. */
const BODY = JSON.stringify({ client_id: 'c1', changes: [{ doc_id: 'x'.repeat(100_000) }] });

test('[WS-14] a request that offers h2c is served in HTTP/1.1: GET', async (t) => {
  const { port } = await startStream(t);
  const reply = parseRaw(await sendRaw(port, `GET /healthz HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`));
  assert.equal(reply.status, 200);
});

test('[WS-14] a request that offers h2c is served in HTTP/1.1: POST with a body', async (t) => {
  const { port } = await startStream(t);
  const head = `POST /sync/push HTTP/1.1\r\n${AUTH}${CLOSE}Content-Length: ${BODY.length}\r\n\r\n`;
  const reply = parseRaw(await sendRaw(port, head + BODY));
  assert.equal(reply.status, 200);
  assert.equal((reply.body as { results: unknown[] }).results.length, 1);
});

test('[WS-14] a request that offers h2c is served in HTTP/1.1: a body in chunks', async (t) => {
  const { port } = await startStream(t);
  const head = `POST /sync/push HTTP/1.1\r\n${AUTH}${CLOSE}Transfer-Encoding: chunked\r\n\r\n`;
  const chunks = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
  const reply = parseRaw(await sendRaw(port, head + chunks));
  assert.equal(reply.status, 200);
});

test('[WS-14] h2c on the path of the stream gets 426; another protocol than a WebSocket is no upgrade', async (t) => {
  const { port } = await startStream(t);
  const reply = parseRaw(
    await sendRaw(port, `GET /sync/stream HTTP/1.1\r\nHost: x\r\n${CLOSE}\r\n`),
  );
  assert.equal(reply.status, 426);
});

test('[WS-14] one connection may offer h2c again and again', async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on('warning', note);
  t.after(() => process.off('warning', note));
  const { port } = await startStream(t);
  const raw = openRaw(port);
  raw.socket.setMaxListeners(0);
  for (let count = 1; count <= 30; count += 1) {
    raw.socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\n${ASK}\r\n`);
    await raw.seen(new RegExp(`-${count.toString(36)}\r\n[^]*ok"}$`));
  }
  raw.socket.end();
  await raw.closed;
  assert.deepEqual(warnings, []);
});
