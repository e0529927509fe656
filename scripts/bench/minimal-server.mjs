/**
 * The baseline: a minimal Hono + SQLite + WebSocket server without any guarantee. No validation, no
 * receipts, no conflicts, no scopes, no token: one transaction per push, the whole state in one
 * response, rows after a number, every row to every socket and event stream. Usage: `node minimal-server.mjs <file.db>`; prints its port.
 */

import { createAdaptorServer } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { WebSocketServer } from 'ws';
import { openDatabase } from './raw-sqlite.mjs';

const db = openDatabase(process.argv[2]);
db.exec(`
  CREATE TABLE docs (id TEXT PRIMARY KEY, json TEXT NOT NULL, pos INTEGER NOT NULL);
  CREATE TABLE log (pos INTEGER PRIMARY KEY, id TEXT NOT NULL, json TEXT NOT NULL);
`);
const insertLog = db.prepare('INSERT INTO log (id, json) VALUES (?, ?)');
const putDoc = db.prepare('INSERT OR REPLACE INTO docs (id, json, pos) VALUES (?, ?, ?)');
const rowsAfter = db.prepare('SELECT pos, id, json FROM log WHERE pos > ? ORDER BY pos LIMIT ?');
const allDocs = db.prepare('SELECT id, json FROM docs ORDER BY id');
const begin = db.prepare('BEGIN');
const commit = db.prepare('COMMIT');

const sockets = new WebSocketServer({ noServer: true });
const readers = new Set();
const eventStreams = new Set();
const app = new Hono();

app.post('/push', async (c) => {
  const { changes } = await c.req.json();
  begin.run();
  const rows = [];
  for (const { id, data } of changes) {
    const json = JSON.stringify(data);
    const pos = Number(insertLog.run(id, json).lastInsertRowid);
    putDoc.run(id, json, pos);
    rows.push({ pos, id, json });
  }
  commit.run();
  for (const row of rows) tell(changeText(row));
  return c.json({ pos: rows.at(-1).pos });
});

app.get('/pull', (c) => {
  const rows = rowsAfter.all(Number(c.req.query('since') ?? 0), 500);
  return c.json({ rows: rows.map(({ pos, id, json }) => ({ pos, id, data: JSON.parse(json) })) });
});

app.get('/full', () => {
  const lines = [];
  for (const { id, json } of allDocs.iterate()) lines.push(`{"id":"${id}","data":${json}}\n`);
  return new Response(lines.join(''), { headers: { 'content-type': 'application/x-ndjson' } });
});

app.get('/events', (c) => {
  const { outgoing } = c.env;
  outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
  outgoing.flushHeaders();
  eventStreams.add(outgoing);
  outgoing.on('close', () => eventStreams.delete(outgoing));
  return RESPONSE_ALREADY_SENT;
});

function tell(text) {
  for (const client of readers) client.send(text);
  for (const stream of eventStreams) stream.write(`data: ${text}\n\n`);
}

function changeText({ pos, id, json }) {
  return `{"type":"change","pos":${pos},"id":"${id}","data":${json}}`;
}

/** A client says from where on, and gets the rows after it. */
sockets.on('connection', (client) => {
  client.on('message', (message) => {
    const { since } = JSON.parse(message);
    readers.add(client);
    for (const row of rowsAfter.all(since, 500)) client.send(changeText(row));
    client.send('{"type":"caught_up"}');
  });
  client.on('close', () => readers.delete(client));
});

const server = createAdaptorServer({ fetch: app.fetch });
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
// Keeps the handle referenced, too: the driver closes a database that nothing refers to.
process.on('SIGTERM', () => {
  db.close();
  process.exit(0);
});
