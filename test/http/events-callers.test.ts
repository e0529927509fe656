/** Who may read /sync/events, how often, and for how long; and who else reads: /sync/subscribers. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LiveSubscriber } from '../../src/core/ports/live.ts';
import { SyncError } from '../../src/protocol/errors.ts';
import { eventsWorld, refusal, seen, TOKEN } from './support/events-world.ts';
import { fakeApp } from './support/fake-app.ts';
import { FakeLive, versionOf } from './support/fake-live.ts';
import { HandClock } from './support/hand-clock.ts';
import { inTime } from './support/reached.ts';

describe('[SE-8] places', () => {
  test('[SE-8] a fifth stream of an actor is 429, in whatever scope; a freed place is free', async () => {
    const { open, ask, live } = eventsWorld();
    const scope = (id: string) => ({ authorization: `Bearer ${id}` });
    const streams = [];
    for (const id of ['s1', 's2', 's1', 's3']) streams.push(await open('', scope(id)));
    const fifth = await ask('/sync/events');
    assert.equal(fifth.headers.get('retry-after'), '1');
    assert.deepEqual(await refusal(fifth), [
      429,
      'rate_limited',
      'too_many_connections',
      undefined,
    ]);
    assert.equal((await ask('/sync/watch')).status, 429);
    assert.equal(live.all.length, 4);
    await streams[1]?.body.cancel();
    assert.equal((await ask('/sync/events')).status, 200);
    assert.equal((await ask('/sync/events')).status, 429);
  });
  test('[SE-8] the engine that stops refuses a stream, and the place is free again', async () => {
    const { ask, live } = eventsWorld();
    live.draining = true;
    for (let n = 0; n < 6; n += 1) assert.equal((await ask('/sync/events')).status, 503);
  });
});

describe('[SE-10] whether the caller may still read', () => {
  test('[SE-10] the end of a token ends the stream with `error`', async () => {
    const clock = new HandClock();
    const identity = { actor_id: 'ann', scope_ids: ['s1'], expires_ms: clock.now() + 30_000 };
    const access = { authenticate: async () => identity, authorize: () => true };
    const { open } = eventsWorld({ access, clock });
    const { response, body, sub } = await open();
    const reading = body.rest();
    await clock.pass(29_000);
    assert.equal(sub.closed, false);
    await clock.pass(1_000);
    const last = seen(response, await inTime(reading, () => 'the stream goes on')).at(-1);
    assert.equal(clock.sleepers, 0, 'a visit that ends the last stream ends the visits');
    assert.equal(last?.event, 'error');
    assert.deepEqual(
      [last?.data?.['code'], last?.data?.['details']],
      ['authentication_failed', { reason: 'token_expired' }],
    );
    assert.equal(sub.closed, true);
  });

  const refusals: [string, () => { actor_id: string; scope_ids: string[] }, boolean, string][] = [
    [
      'the token is refused',
      () => {
        throw new SyncError('authentication_failed');
      },
      true,
      'authentication_failed',
    ],
    ['the scope is taken', () => ({ actor_id: 'ann', scope_ids: ['s2'] }), true, 'scope_forbidden'],
    [
      'it is another actor',
      () => ({ actor_id: 'bob', scope_ids: ['s1'] }),
      true,
      'scope_forbidden',
    ],
    [
      'a collection is taken',
      () => ({ actor_id: 'ann', scope_ids: ['s1'] }),
      false,
      'collection_forbidden',
    ],
  ];
  for (const [name, later, permitted, expected] of refusals) {
    test(`[SE-10] asked again after 60 s: ${name}`, async () => {
      const clock = new HandClock();
      let identify = () => ({ actor_id: 'ann', scope_ids: ['s1'] });
      let may = true;
      const access = { authenticate: async () => identify(), authorize: () => may };
      const { open } = eventsWorld({ access, clock });
      const { response, body, sub } = await open();
      const reading = body.rest();
      await clock.pass(61_000);
      assert.equal(sub.closed, false, 'the first look found nothing');
      identify = later;
      may = permitted;
      await clock.pass(58_000);
      assert.equal(sub.closed, false);
      await clock.pass(4_000);
      const last = seen(response, await inTime(reading, () => 'the stream goes on')).at(-1);
      assert.deepEqual([last?.event, last?.data?.['code']], ['error', expected]);
      assert.equal(sub.closed, true);
    });
  }
  test('[SE-10] a check that finds a later end counts from then on', async () => {
    const clock = new HandClock();
    let expires_ms = clock.now() + 90_000;
    const authenticate = async () => ({ actor_id: 'ann', scope_ids: ['s1'], expires_ms });
    const { open } = eventsWorld({ access: { authenticate, authorize: () => true }, clock });
    const { response, body, sub } = await open();
    const reading = body.rest();
    expires_ms += 60_000;
    await clock.pass(100_000);
    assert.equal(sub.closed, false);
    await clock.pass(55_000);
    assert.equal(
      seen(response, await inTime(reading, () => 'the stream goes on')).at(-1)?.event,
      'error',
    );
  });
  test('[SE-10] a check that cannot be made leaves the stream open', async () => {
    const clock = new HandClock();
    let broken = false;
    const authenticate = async () => {
      if (broken) throw new Error('the keys cannot be reached');
      return { actor_id: 'ann', scope_ids: ['s1'] };
    };
    const { open } = eventsWorld({ access: { authenticate, authorize: () => true }, clock });
    const { body, sub } = await open();
    void body.rest();
    broken = true;
    await clock.pass(130_000);
    assert.equal(sub.closed, false);
  });
});

const READER: LiveSubscriber = {
  subscription_id: 'sub-1',
  transport: 'websocket',
  mode: 'rows',
  actor_id: 'bob',
  client_id: null,
  collections: ['tasks', 'hidden'],
  state: 'live',
  position: versionOf(1),
  behind_rows: 2,
  buffered_bytes: 512,
  stalled_ms: 40,
  sent: 7,
  since_ms: 1_777_000_000_000,
};

test('[SE-12] readers of the own scope are listed, without names of collections that are not permitted', async () => {
  const live = new FakeLive();
  live.listed.set('s1', [READER]);
  live.listed.set('s2', [{ ...READER, subscription_id: 'canary-of-s2' }]);
  const access = {
    authenticate: async (header?: string) => ({
      actor_id: 'ann',
      scope_ids: [header?.slice('Bearer '.length) ?? ''],
    }),
    authorize: (_: unknown, name: string) => name !== 'hidden',
  };
  const { app } = fakeApp({}, { live, access });
  const own = await app.request('/sync/subscribers', { headers: TOKEN });
  assert.deepEqual(await own.json(), { subscribers: [{ ...READER, collections: ['tasks'] }] });
  const other = await app.request('/sync/subscribers', {
    headers: { authorization: 'Bearer s3' },
  });
  assert.deepEqual(await other.json(), { subscribers: [] });
});
