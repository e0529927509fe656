/** What a program hands to `createSyncServer`: users, a client, a logger, keys, and what is refused. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MongoClient } from 'mongodb';
import {
  ConfigError,
  createSyncServer,
  SetupError,
  StoreError,
  type SyncServer,
  type SyncServerOptions,
} from '../../src/index.ts';
import { rawToken, TEST_SECRET } from '../auth/raw-token.ts';
import { COLLECTIONS, freshPlace, openServer, PLACES } from './support/embedded-app.ts';

const onMongo = PLACES.includes('mongo');
const PULL = '/sync/pull?since=19700101T000000.000Z-0000';

function ask(sync: SyncServer, path: string, headers: Record<string, string>): Promise<Response> {
  return sync.fetch(new Request(`http://app${path}`, { headers }));
}

async function facts(answer: Response): Promise<unknown> {
  const { error, details } = (await answer.json()) as { error?: string; details?: object };
  return { status: answer.status, error, ...details };
}

test('[LB-5] users are known by whatever the application knows them by', async (t) => {
  const auth: SyncServerOptions['auth'] = {
    async authenticate(request: Request) {
      const cookie = request.headers.get('cookie');
      if (cookie === 'broken') return { actor_id: '', scope_ids: ['red'] };
      if (cookie === 'homeless') return { actor_id: 'ann', scope_ids: [] };
      return cookie === null ? null : { actor_id: cookie, scope_ids: ['red'] };
    },
    authorize: ({ actor_id }, collection, action) =>
      actor_id === 'ann' || (collection === 'tasks' && action === 'pull'),
  };
  const sync = await openServer(t, await freshPlace(t, 'embedded'), { auth });
  assert.equal((await ask(sync, PULL, { cookie: 'ann' })).status, 200);
  assert.deepEqual(await facts(await ask(sync, PULL, {})), {
    ...{ status: 401, error: 'authentication_failed', reason: 'token_missing' },
  });
  const forbidden = await ask(sync, `${PULL}&collections=notes`, { cookie: 'bob' });
  assert.deepEqual(
    [forbidden.status, (await forbidden.json()).error],
    [403, 'collection_forbidden'],
  );
  assert.equal((await ask(sync, `${PULL}&collections=tasks`, { cookie: 'bob' })).status, 200);
  assert.equal((await ask(sync, PULL, { cookie: 'homeless' })).status, 403);
  assert.equal((await ask(sync, PULL, { cookie: 'broken' })).status, 500);
});

test('[LB-5] without functions, tokens are checked as the keys of auth say', async (t) => {
  const sync = await openServer(t, await freshPlace(t, 'embedded'), {
    auth: { secret: TEST_SECRET },
  });
  const payload = { sub: 'ann', exp: Math.floor(Date.now() / 1000) + 600 };
  const good = { authorization: `Bearer ${rawToken({ payload })}` };
  assert.equal((await ask(sync, PULL, good)).status, 200);
  assert.equal((await ask(sync, PULL, { 'x-user': 'ann' })).status, 401);
});

test('[LB-5] nobody is let in by accident: no key and mode none are refused', async (t) => {
  const place = await freshPlace(t, 'embedded');
  const keys = { collections: COLLECTIONS, auto_init: true, ...place.options };
  await assert.rejects(createSyncServer(keys), namesKey('auth.secret'));
  await assert.rejects(
    createSyncServer({ ...keys, auth: { mode: 'none' } }),
    namesKey('auth.mode'),
  );
});

test('[LB-7] the keys are those of the file: faults are named, no environment is read unasked', async (t) => {
  const place = await freshPlace(t, 'embedded');
  const keys = { collections: COLLECTIONS, ...place.options, auth: { authenticate: () => null } };
  const wrong = { ...keys, colections: ['a'], port: -1 } as SyncServerOptions;
  await assert.rejects(createSyncServer(wrong), (error: Error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.problems.map(({ key }) => key).sort(), ['colections', 'port']);
    return true;
  });
  const { collections: _, ...none } = keys;
  await assert.rejects(createSyncServer(none), namesKey('collections'));
  await assert.rejects(createSyncServer(keys), (error: Error) => error instanceof SetupError);
  const env = { SYNC_AUTO_INIT: 'true', SYNC_PUSH__ENABLED: 'false' };
  const sync = await openServer(t, place, { auto_init: false, env });
  const features = (await (await ask(sync, '/sync/capabilities', { 'x-user': 'ann' })).json()) as {
    features: { push: boolean };
  };
  assert.equal(features.features.push, false);
});

test('[LB-8] lines go to the logger of the application, with the listed fields only', async (t) => {
  const lines: { level: string; event?: string; fields: object }[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    assert.ok(message.length > 0);
    lines.push({ level, ...(fields as { event?: string }), fields });
  };
  const logger = {
    ...{ error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') },
    isLevelEnabled: (level: string) => level !== 'debug',
  };
  const sync = await openServer(t, await freshPlace(t, 'embedded'), { logger });
  await ask(sync, '/sync/pull?since=junk', { 'x-user': 'ann' });
  await sync.close();
  const events = lines.map(({ level, event }) => `${level} ${event}`);
  assert.deepEqual(events, ['info http.request', 'info server.draining', 'info server.stopped']);
  assert.ok(!JSON.stringify(lines).includes('junk'));
});

describe('mongo: library options', { skip: !onMongo }, () => {
  test('[LB-4] a shared client is used as it is and stays open', async (t) => {
    const place = await freshPlace(t, 'mongo', { useBigInt64: true, appName: 'mine' });
    const client = place.client as MongoClient;
    const sync = await openServer(t, place);
    const body = JSON.stringify({
      client_id: 'c1',
      changes: [{ collection: 'tasks', doc_id: 't1', operation: 'upsert', data: { n: 2 ** 40 } }],
    });
    const headers = { 'Content-Type': 'application/json', 'x-user': 'ann' };
    const push = await sync.fetch(
      new Request('http://app/sync/push', { method: 'POST', headers, body }),
    );
    assert.equal(push.status, 200, await push.clone().text());
    const pull = (await (await ask(sync, PULL, headers)).json()) as { changes: { data: object }[] };
    assert.deepEqual(
      pull.changes.map(({ data }) => data),
      [{ n: 2 ** 40 }],
    );
    await sync.close();
    const stored = await client.db(place.database).collection('tasks').findOne({});
    assert.equal(stored?.['n'], 2n ** 40n);
  });

  test('[LB-4] a client that would weaken a promise, or is no client of this driver, is refused', async (t) => {
    const place = await freshPlace(t, 'mongo');
    const uri = process.env['SYNC_TEST_MONGODB_URI'] as string;
    for (const weak of [{ w: 1 }, { readPreference: 'secondary' }, { journal: false }] as const) {
      const client = new MongoClient(uri, weak);
      t.after(() => client.close());
      await assert.rejects(openServer(t, place, { client }), unsupported(/leave out/));
    }
    const stranger = { db: () => {}, options: {} } as unknown as MongoClient;
    await assert.rejects(openServer(t, place, { client: stranger }), unsupported(/npm ls mongodb/));
    await assert.rejects(openServer(t, place, { mongodb_uri: uri }), namesKey('mongodb_uri'));
  });
});

function namesKey(key: string): (error: Error) => boolean {
  return (error) => {
    assert.ok(error instanceof ConfigError, String(error));
    assert.deepEqual(
      error.problems.map((problem) => problem.key),
      [key],
    );
    return true;
  };
}

function unsupported(message: RegExp): (error: Error) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.kind, 'unsupported');
    assert.match(error.message, message);
    return true;
  };
}
