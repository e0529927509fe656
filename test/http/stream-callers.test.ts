/** Who is at the other end of an open connection, asked again. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST } from './support/scripted-live.ts';
import { startStream, TOKENS } from './support/stream-world.ts';

const SUBSCRIBE = { type: 'subscribe', since: FIRST };

test('[WS-8] later the caller is asked for by the newest token', async (t) => {
  let isOldRefused = false;
  const world = await startStream(t, {
    access: {
      authenticate: (authorization, request) =>
        TOKENS.authenticate(
          isOldRefused && authorization === 'Bearer ann.s1' ? 'Bearer bad' : authorization,
          request,
        ),
    },
  });
  const [old, fresh] = [await world.connectAs('ann.s1'), await world.connectAs('ann.s1')];
  for (const client of [old, fresh]) {
    client.send(SUBSCRIBE);
    await client.heard('caught_up');
  }
  fresh.send({ type: 'auth', token: 'ann.s1,s2' });
  fresh.send({ type: 'ping' });
  await fresh.heard('pong');
  isOldRefused = true;
  world.pass(60_000);
  assert.equal((await old.closed).code, 4401);
  fresh.send({ type: 'ping' });
  await fresh.until(() => fresh.told.filter(({ type }) => type === 'pong').length === 2);
});
