/** What applications do to documents that carry the engine's fields: each case converges, and none stops capture. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Document } from 'mongodb';
import type { Catalogue } from '../../src/core/collections.ts';
import { catalogue, policy } from '../support/engine/records.ts';
import { type CaptureWorld, captureWorld, followed, id, until } from './capture-world.ts';

/** No field names the scope: only the engine's own field, or a trace, does. */
const SCOPELESS = catalogue(policy('tasks', { capture: true }));
const MIB = 1_048_576;

async function started(t: TestContext, policies?: Catalogue): Promise<CaptureWorld> {
  const world = await captureWorld(t, policies);
  world.capture();
  await follows(world, 1);
  return world;
}

function follows({ events }: CaptureWorld, times: number): Promise<void> {
  return until(
    'started',
    async () => followed(events, times),
    async () => events,
  );
}

function push(
  { engine }: CaptureWorld,
  changes: readonly Document[],
): Promise<Awaited<ReturnType<CaptureWorld['engine']['push']>>> {
  return engine.push(
    { identity: { actor_id: 'ann', scope_ids: ['a'] }, scope_id: 'a', request_id: 'r' },
    {
      client_id: 'c1',
      changes: changes.map((one) => ({ collection: 'tasks', operation: 'upsert', ...one })),
    } as Parameters<CaptureWorld['engine']['push']>[1],
  );
}

/** The rows so far, once everything that was written before is looked at. */
async function logged(world: CaptureWorld): Promise<string[]> {
  const last = `last-${Math.random()}`;
  await world.tasks.insertOne({ ...id(last), team: 'a', _sync_scope_id: 'a' });
  const rows = world.rows;
  await until(
    'the last row',
    async () => (await rows()).some((row) => row['doc_id'] === last),
    rows,
  );
  return (await rows()).flatMap((row) =>
    String(row['doc_id']).startsWith('last-')
      ? []
      : `${row['scope_id']} ${row['doc_id']} ${row['operation']}`,
  );
}

async function stored({ tasks }: CaptureWorld, name: string): Promise<Document> {
  const found = await tasks.findOne(id(name));
  assert.ok(found !== null);
  return found;
}

test('[FW-10] mongo: a copy that carries the fields of its original is a document of its own', async (t) => {
  const world = await started(t);
  await push(world, [{ doc_id: 't1', data: { team: 'a', n: 1 } }]);
  await world.tasks.insertOne({ ...(await stored(world, 't1')), ...id('copy') });
  assert.deepEqual(await logged(world), ['a t1 upsert', 'a copy upsert']);
  assert.notEqual(
    (await stored(world, 'copy'))['_sync_version'],
    (await stored(world, 't1'))['_sync_version'],
  );
});

test('[FW-10] mongo: an older state that is put back with its fields is logged again', async (t) => {
  const world = await started(t);
  const [first] = (await push(world, [{ doc_id: 't1', data: { team: 'a', n: 1 } }])).body.results;
  const old = await stored(world, 't1');
  const parent_version = first?.new_version;
  await push(world, [{ doc_id: 't1', parent_version, data: { team: 'a', n: 2 } }]);
  await world.tasks.replaceOne(id('t1'), old);
  assert.deepEqual(await logged(world), ['a t1 upsert', 'a t1 upsert', 'a t1 upsert']);
  const row = (await world.rows()).findLast((one) => one['doc_id'] === 't1');
  assert.deepEqual(row?.['data'], { team: 'a', n: 1 });
});

test('[FW-10] mongo: a document that was deleted and brought back as it was is logged again', async (t) => {
  const world = await started(t);
  await push(world, [{ doc_id: 't1', data: { team: 'a' } }]);
  const old = await stored(world, 't1');
  await world.tasks.deleteOne(id('t1'));
  assert.deepEqual(await logged(world), ['a t1 upsert', 'a t1 delete']);
  await world.tasks.insertOne(old);
  assert.deepEqual(await logged(world), ['a t1 upsert', 'a t1 delete', 'a t1 upsert']);
});

test('[FW-1] mongo: content that went and came back between two looks leaves nothing', async (t) => {
  const world = await captureWorld(t);
  const stop = world.capture();
  await follows(world, 1);
  await push(world, [{ doc_id: 't1', data: { team: 'a', n: 1 } }]);
  assert.deepEqual(await logged(world), ['a t1 upsert']);
  await stop();
  await world.tasks.updateOne(id('t1'), { $set: { n: 2 } });
  await world.tasks.updateOne(id('t1'), { $set: { n: 1 } });
  world.capture();
  assert.deepEqual(await logged(world), ['a t1 upsert']);
  await world.tasks.updateOne(id('t1'), { $set: { n: 2 } });
  assert.equal((await logged(world)).length, 2);
  await world.tasks.updateOne(id('t1'), { $set: { n: 1 } });
  assert.equal((await logged(world)).length, 3);
});

