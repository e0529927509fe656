/** GET /sync/events over live delivery that the test plays, read through `fetch` of the application. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/core/ports/store.ts';
import { EVENT_BUFFER_BYTES } from '../../src/http/http-limits.ts';
import { readEvents } from './support/event-reader.ts';
import { eventsWorld, HINT, seen, STALE, TOKEN } from './support/events-world.ts';
import { fakeApp } from './support/fake-app.ts';
import { frameOf, versionOf } from './support/fake-live.ts';

test('[SE-1] a stream begins with a time to wait and `connected`, uncompressed and uncached', async () => {
  const { open } = eventsWorld();
  const { response, body, sub } = await open('?client_id=phone', { 'accept-encoding': 'gzip' });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(response.headers.get('cache-control'), 'no-store, no-transform');
  assert.equal(response.headers.get('x-accel-buffering'), 'no');
  assert.equal(response.headers.get('content-encoding'), null);
  await body.next();
  assert.deepEqual(readEvents(body.text), [{ retry: 1_000 }], 'before the place is known');
  sub.sink.subscribed(versionOf(3), versionOf(7));
  sub.sink.ended({ kind: 'draining' });
  assert.deepEqual(seen(response, await body.rest()).slice(1, -1), [
    {
      event: 'connected',
      id: versionOf(3),
      data: { client_id: 'phone', head_version: versionOf(7) },
    },
  ]);
});

describe('[SE-2] what is sent', () => {
  test('[SE-2] hints without data, whose id is where the hinted bundle ends', async () => {
    const { open } = eventsWorld();
    const { response, body, sub } = await open();
    assert.equal(sub.request.mode, 'hints');
    sub.sink.hint(HINT);
    sub.sink.ended({ kind: 'draining' });
    assert.deepEqual(seen(response, await body.rest())[1], {
      event: 'bundle',
      id: versionOf(1),
      data: HINT,
    });
  });
  test('[SE-2] rows with data=1, as a pull gives them', async () => {
    const { open } = eventsWorld();
    const { response, body, sub } = await open('?data=1&collections=tasks');
    assert.deepEqual([sub.request.mode, sub.request.collections], ['rows', ['tasks']]);
    sub.sink.change(frameOf(1));
    sub.sink.change(frameOf(2));
    sub.sink.caughtUp(versionOf(2));
    sub.sink.ended({ kind: 'draining' });
    const events = seen(response, await body.rest());
    assert.deepEqual(
      events.slice(1, 4).map(({ event, id, data }) => [event, id, data]),
      [
        ['change', versionOf(1), JSON.parse(frameOf(1).json)],
        ['change', versionOf(2), JSON.parse(frameOf(2).json)],
        ['caught_up', versionOf(2), { last_seq: versionOf(2) }],
      ],
    );
  });
  test('[SE-2] a frame is encoded once for all streams', async () => {
    const { open } = eventsWorld();
    const [one, other] = [await open('?data=1'), await open('?data=1')];
    const frame = frameOf(1);
    one.sub.sink.change(frame);
    const again = frame.encoded('events', () => assert.fail('encoded twice'));
    other.sub.sink.change(frame);
    assert.match(await other.body.until(/change/), /event: change/);
    assert.ok(again.length > 0);
  });
});

describe('[SE-5] how a stream ends', () => {
  test('[SE-5] with `full_resync_required` when the history does not reach back', async () => {
    const { open, clock } = eventsWorld();
    const { response, body, sub } = await open();
    sub.sink.ended({ kind: 'resync', stale: STALE });
    assert.deepEqual(seen(response, await body.rest())[1], {
      event: 'full_resync_required',
      data: STALE,
    });
    assert.equal(clock.sleepers, 0, 'nothing is left behind');
  });
  test('[SE-5] with `error` and a code of the catalogue when it fails, without a text of the cause', async () => {
    const causes = [
      [new StoreError('unavailable', 'mongodb://root:pw@db is down'), 'database_unavailable'],
      [new TypeError('secret'), 'internal'],
    ] as const;
    for (const [cause, code] of causes) {
      const { open } = eventsWorld();
      const { response, body, sub } = await open();
      sub.sink.ended({ kind: 'failed', cause });
      const text = await body.rest();
      const [, last] = seen(response, text);
      assert.deepEqual([last?.event, last?.data?.['code']], ['error', code]);
      assert.doesNotMatch(text, /root:pw|secret/);
    }
  });
  test('[SE-5] with another time to wait when the server stops', async () => {
    const { open } = eventsWorld();
    const { response, body, sub } = await open();
    sub.sink.ended({ kind: 'draining' });
    assert.deepEqual(seen(response, await body.rest()), [{ retry: 1_000 }, { retry: 1_000 }]);
  });
  test('[SE-5] times to wait are spread from 1 to 5 s', async () => {
    const drawn = ['0000', '8000', 'ffff'];
    const crypto = { ...fakeCrypto(), randomHex: () => drawn.shift() ?? '0000' };
    const { open } = eventsWorld({ crypto });
    const waits = [];
    for (const { body } of [await open(), await open(), await open()]) {
      await body.next();
      waits.push(readEvents(body.text)[0]?.retry);
    }
    assert.deepEqual(waits, [1_000, 3_000, 4_999]);
  });
});

function fakeCrypto() {
  return { randomBase36: () => 'r', randomHex: () => '0000', sha256: () => '', hmac: () => '' };
}

describe('[SE-6] heartbeats', () => {
  for (const [query, beat] of [
    ['', { comment: true }],
    ['?ping=event', { event: 'ping', data: {} }],
  ] as const) {
    test(`[SE-6] every 25 s: ${JSON.stringify(beat)}`, async () => {
      const { open, clock } = eventsWorld();
      const { response, body, sub } = await open(query);
      await body.next();
      const reading = body.rest();
      await clock.pass(24_000);
      assert.equal(readEvents(body.text).length, 1);
      await clock.pass(1_000);
      await clock.pass(25_000);
      sub.sink.ended({ kind: 'draining' });
      await reading;
      assert.deepEqual(seen(response, body.text).slice(1, -1), [beat, beat]);
    });
  }
  test('[SE-6] a reader that takes nothing between two of them is let go', async () => {
    const { open, clock, live } = eventsWorld();
    const { body } = await open();
    await clock.pass(25_000);
    assert.equal(live.open, 1);
    await clock.pass(25_000);
    assert.equal(live.open, 0);
    assert.equal(clock.sleepers, 0, 'the last visit leaves no timer');
    assert.deepEqual(readEvents(await body.rest()), [{ retry: 1_000 }]);
  });
});

describe('[SE-7] slow readers', () => {
  const big = { text: 'x'.repeat(20_000) };
  test('[SE-7] rows are taken while less than 64 KiB wait, and again once they were read', async () => {
    const { open } = eventsWorld();
    const { body, sub } = await open('?data=1');
    await body.next();
    let written = 0;
    while (sub.sink.ready) {
      written += 1;
      sub.sink.change(frameOf(written, big));
      assert.ok(written < 10, 'nothing holds it back');
    }
    assert.ok(sub.sink.buffered_bytes >= EVENT_BUFFER_BYTES);
    assert.ok(sub.sink.buffered_bytes < EVENT_BUFFER_BYTES + 21_000, 'at most one row more');
    const resumed = sub.resumed;
    await body.next();
    assert.equal(sub.sink.ready, true);
    assert.equal(sub.resumed, resumed + 1);
  });
  test('[SE-7] rows of one moment are one block', async () => {
    const { open } = eventsWorld();
    const { body, sub } = await open('?data=1');
    await body.next();
    const start = body.text.length;
    for (let n = 1; n <= 10; n += 1) sub.sink.change(frameOf(n));
    await body.next();
    assert.equal(readEvents(body.text.slice(start)).length, 10);
  });
  test('[SE-7] what a slow one did not take is dropped whole, so that it goes on from its last id', async () => {
    const { open, live } = eventsWorld();
    const { response, body, sub } = await open('?data=1');
    sub.sink.change(frameOf(1));
    await body.until(/change/);
    sub.sink.change(frameOf(2, big));
    sub.sink.ended({ kind: 'slow' });
    assert.equal(sub.sink.buffered_bytes < 100, true);
    const events = seen(response, await body.rest());
    assert.deepEqual(
      events.map(({ id, retry }) => id ?? retry),
      [1_000, versionOf(1), 1_000],
    );
    assert.equal((await open()).response.status, 200);
    assert.equal(live.all.length, 2);
  });
});

describe('[SE-9] a reader that is gone', () => {
  test('[SE-9] a cancelled body ends the subscription at once, and nothing runs on', async () => {
    const { open, clock } = eventsWorld();
    const { body, sub } = await open('?data=1');
    await body.next();
    await body.cancel();
    assert.equal(sub.closed, true);
    assert.equal(sub.sink.ready, false);
    sub.sink.change(frameOf(1));
    sub.sink.ended({ kind: 'draining' });
    assert.equal(sub.sink.buffered_bytes, 0);
    assert.equal(clock.sleepers, 0);
  });
  test('[SE-9] so does an aborted request whose body nobody read', async () => {
    const { ask, live, clock } = eventsWorld();
    const control = new AbortController();
    await ask('/sync/events', {}, control.signal);
    control.abort();
    assert.equal(live.last.closed, true);
    assert.equal(clock.sleepers, 0);
  });
  test('[SE-9] so does one that was gone before it was let in', async () => {
    const { ask, live, clock } = eventsWorld();
    await ask('/sync/events', {}, AbortSignal.abort());
    assert.equal(live.open, 0);
    assert.equal(clock.sleepers, 0);
  });
  test('[SE-9] HEAD opens nothing', async () => {
    const { live } = eventsWorld();
    const { app } = fakeApp({}, { live });
    const response = await app.request('/sync/events', { method: 'HEAD', headers: TOKEN });
    assert.deepEqual([response.status, live.all.length], [200, 0]);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
  });
});

test('[SE-13] whatever a document holds, it is one line of data', async () => {
  const { open } = eventsWorld();
  const { response, body, sub } = await open('?data=1');
  const hostile = {
    lf: 'a\n\ndata: {"forged":true}\n\nevent: change',
    cr: 'a\r\rdata: x',
    crlf: '\r\n\r\nid: junk',
    separators: '\u2028\u2029\u0085',
    nul: '\u0000',
    'key\n\nevent: error': 1,
  };
  sub.sink.change(frameOf(1, hostile));
  sub.sink.ended({ kind: 'draining' });
  const text = await body.rest();
  assert.doesNotMatch(text, /\r/);
  const events = seen(response, text);
  assert.deepEqual(
    events.map(({ event }) => event),
    [undefined, 'change', undefined],
  );
  assert.deepEqual(events[1]?.data?.['data'], hostile);
});
