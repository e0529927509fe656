/**
 * The sync server inside a plain Node server, with bearer tokens that the server checks itself.
 * Run: `AUTH_SECRET=$(openssl rand -hex 32) node examples/embed-http.mjs`, with MONGODB_URI or without.
 */

import { createServer } from 'node:http';
import process from 'node:process';
import { MongoClient } from 'mongodb';
import { createSyncServer } from 'offline-sync';

const { MONGODB_URI, MONGODB_DATABASE = 'app', DATA_DIR = './.offline-sync' } = process.env;
const client = MONGODB_URI && new MongoClient(MONGODB_URI);

const sync = await createSyncServer({
  ...(client ? { client, database_name: MONGODB_DATABASE } : { data_dir: DATA_DIR }),
  collections: ['tasks', 'notes'],
  auto_init: true,
  logger: 'warn',
  auth: { secret: process.env.AUTH_SECRET, scope_id_field: 'team' },
});

const server = createServer((request, response) => {
  if (request.url.startsWith('/sync/')) sync.handler(request, response);
  else response.end('the application');
});
server.on('upgrade', sync.handleUpgrade);
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);

process.once('SIGTERM', async () => {
  server.close();
  await sync.close();
  await client?.close();
});
