/** The seam of live mode: whatever happens to the stream, the client shows the server at its `since`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { connect, view } from './support/clients.ts';
import { LiveServer } from './support/live-server.ts';
import { goLive, type LiveWorld } from './support/live-world.ts';
import { settled } from './support/manual-clock.ts';

const RUNS = 150;
const COLLECTIONS = ['tasks', 'notes', 'other'];

type Step = (world: LiveWorld, number: number) => Promise<void> | void;

const STEPS: Readonly<Record<string, Step>> = {
  write: ({ server }, n) => void server.write(collection(n), `d${n % 5}`, { n }),
  remove: ({ server }, n) => void server.write(collection(n), `d${n % 5}`, null),
  bundle: ({ server }, n) =>
    server.writeBundle([0, 1, 2, 3].map((i) => [collection(n + i), `d${(n + i) % 5}`, { n, i }])),
  deliver: ({ server }, n) => open(server, (stream) => stream.deliver(n % 4)),
  repeat: ({ server }, n) =>
    open(server, (stream) => {
      const row = server.rows[n % (server.rows.length || 1)];
      const told = row !== undefined && row.version <= stream.position;
      if (told && stream.opened.collections.includes(row.collection)) stream.sendRow(row);
    }),
  ping: ({ server }) => open(server, (stream) => stream.ping()),
  pull: ({ client }) => client.pull(),
  drop: ({ server }, n) =>
    open(server, (stream) => stream.end([1006, 1012, 1013, 4410][n % 4] ?? 0)),
  prune: ({ server }, n) => server.prune(n % 3),
  epoch: ({ server }, n) => {
    if (n % 4 > 0) return;
    server.epoch = `epoch-${n}`;
    open(server, (stream) => stream.end(1012));
  },
  pass: ({ clock }, n) => clock.pass(n * 40),
};

function collection(n: number): string {
  return COLLECTIONS[n % COLLECTIONS.length] ?? '';
}

function open(server: LiveServer, work: (stream: LiveServer['stream']) => void): void {
  for (const stream of server.streams) if (!stream.closed) work(stream);
}

/** What a client at this place has to show, and that the place is no part of a bundle. */
function expected({ server }: LiveWorld, since: string, name: string): Record<string, unknown> {
  const documents: Record<string, unknown> = {};
  for (const { version, collection: of, doc_id, data } of server.rows) {
    if (version > since || of !== name) continue;
    if (data === null) delete documents[doc_id];
    else documents[doc_id] = data;
  }
  return documents;
}

function check(world: LiveWorld): void {
  const { client, server } = world;
  const since = client.place.since ?? '';
  const { bundle } = server.rows.find(({ version }) => version === since) ?? {};
  const rest = server.rows.filter((row) => row.bundle === bundle && row.version > since);
  assert.ok(!rest.some((row) => row.collection !== 'other'), 'a part of a bundle was taken');
  for (const name of ['tasks', 'notes']) {
    assert.deepEqual(view(client, name), expected(world, since, name));
  }
}

for (const transport of ['websocket', 'events'] as const) {
  test(`[RC-19] [RC-20] [RC-21] ${transport}: through drops, repeats, pulls, pruned and new histories the client is exact at its place, and at the head in the end`, async () => {
    const step = fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(99));
    const story = fc.array(step, { minLength: 5, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(story, async (steps) => {
        const server = new LiveServer();
        let faults: unknown;
        const watched: { world?: LiveWorld } = {};
        const onChange = (): void => {
          try {
            if (watched.world) check(watched.world);
          } catch (error) {
            faults ??= error;
          }
        };
        const world = await goLive({ server, transports: [transport], onChange });
        watched.world = world;
        for (const [name, n] of steps) {
          server.held = n % 2 === 0;
          await STEPS[name]?.(world, n);
          if (n % 3 > 0) await settled();
        }
        server.held = false;
        await world.clock.pass(600_000);
        server.committed();
        open(server, (stream) => stream.ping());
        await settled();
        world.live.stop();
        if (faults) throw faults;
        assert.equal(world.client.place.since, server.head);
        check(world);
      }),
      { numRuns: RUNS },
    );
  });
}

test('[RC-19] a row below the place is not taken again: what left the scope and came back stays', async () => {
  const server = new LiveServer();
  server.write('tasks', 'a', { n: 1 });
  const client = connect(server);
  await client.sync();
  const { epoch, since } = client.place;
  if (since === null) throw new Error('no base copy');
  const left = { version: `${since}-x`, collection: 'tasks', doc_id: 'a', operation: 'remove' };
  const back = { ...left, version: `${since}-y`, operation: 'upsert', data: { n: 2 } };
  const changes = [{ ...left, data: null }, back];
  await client.applyLive({ epoch, after: since, changes, last_seq: back.version });
  const next = { ...back, version: `${since}-z`, doc_id: 'b' };
  const again = [{ ...left, data: null }, next];
  await client.applyLive({ epoch, after: since, changes: again, last_seq: next.version });
  assert.deepEqual(view(client), { a: { n: 2 }, b: { n: 2 } });
});
