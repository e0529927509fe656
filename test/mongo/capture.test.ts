/** Capture against a real change stream: hints, several workers, lost history, and no stream at all. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Adoption } from '../../src/core/foreign/adoption.ts';
import { captureWorld as world, followed, id, until } from './capture-world.ts';

test('[FW-2] mongo: every kind of foreign write becomes rows, and own pushes are no echo', async (t) => {
  const { tasks, rows, events, engine, capture } = await world(t);
  await tasks.insertOne({ ...id('before'), team: 'a' });
  capture();
  await until(
    'started',
    async () => followed(events),
    async () => events,
  );
  await tasks.insertOne({ ...id('t1'), team: 'a', n: 1 });
  await until('insert', async () => (await rows()).length === 2, rows);
  await tasks.updateOne(id('t1'), { $set: { n: 2 } });
  await until('update', async () => (await rows()).length === 3, rows);
  await tasks.replaceOne(id('t1'), { team: 'a', n: 3 });
  await until('replace', async () => (await rows()).length === 4, rows);
  await engine.push(
    {
      identity: { actor_id: 'ann', scope_ids: ['a'] },
      scope_id: 'a',
      request_id: 'r1',
    },
    {
      client_id: 'c1',
      changes: [
        { collection: 'tasks', doc_id: 't2', operation: 'upsert', data: { n: 1 } },
        {
          ...{ collection: 'tasks', doc_id: 'before', operation: 'delete' },
          parent_version: (await rows())[0]?.['_id'],
        },
      ],
    },
  );
  await tasks.deleteOne(id('t1'));
  await until(
    'delete',
    async () =>
      (await rows()).some((row) => row['doc_id'] === 't1' && row['operation'] === 'delete'),
    rows,
  );
  assert.deepEqual(
    (await rows()).map((row) => [row['doc_id'], row['operation'], row['origin']]),
    [
      ['before', 'upsert', 'external'],
      ['t1', 'upsert', 'external'],
      ['t1', 'upsert', 'external'],
      ['t1', 'upsert', 'external'],
      ['t2', 'upsert', 'push'],
      ['before', 'delete', 'push'],
      ['t1', 'delete', 'external'],
    ],
  );
  assert.equal((await tasks.findOne(id('t2')))?.['_sync_version'], (await rows())[4]?._id);
});

test('[FW-4] mongo: a document whose team changed leaves one scope and enters the other', async (t) => {
  const { tasks, rows, events, capture } = await world(t);
  capture();
  await until(
    'started',
    async () => followed(events),
    async () => events,
  );
  await tasks.insertOne({ ...id('t1'), team: 'a' });
  await until('insert', async () => (await rows()).length === 1, rows);
  await tasks.updateOne(id('t1'), { $set: { team: 'b' } });
  await until('move', async () => (await rows()).length === 3, rows);
  assert.deepEqual(
    (await rows()).map((row) => [row['scope_id'], row['operation']]),
    [
      ['a', 'upsert'],
      ['a', 'remove'],
      ['b', 'upsert'],
    ],
  );
  assert.equal((await tasks.findOne(id('t1')))?.['_sync_scope_id'], 'b');
});

test('[FW-8] mongo: two workers leave one row per content', async (t) => {
  const { tasks, rows, events, capture, another } = await world(t);
  capture();
  capture(await another());
  await until(
    'started',
    async () => followed(events, 2),
    async () => events,
  );
  for (let i = 0; i < 40; i += 1) await tasks.insertOne({ ...id(`t${i}`), team: 'a', i });
  for (let i = 0; i < 40; i += 2) await tasks.deleteOne(id(`t${i}`));
  const deletes = async () => (await rows()).filter((row) => row['operation'] === 'delete');
  const upserts = async () => (await rows()).filter((row) => row['operation'] === 'upsert');
  await until('odd ones', async () => (await upserts()).length >= 20, rows);
  await until(
    'nothing left',
    async () => {
      const current = await tasks.countDocuments({ _sync_hash: { $exists: true } });
      const traces = await rows();
      const alive = new Set(traces.map((row) => row['doc_id']));
      for (const row of await deletes()) alive.delete(row['doc_id']);
      return current === 20 && alive.size === 20;
    },
    rows,
  );
  const seen = (await rows()).map((row) => `${row['doc_id']} ${row['operation']}`);
  assert.equal(new Set(seen).size, seen.length, 'nothing twice');
});

test('[FW-8] mongo: what was written while nobody looked is found from the saved place', async (t) => {
  const { tasks, rows, events, capture } = await world(t);
  const stop = capture();
  await until(
    'started',
    async () => followed(events),
    async () => events,
  );
  await tasks.insertOne({ ...id('t1'), team: 'a' });
  await until('insert', async () => (await rows()).length === 1, rows);
  await stop();
  await tasks.updateOne(id('t1'), { $set: { n: 2 } });
  await tasks.insertOne({ ...id('t2'), team: 'a' });
  await tasks.deleteOne(id('t2'));
  capture();
  await until('update', async () => (await rows()).length === 2, rows);
  assert.deepEqual(
    (await rows()).map((row) => row['doc_id']),
    ['t1', 't1'],
  );
});

test('[FW-8] mongo: lost history is healed by comparing, deletions included', async (t) => {
  const { tasks, rows, events, capture, watched } = await world(t);
  const stop = capture();
  await until(
    'started',
    async () => followed(events),
    async () => events,
  );
  await tasks.insertMany(['t1', 't2', 't3'].map((name) => ({ ...id(name), team: 'a' })));
  await until('inserts', async () => (await rows()).length === 3, rows);
  await stop();
  await tasks.deleteOne(id('t1'));
  await tasks.updateOne(id('t2'), { $set: { n: 2 } });
  // A place that no log knows.
  const token = { _data: '826A0000000000000000' };
  await watched.db
    .collection('sync_meta')
    .updateOne(id('capture'), { $set: { token: JSON.stringify(token) } });
  capture();
  await until(
    'healed',
    async () => (await rows()).length === 5,
    async () => [await rows(), events],
  );
  assert.deepEqual(
    (await rows())
      .slice(3)
      .map((row) => [row['doc_id'], row['operation']])
      .sort(),
    [
      ['t1', 'delete'],
      ['t2', 'upsert'],
    ],
  );
});

test('[FW-6] mongo: capture switched on later gives traces, so that deletions are noticed', async (t) => {
  const { tasks, rows, events, engine, capture, watched } = await world(t);
  await tasks.insertOne({ ...id('t1'), team: 'a' });
  for await (const _ of (engine.adoption as Adoption).migrate('tasks', {
    ...{ batch_size: 10, max_bytes: 1_000_000, restart: false },
    mayGoOn: () => true,
  }));
  await watched.db.collection('sync_traces').deleteMany({});
  capture();
  await until(
    'started',
    async () => followed(events),
    async () => events,
  );
  await tasks.deleteOne(id('t1'));
  await until('delete', async () => (await rows()).at(-1)?.['operation'] === 'delete', rows);
});
