/**
 * The sync server inside a Hono application, which knows its users by its own sessions.
 * Run: `node examples/embed-hono.mjs`, or with MONGODB_URI for a database that runs already.
 */

import process from 'node:process';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { MongoClient } from 'mongodb';
import { createSyncServer } from 'offline-sync';

const { MONGODB_URI, MONGODB_DATABASE = 'app', DATA_DIR = './.offline-sync' } = process.env;
const client = MONGODB_URI && new MongoClient(MONGODB_URI);
const sessions = new Map([['session-of-ann', { user: 'ann', teams: ['red'] }]]);

const sync = await createSyncServer({
  ...(client ? { client, database_name: MONGODB_DATABASE } : { data_dir: DATA_DIR }),
  collections: ['tasks', 'notes'],
  auto_init: true,
  logger: 'warn',
  auth: {
    authenticate(request) {
      const id = /session=([\w-]+)/.exec(request.headers.get('cookie') ?? '')?.[1];
      const session = sessions.get(id);
      return session ? { actor_id: session.user, scope_ids: session.teams } : null;
    },
  },
});

const app = new Hono();
app.get('/', (c) => c.text('the application'));
app.route('/', sync.app);

const server = serve(
  { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) },
  ({ port }) => console.log(`http://127.0.0.1:${port}`),
);

process.once('SIGTERM', async () => {
  server.close();
  await sync.close();
  await client?.close();
});
