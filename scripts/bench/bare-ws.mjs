/**
 * The floor of live delivery: `ws` as it comes, without a store, a caller or a message of its own. A posted
 * text goes to every socket. Usage: `node bare-ws.mjs`; prints its port.
 */

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const frame = Buffer.concat(chunks);
  for (const client of sockets.clients) client.send(frame, { binary: false });
  response.end('{}');
});
const sockets = new WebSocketServer({ server });
sockets.on('connection', (client) => {
  client.on('message', () => client.send('{"type":"caught_up"}'));
});
// A profile is written at an ordered end only.
process.on('SIGTERM', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