test('[FW-11] mongo: a replace that takes the scope away leaves the document in its scope', async (t) => {
  const world = await started(t, SCOPELESS);
  await push(world, [{ doc_id: 't1', data: { n: 1 } }]);
  await world.tasks.replaceOne(id('t1'), { n: 2 });
  assert.deepEqual(await logged(world), ['a t1 upsert', 'a t1 upsert']);
  assert.equal((await stored(world, 't1'))['_sync_scope_id'], 'a');
  await world.tasks.updateOne(id('t1'), { $unset: { _sync_scope_id: '' } });
  await logged(world);
  assert.equal((await stored(world, 't1'))['_sync_scope_id'], 'a', 'stamped again');
});

test('[FW-4] mongo: deleted in one team and inserted in another between two looks, both hear of it', async (t) => {
  const world = await captureWorld(t);
  const stop = world.capture();
  await follows(world, 1);
  await push(
    world,
    Array.from({ length: 20 }, (_, n) => ({ doc_id: `t${n}`, data: { team: 'a' } })),
  );
  await logged(world);
  await stop();
  for (let n = 0; n < 20; n += 1) {
    await world.tasks.deleteOne(id(`t${n}`));
    await world.tasks.insertOne({ ...id(`t${n}`), team: 'b' });
  }
  world.capture();
  world.capture(await world.another());
  const rows = await (async () => {
    await logged(world);
    await until(
      'b',
      async () => (await world.rows()).filter((row) => row['scope_id'] === 'b').length === 20,
      world.rows,
    );
    return world.rows();
  })();
  assert.equal(rows.filter((row) => row['operation'] === 'remove').length, 20);
});

test('[FW-14] mongo: what another team owns now is not logged in the team that it left', async (t) => {
  const world = await captureWorld(t);
  const [first] = (await push(world, [{ doc_id: 't1', data: { team: 'a', n: 1 } }])).body.results;
  await world.tasks.updateOne(id('t1'), { $set: { team: 'b', secret: 1 } });
  const parent_version = first?.new_version;
  const late = await push(world, [{ doc_id: 't1', parent_version, data: { team: 'a', n: 2 } }]);
  assert.equal(late.body.results[0]?.code, 'id_unavailable');
  world.capture();
  await follows(world, 1);
  await logged(world);
  const rows = (await world.rows()).filter((row) => row['doc_id'] === 't1');
  assert.deepEqual(
    rows.map((row) => [row['scope_id'], row['operation'], row['data']?.secret]),
    [
      ['a', 'upsert', undefined],
      ['a', 'remove', undefined],
      ['b', 'upsert', 1],
    ],
  );
});

test('[FW-4] mongo: moved to another team and pushed to there before anybody looked, the old one hears of it', async (t) => {
  const world = await captureWorld(t);
  const stop = world.capture();
  await follows(world, 1);
  await world.tasks.insertOne({ ...id('t1'), team: 'b' });
  await until('b', async () => (await world.rows()).length === 1, world.rows);
  await stop();
  await world.tasks.replaceOne(id('t1'), { team: 'a', n: 1 });
  await push(world, [{ doc_id: 't1', data: { team: 'a', n: 2 } }]);
  world.capture();
  const rows = () => logged(world);
  await until('a remove row', async () => (await rows()).includes('b t1 remove'), rows);
  await push(world, [
    {
      doc_id: 't1',
      operation: 'delete',
      data: null,
      parent_version: (await stored(world, 't1'))['_sync_version'],
    },
  ]);
  const traces = await world.watched.db.collection('sync_traces').find().toArray();
  const own = traces.filter((trace) => trace['doc_id'] === 't1');
  assert.equal(own.length, 2);
  assert.ok(
    own.every((trace) => trace['gone_at'] instanceof Date),
    'both scopes lost it',
  );
});

for (const [what, fields] of Object.entries({
  'a number for a version': { _sync_version: 5 },
  'an object for a hash': { _sync_hash: { x: 1 } },
  'an object for a scope': { _sync_scope_id: { a: 1 } },
  'no scope': { _sync_scope_id: null },
  'text that is no version': { _sync_version: 'abc', n: 7 },
  'a number for an actor': { _sync_actor_id: 5, n: 7 },
  'a mark that is no boolean': { _sync_deleted: 'yes', n: 7 },
})) {
  test(`[FW-7] mongo: ${what} in the engine's field stops nothing`, async (t) => {
    const world = await started(t);
    await push(world, [{ doc_id: 't1', data: { team: 'a', n: 1 } }]);
    await world.tasks.updateOne(id('t1'), { $set: fields });
    assert.deepEqual(await logged(world), ['a t1 upsert', 'a t1 upsert']);
    const found = await stored(world, 't1');
    const row = (await world.rows()).findLast((one) => one['doc_id'] === 't1');
    assert.equal(found['_sync_version'], row?.['_id']);
    assert.match(String(row?.['parent_version']), /^(null|\d{8}T.*)$/);
    const changes = [{ doc_id: 't1', parent_version: found['_sync_version'], data: { n: 9 } }];
    assert.equal((await push(world, changes)).body.results[0]?.status, 'accepted');
  });
}

