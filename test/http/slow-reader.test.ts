import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startServer } from '../../src/http/server.ts';
import { fakeApp, HEAD } from './support/fake-app.ts';

test('[HT-29] a caller that stops reading is cut', async () => {
  const line = `${'x'.repeat(1_000_000)}\n`;
  let finished: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    finished = resolve;
  });
  function* lines() {
    try {
      for (;;) yield line;
    } finally {
      finished();
    }
  }
  const { app } = fakeApp({
    full: async () => ({
      last_seq: HEAD,
      head: HEAD,
      head_bundle_seq: 1,
      cursor: null,
      chunks: lines() as unknown as readonly string[],
      count: 0,
    }),
  });
  const timeouts = { idle: 200 };
  const server = await startServer(app, { host: '127.0.0.1', port: 0, drain_ms: 0, timeouts });
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(
    'GET /sync/full?collections=tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s1\r\n\r\n',
  );
  await released;
  assert.ok(!socket.destroyed, 'the server must have ended it');
  socket.destroy();
  await server.close(0);
});
