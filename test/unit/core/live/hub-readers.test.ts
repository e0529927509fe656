/** The hub: readers that are slow or gone, a feed that is silent, a store that fails, the end. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { LIVE_LIMITS } from '../../../../src/core/live/live-limits.ts';
import { StoreError } from '../../../../src/core/ports/store.ts';
import { SyncError } from '../../../../src/protocol/errors.ts';
import { ZERO_HLC } from '../../../../src/protocol/pure/hlc.ts';
import { commit, follow, liveWorld, Reader, settle } from '../../../support/engine/live-world.ts';
import { hlc, SCOPE } from '../../../support/engine/records.ts';

test('[LD-6] a reader that is full is left alone and gets the rest in order when it takes again', async () => {
  const world = liveWorld();
  const reader = new Reader();
  reader.room = 2;
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  for (let i = 0; i < 1_500; i += 1) world.hub.tell(SCOPE, commit(world, ['tasks', 'notes']));
  await settle();
  assert.equal(reader.rows.length, 2);
  world.store.calls.length = 0;
  for (let i = 0; i < 40; i += 1) {
    reader.take(100);
    await settle();
  }
  const seen = reader.rows.map(({ doc_id }) => Number(doc_id.slice(1)));
  assert.deepEqual(
    seen,
    Array.from({ length: 3_000 }, (_, i) => i + 1),
  );
  assert.ok(world.store.calls.includes('readRows'), 'the memory does not hold all of it');
});

test('[LD-6] a reader that takes nothing for ten seconds is cut off, one that takes a little is not', async () => {
  const world = liveWorld();
  const paused = new Reader();
  const slow = new Reader();
  const idle = new Reader();
  for (const reader of [paused, slow]) {
    reader.room = 0;
    reader.buffered_bytes = 1_000_000;
  }
  for (const reader of [paused, slow, idle]) follow(world.hub, reader);
  await settle();
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  world.hub.sweep();
  for (let second = 0; second < LIVE_LIMITS.slow_reader_ms / 1_000; second += 1) {
    assert.equal(paused.end, undefined, `after ${second} s`);
    world.clock.pass(1_000);
    if (second % 4 === 3) slow.buffered_bytes -= 1;
    world.hub.sweep();
  }
  assert.deepEqual([paused.end?.kind, slow.end, idle.end], ['slow', undefined, undefined]);
  assert.equal(world.hub.list(SCOPE).length, 2);
});

test('[LD-9] a store that fails for a while delays delivery and ends nothing', async () => {
  const world = liveWorld();
  for (let i = 0; i < 400; i += 1) commit(world, ['tasks']);
  let failures = 5;
  world.store.before = () => {
    failures -= 1;
    if (failures >= 0) throw new StoreError('unavailable', 'gone');
  };
  const reader = new Reader();
  follow(world.hub, reader, { since: ZERO_HLC });
  await settle();
  assert.equal(reader.log.length, 0);
  for (let look = 0; look < 6; look += 1) {
    await world.hub.look();
    await settle();
  }
  assert.equal(reader.rows.length, 400);
  failures = 1;
  commit(world, ['tasks']);
  world.hub.tell(SCOPE, commit(world, ['tasks']));
  await settle();
  assert.equal(reader.rows.length, 400);
  await world.hub.look();
  await settle();
  assert.equal(reader.rows.length, 402);
  assert.equal(reader.end, undefined);
});

test('[LD-10] draining ends every subscription and takes no new one', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  await world.hub.drain();
  assert.equal(reader.end?.kind, 'draining');
  assert.throws(
    () => follow(world.hub, new Reader()),
    (error) => error instanceof SyncError && error.code === 'service_unavailable',
  );
});

test('[LD-11] the list of subscribers names those of the scope, with their lag', async () => {
  const world = liveWorld();
  const reader = new Reader();
  reader.room = 1;
  reader.buffered_bytes = 70;
  follow(world.hub, reader, { client_id: 'laptop', collections: ['tasks'] });
  follow(world.hub, new Reader(), {
    context: { scope_id: 'other', identity: { actor_id: 'x', scope_ids: ['other'] } },
  });
  await settle();
  for (let i = 0; i < 3; i += 1) world.hub.tell(SCOPE, commit(world, ['tasks']));
  world.clock.pass(1_500);
  const [one, ...others] = world.hub.list(SCOPE);
  assert.equal(others.length, 0);
  assert.deepEqual(
    { ...one, subscription_id: '' },
    {
      subscription_id: '',
      transport: 'websocket',
      mode: 'rows',
      actor_id: 'actor-1',
      client_id: 'laptop',
      collections: ['tasks'],
      state: 'live',
      position: hlc(1),
      behind_rows: 2,
      buffered_bytes: 70,
      stalled_ms: 1_500,
      sent: 1,
      since_ms: world.clock.now() - 1_500,
    },
  );
  reader.subscription?.close();
  assert.deepEqual(world.hub.list(SCOPE), []);
});

test('[LD-5] a commit that the feed never told of makes it silent at the second look', async () => {
  const world = liveWorld();
  follow(world.hub, new Reader());
  await settle();
  const told = commit(world, ['tasks']);
  assert.equal(await world.hub.look(), false, 'it may be on its way');
  await settle();
  world.hub.tell(SCOPE, told);
  assert.equal(await world.hub.look(), false, 'it came');
  commit(world, ['tasks']);
  assert.equal(await world.hub.look(), false);
  assert.equal(await world.hub.look(), true, 'it did not come');
  world.hub.feedOpened();
  assert.equal(await world.hub.look(), false, 'another feed begins with a clean slate');
});

test('[LD-6] the longest stalled go first when all readers together leave too much untaken', async () => {
  const world = liveWorld({ untaken_total_bytes: 250 });
  const readers = [1, 2, 3].map(() => new Reader());
  for (const reader of readers) follow(world.hub, reader);
  await settle();
  for (const reader of [...readers].reverse()) {
    reader.room = 0;
    reader.buffered_bytes = 100;
    world.hub.tell(SCOPE, commit(world, ['tasks']));
    world.clock.pass(1_000);
    world.hub.sweep();
  }
  world.clock.pass(1_000);
  world.hub.sweep();
  assert.deepEqual(
    readers.map(({ end }) => end?.kind),
    [undefined, undefined, 'slow'],
  );
});

test('[LD-6] a scope that nobody follows is forgotten after a while, one that is followed is not', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  reader.leave();
  const looksAt = async () => {
    world.store.calls.length = 0;
    await world.hub.look();
    return world.store.calls.includes('readHeads');
  };
  world.clock.pass(LIVE_LIMITS.linger_ms - 1);
  world.hub.sweep();
  assert.equal(await looksAt(), true, 'somebody may come back');
  const back = new Reader();
  follow(world.hub, back);
  await settle();
  world.clock.pass(LIVE_LIMITS.linger_ms * 2);
  world.hub.sweep();
  assert.equal(await looksAt(), true, 'somebody came back');
  back.leave();
  world.clock.pass(LIVE_LIMITS.linger_ms - 1);
  world.hub.sweep();
  world.clock.pass(1);
  world.hub.sweep();
  assert.equal(await looksAt(), false);
  follow(world.hub, new Reader());
  await settle();
  world.clock.pass(LIVE_LIMITS.linger_ms * 2);
  world.hub.sweep();
  assert.equal(await looksAt(), true);
});

test('[LD-6] memories of many scopes together stay within their bound', async () => {
  const world = liveWorld({ memory_total_bytes: 3_000 });
  const readers = new Map<string, Reader>();
  for (let i = 0; i < 10; i += 1) {
    const scope_id = `scope-${i}`;
    const reader = new Reader();
    readers.set(scope_id, reader);
    follow(world.hub, reader, {
      context: { scope_id, identity: { actor_id: 'a', scope_ids: [scope_id] } },
    });
    await settle();
    for (let n = 0; n < 20; n += 1) world.hub.tell(scope_id, commit(world, ['tasks'], scope_id));
  }
  world.hub.sweep();
  world.store.calls.length = 0;
  const back = new Reader();
  follow(world.hub, back, {
    since: hlc(1),
    context: { scope_id: 'scope-3', identity: { actor_id: 'a', scope_ids: ['scope-3'] } },
  });
  await settle();
  assert.equal(back.rows.length, 19);
  assert.ok(world.store.calls.includes('readRows'), 'what was let go is read');
});

test('[LD-6] a reader that took something begins its ten seconds anew', async () => {
  const world = liveWorld();
  const reader = new Reader();
  reader.room = 0;
  follow(world.hub, reader);
  await settle();
  for (let i = 0; i < 3; i += 1) {
    world.hub.tell(SCOPE, commit(world, ['tasks', 'tasks']));
    world.hub.sweep();
    world.clock.pass(LIVE_LIMITS.slow_reader_ms - 1);
    world.hub.sweep();
    reader.take(1);
  }
  assert.equal(reader.end, undefined);
  assert.equal(reader.rows.length, 3);
});

test('[LD-9] a read that fails for another reason ends the subscription with its cause', async () => {
  const world = liveWorld({ seed_rows: 1 });
  for (let i = 0; i < 3; i += 1) commit(world, ['tasks']);
  const opener = new Reader();
  follow(world.hub, opener);
  await settle();
  const cause = new StoreError('failed', 'no such index');
  world.store.before = () => {
    throw cause;
  };
  const reader = new Reader();
  follow(world.hub, reader, { since: hlc(1) });
  await settle();
  assert.deepEqual(reader.end, { kind: 'failed', cause });
  assert.equal(opener.end, undefined);
});

test('[LD-9] a scope that cannot be read for another reason ends its subscribers, and no others', async () => {
  const world = liveWorld();
  for (let i = 0; i < 3; i += 1) commit(world, ['tasks']);
  const cause = new StoreError('failed', 'no such index');
  world.store.before = (call) => {
    if (call === 'readRows') throw cause;
  };
  const [reader, other] = [new Reader(), new Reader()];
  follow(world.hub, other, {
    context: { scope_id: 'other', identity: { actor_id: 'x', scope_ids: ['other'] } },
  });
  follow(world.hub, reader);
  await settle();
  assert.deepEqual([reader.end, other.end], [{ kind: 'failed', cause }, undefined]);
});

test('[LD-5] what was committed before a feed stood does not make it silent', async () => {
  const world = liveWorld();
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  await world.hub.look();
  commit(world, ['tasks']);
  world.hub.feedOpened();
  for (let look = 0; look < 3; look += 1) {
    assert.equal(await world.hub.look(), false);
    await settle();
  }
  assert.equal(reader.rows.length, 1);
  commit(world, ['tasks']);
  assert.equal(await world.hub.look(), false);
  assert.equal(await world.hub.look(), true, 'this one it should have told');
});

test('[LD-4] rows that go on and go back in time end with the answer of a pull', async () => {
  const world = liveWorld();
  for (let i = 0; i < 3; i += 1) commit(world, ['tasks']);
  const reader = new Reader();
  follow(world.hub, reader);
  await settle();
  commit(world, ['tasks']);
  world.store.rows = world.store.rows.map((row) =>
    row.seq === 4 ? { ...row, version: hlc(2, 5) } : row,
  );
  world.store.calls.length = 0;
  world.store.before = () => {
    if (world.store.calls.length > 100) throw new StoreError('failed', 'without end');
  };
  await world.hub.look();
  await settle();
  await settle();
  assert.equal(reader.end?.kind, 'resync');
});

test('[LD-10] a sink that fails at its end keeps nobody else from ending', async () => {
  const world = liveWorld();
  const bad = new Reader();
  bad.ended = () => {
    throw new Error('gone already');
  };
  const good = new Reader();
  for (const reader of [bad, good]) follow(world.hub, reader);
  await settle();
  await world.hub.drain();
  assert.equal(good.end?.kind, 'draining');
});