test('[FW-9] mongo: content that is too large for a row becomes a barrier, and holds up nothing', async (t) => {
  const world = await started(t);
  await world.tasks.insertOne({ ...id('t1'), team: 'a', text: 'x' });
  await logged(world);
  const text = 'x'.repeat(16_000_000);
  await world.tasks.updateOne(id('t1'), { $set: { text } });
  await until(
    'a barrier',
    async () => (await world.rows()).some((row) => row['operation'] === 'reset'),
    world.rows,
  );
  const barrier = (await world.rows()).find((row) => row['operation'] === 'reset');
  assert.equal((await stored(world, 't1'))['_sync_version'], barrier?.['_id']);
  assert.deepEqual([barrier?.['collection'], barrier?.['doc_id']], ['tasks', null]);
  const [refused] = (await push(world, [{ doc_id: 't1', data: { text: 'mine' } }])).body.results;
  assert.deepEqual([refused?.status, refused?.code], ['rejected', 'document_validation']);
  await world.tasks.updateOne(id('t1'), { $set: { text: 'small' } });
  assert.deepEqual((await logged(world)).at(-1), 'a t1 upsert');
});

test('[FW-7] mongo: ids of another type and collections of nobody are passed over', async (t) => {
  const world = await started(t);
  await world.tasks.insertOne({ _id: 7 as never, team: 'a' });
  await world.watched.db.collection('unconfigured').insertOne({ team: 'a' });
  await world.tasks.insertOne({ ...id('nobody') });
  assert.deepEqual(await logged(world), []);
  await world.tasks.updateOne(id('nobody'), { $set: { team: 'a' } });
  assert.deepEqual(await logged(world), ['a nobody upsert']);
});

test('[FW-12] mongo: a collection that is renamed into place is compared as a whole', async (t) => {
  const world = await started(t);
  await push(world, [{ doc_id: 'old', data: { team: 'a' } }]);
  const { db } = world.watched;
  await db.collection<Document>('staged').insertMany([
    { ...id('t1'), team: 'a' },
    { ...id('t2'), team: 'a' },
  ]);
  await db.renameCollection('staged', 'tasks', { dropTarget: true });
  await until('the rows', async () => (await world.rows()).length === 4, world.rows);
  assert.deepEqual((await logged(world)).sort(), [
    'a old delete',
    'a old upsert',
    'a t1 upsert',
    'a t2 upsert',
  ]);
});

test('[FW-12] mongo: a dropped collection leaves delete rows, and a restored dump comes back', async (t) => {
  const world = await started(t);
  await push(world, [
    { doc_id: 't1', data: { team: 'a' } },
    { doc_id: 't2', data: { team: 'a' } },
  ]);
  const dump = await world.tasks.find().toArray();
  await world.tasks.drop();
  await until('the rows', async () => (await world.rows()).length === 4, world.rows);
  await world.tasks.insertMany(dump);
  assert.deepEqual((await logged(world)).slice(4).sort(), ['a t1 upsert', 'a t2 upsert']);
});

test('[FW-13] mongo: six hundred writes to one scope are taken over in small groups', async (t) => {
  const world = await started(t);
  const count = 600;
  const many = Array.from({ length: count }, (_, n) => ({ ...id(`t${n}`), team: 'a', n }));
  await world.tasks.insertMany(many);
  const { db } = world.watched;
  const rows = () => db.collection('sync_oplog').countDocuments();
  await until('all rows', async () => (await rows()) === count, rows);
  const [largest] = await db
    .collection('sync_oplog')
    .find()
    .sort({ bundle_rows: -1 })
    .limit(1)
    .toArray();
  assert.ok((largest?.['bundle_rows'] as number) <= 200);
});

test('[FW-13] mongo: large documents are taken over in groups that the database takes', async (t) => {
  const world = await started(t);
  const text = 'x'.repeat(2 * MIB);
  for (let n = 0; n < 12; n += 1) await world.tasks.insertOne({ ...id(`t${n}`), team: 'a', text });
  await logged(world);
  const sizes = (await world.rows()).map((row) => row['bundle_rows'] as number);
  assert.ok(Math.max(...sizes) <= 2, `${sizes}`);
});
