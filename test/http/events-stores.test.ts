/** GET /sync/events over both stores: rows of pushes that happen meanwhile, resumed where it broke. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { change } from './bad-input/inputs.ts';
import { call } from './support/call.ts';
import { BodyReader, readEvents, type SeenEvent } from './support/event-reader.ts';
import { STORE_KINDS } from './support/stores.ts';
import { bearer, PATIENT, startWorld, type World } from './support/world.ts';

const ZERO = '19700101T000000.000Z-0000';

async function push(world: World, scopes: string, ids: readonly string[]): Promise<void> {
  const changes = ids.map((doc_id) => change({ doc_id, data: { canary: scopes } }));
  const reply = await call(world.port, {
    method: 'POST',
    path: '/sync/push',
    headers: { authorization: bearer({ scopes }), 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: 'phone', changes }),
  });
  assert.equal(reply.status, 200, reply.text);
}

async function open(
  world: World,
  query: string,
  { scopes, last }: { readonly scopes: string; readonly last?: string | undefined },
) {
  const headers = {
    authorization: bearer({ scopes, sub: scopes }),
    ...(last === undefined ? {} : { 'last-event-id': last }),
  };
  const response = await fetch(`${world.url}/sync/events?${query}`, { headers });
  assert.equal(response.status, 200);
  return new BodyReader(response);
}

/** The whole events of a text; the last may have arrived in part. */
function eventsIn(text: string): readonly SeenEvent[] {
  return readEvents(text.slice(0, text.lastIndexOf('\n\n') + 2));
}

function rowsIn(text: string): readonly unknown[] {
  return eventsIn(text).flatMap(({ event, data }) =>
    event === 'change' ? [data?.['doc_id']] : [],
  );
}

for (const kind of STORE_KINDS) {
  describe(`[SE-2] events on ${kind.name}`, () => {
    let world: World;
    before(async () => {
      world = await startWorld(kind, {}, PATIENT);
    });
    after(() => world.close());

    test(`[SE-2] ${kind.name}: history, then what is pushed, in the form of a pull`, async () => {
      await push(world, 's1', ['a', 'b']);
      await push(world, 's2', ['elsewhere']);
      const body = await open(world, `since=${ZERO}&data=1`, { scopes: 's1' });
      await body.until(/event: caught_up\n.*\n.*\n\n/);
      await push(world, 's2', ['elsewhere-2']);
      await push(world, 's1', ['c']);
      await body.until(/"doc_id":"c"[^\n]*\n\n/);
      assert.deepEqual(rowsIn(body.text), ['a', 'b', 'c']);
      assert.doesNotMatch(body.text, /"s2"|elsewhere/, 'nothing of another scope');
      const pulled = await call(world.port, {
        path: `/sync/pull?since=${ZERO}`,
        headers: { authorization: bearer({ scopes: 's1' }) },
      });
      const seen = eventsIn(body.text).flatMap(({ event, data }) =>
        event === 'change' ? [data] : [],
      );
      const rows = pulled.json?.['changes'] as object[];
      assert.deepEqual(
        seen,
        rows.map((row) => ({ type: 'change', ...row })),
      );
      await body.cancel();
    });

    test(`[SE-3] ${kind.name}: a stream that broke goes on after its last id, once each`, async () => {
      await push(world, 's3', ['x1', 'x2', 'x3']);
      const first = await open(world, `since=${ZERO}&data=1`, { scopes: 's3' });
      await first.until(/"doc_id":"x2"[^\n]*\n\n/);
      const [, second] = eventsIn(first.text).filter(({ event }) => event === 'change');
      await first.cancel();
      await push(world, 's3', ['x4']);
      const again = await open(world, `since=${ZERO}&data=1`, { scopes: 's3', last: second?.id });
      await again.until(/"doc_id":"x4"[^\n]*\n\n/);
      assert.deepEqual(rowsIn(again.text), ['x3', 'x4']);
      await again.cancel();
    });

    test(`[SE-1] ${kind.name}: the id of \`connected\` loses nothing, though no row came`, async () => {
      await push(world, 's5', ['y1']);
      const first = await open(world, 'data=1', { scopes: 's5' });
      await first.until(/event: connected\n.*\n.*\n\n/);
      const id = eventsIn(first.text).find(({ event }) => event === 'connected')?.id;
      await first.cancel();
      await push(world, 's5', ['y2']);
      const again = await open(world, 'data=1', { scopes: 's5', last: id });
      await again.until(/"doc_id":"y2"[^\n]*\n\n/);
      assert.deepEqual(rowsIn(again.text), ['y2']);
      await again.cancel();
    });

    test(`[SE-2] ${kind.name}: hints name the bundle to pull up to`, async () => {
      const body = await open(world, '', { scopes: 's4' });
      await body.until(/event: connected\n.*\n.*\n\n/);
      await push(world, 's4', ['h1', 'h2']);
      await body.until(/event: bundle\n.*\n.*\n\n/);
      const { data, id } = eventsIn(body.text).find(({ event }) => event === 'bundle') ?? {};
      assert.deepEqual(
        [data?.['bundle_seq'], data?.['row_count'], data?.['client_id'], data?.['last_version']],
        [1, 2, 'phone', id],
      );
      await body.cancel();
    });

    test(`[SE-12] ${kind.name}: a reader is listed while it reads, in its own scope only`, async () => {
      const list = async (scopes: string) => {
        const headers = { authorization: bearer({ scopes }) };
        const { json } = await call(world.port, { path: '/sync/subscribers', headers });
        return json?.['subscribers'] as { client_id: string; transport: string; state: string }[];
      };
      const body = await open(world, 'data=1&client_id=tablet', { scopes: 's6' });
      await body.until(/event: connected/);
      const [one, ...others] = await list('s6');
      assert.deepEqual([one?.client_id, one?.transport, others], ['tablet', 'events', []]);
      assert.deepEqual(await list('s7'), []);
      await body.cancel();
      while ((await list('s6')).length > 0);
    });
  });
}
