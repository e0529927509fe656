/** What /sync/events and /sync/watch may be asked. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BodyReader, readEvents } from './support/event-reader.ts';
import { eventsWorld, HINT, refusal, seen, STALE, ZERO } from './support/events-world.ts';
import { frameOf, versionOf } from './support/fake-live.ts';

describe('[SE-3] where a stream begins', () => {
  const cases: [string, Record<string, string>, string | null][] = [
    ['', {}, null],
    [`?since=${ZERO}`, {}, ZERO],
    ['', { 'last-event-id': versionOf(5) }, versionOf(5)],
    [`?since=${ZERO}`, { 'last-event-id': versionOf(5) }, versionOf(5)],
  ];
  for (const [query, headers, since] of cases) {
    test(`[SE-3] ${query || 'no since'}, ${JSON.stringify(headers)}: ${since}`, async () => {
      const { open } = eventsWorld();
      assert.equal((await open(query, headers)).sub.request.since, since);
    });
  }
  const junk: [string, Record<string, string>, string][] = [
    ['?since=junk', {}, '?since'],
    ['?since=', {}, '?since'],
    ['', { 'last-event-id': 'junk' }, 'Last-Event-ID'],
    ['', { 'last-event-id': '' }, 'Last-Event-ID'],
    [`?since=${ZERO}`, { 'last-event-id': 'junk' }, 'Last-Event-ID'],
    ['?since=junk', { 'last-event-id': ZERO }, '?since'],
  ];
  for (const [query, headers, path] of junk) {
    test(`[SE-3] ${query}, ${JSON.stringify(headers)} is 422`, async () => {
      const { ask, live } = eventsWorld();
      const answer = await refusal(await ask(`/sync/events${query}`, headers));
      assert.deepEqual(answer, [422, 'hlc_invalid', path, 'invalid_since']);
      assert.equal(live.all.length, 0);
    });
  }
});

describe('[SE-4] the query', () => {
  const wrong: [string, string, string][] = [
    ['?types=nonsense', '?types', 'invalid_types'],
    ['?types=', '?types', 'invalid_types'],
    ['?types=bundle,Change', '?types', 'invalid_types'],
    ['?types=change', '?types', 'invalid_types'],
    ['?types=bundle&data=1', '?types', 'invalid_types'],
    ['?data=2', '?data', 'invalid_data'],
    ['?data=', '?data', 'invalid_data'],
    ['?ping=1', '?ping', 'invalid_ping'],
    ['?client_id=', '?client_id', 'invalid_client_id'],
    [`?client_id=${'x'.repeat(129)}`, '?client_id', 'invalid_client_id'],
    ['?collections=', '?collections', 'invalid_collections'],
    ['?after=1', '?after', 'unknown_parameter'],
    ['?data=1&data=1', '?data', 'duplicate_parameter'],
  ];
  for (const [query, path, code] of wrong) {
    test(`[SE-4] ${query.slice(0, 40)} is 422 ${code}`, async () => {
      const answer = await refusal(await eventsWorld().ask(`/sync/events${query}`));
      assert.deepEqual(answer, [422, 'validation_failed', path, code]);
    });
  }
  test('[SE-4] `types` leaves out the others, but never the first and the last event', async () => {
    const { open } = eventsWorld();
    const { response, body, sub } = await open('?data=1&types=caught_up,syncProgress,conflict');
    sub.sink.subscribed(ZERO, versionOf(1));
    sub.sink.change(frameOf(1));
    sub.sink.caughtUp(versionOf(1));
    sub.sink.ended({ kind: 'resync', stale: STALE });
    const names = seen(response, await body.rest()).map(({ event }) => event);
    assert.deepEqual(names, [undefined, 'connected', 'caught_up', 'full_resync_required']);
  });
  test('[SE-4] names that a server with an upstream sends are taken, and nothing is made up', async () => {
    const { open } = eventsWorld();
    const names = 'syncProgress,syncMessage,syncComplete,syncError,conflict';
    const { response, body, sub } = await open(`?types=${names}`);
    sub.sink.hint(HINT);
    sub.sink.ended({ kind: 'draining' });
    assert.ok(seen(response, await body.rest()).every(({ event }) => event === undefined));
  });
  test('[SE-4] an Accept without text/event-stream is 406', async () => {
    const { ask, live } = eventsWorld();
    const headers = { accept: 'application/json' };
    assert.equal((await ask('/sync/events', headers)).status, 406);
    assert.equal((await ask('/sync/events', { accept: 'text/*' })).status, 200);
    assert.equal(live.all.length, 1);
  });
  test('[SE-4] a forbidden collection is 403 and takes no place', async () => {
    const { ask } = eventsWorld();
    for (let n = 0; n < 6; n += 1) {
      const answer = await refusal(await ask('/sync/events?collections=hidden'));
      assert.deepEqual(answer, [403, 'collection_forbidden', undefined, undefined]);
    }
    assert.equal((await ask('/sync/events')).status, 200);
  });
});

describe('[SE-11] /sync/watch', () => {
  test('[SE-11] is hints alone, after `connected`', async () => {
    const { ask, live } = eventsWorld();
    const response = await ask(`/sync/watch?since=${ZERO}`);
    const body = new BodyReader(response);
    const { request, sink } = live.last;
    assert.deepEqual([request.mode, request.since], ['hints', ZERO]);
    sink.subscribed(ZERO, versionOf(1));
    sink.hint(HINT);
    sink.caughtUp(versionOf(1));
    sink.ended({ kind: 'draining' });
    const names = readEvents(await body.rest()).flatMap(({ event }) => event ?? []);
    assert.deepEqual(names, ['connected', 'bundle']);
  });
  test('[SE-11] does not know `types` and `data`', async () => {
    const { ask } = eventsWorld();
    for (const query of ['types=bundle', 'data=1']) {
      const [, error, , code] = (await refusal(await ask(`/sync/watch?${query}`))) as string[];
      assert.deepEqual([error, code], ['validation_failed', 'unknown_parameter']);
    }
  });
});
