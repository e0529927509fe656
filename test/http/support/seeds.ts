/** What the store holds before the bad-input catalogue runs. */

import assert from 'node:assert/strict';
import type { Seeds } from '../bad-input/inputs.ts';
import { change, resultsOf } from '../bad-input/inputs.ts';
import { call } from './call.ts';
import { bearer, type World } from './world.ts';

/** Pushes the seeds. On MongoDB also an unmigrated document, a unique index and a validator. */
export async function plantSeeds(world: World): Promise<Seeds> {
  await world.opened.outside?.(async (client, database) => {
    const db = client.db(database);
    await db.collection<{ _id: string }>('tasks').insertOne({ _id: 'unmigrated' });
    await db.collection('notes').createIndex({ email: 1 }, { unique: true, sparse: true });
    const validator = { email: { $not: { $type: 'number' } } };
    await db.command({ collMod: 'notes', validator });
  });
  const t1 = await push(world, 's1', { doc_id: 't1', data: { n: 1 }, mutation_id: 'm1' });
  const t2 = await push(world, 's1', { doc_id: 't2' });
  const gone = await push(world, 's1', { doc_id: 'gone' });
  await push(world, 's1', { doc_id: 'gone', operation: 'delete', parent_version: gone });
  for (const collection of ['strict', 'final']) {
    const created = await push(world, 's1', { collection, doc_id: 'gone' });
    const gone = { collection, doc_id: 'gone', operation: 'delete', parent_version: created };
    await push(world, 's1', gone);
    await push(world, 's1', { collection, doc_id: 'kept', data: { kept: 1 } });
  }
  await push(world, 's1', { collection: 'notes', doc_id: 'n1', data: { email: 'a@example.org' } });
  await push(world, 's2', { doc_id: 'foreign' });
  const pruned = await push(world, 's3', { doc_id: 'p1' });
  await push(world, 's3', { doc_id: 'p2' });
  await push(world, 's3', { doc_id: 'p3' });
  await world.opened.store.prune('s3', 2);
  const emptied = await push(world, 's4', { doc_id: 'e1' });
  await push(world, 's4', { doc_id: 'e2' });
  await world.opened.store.prune('s4', 2);
  return { t1, t2, pruned, emptied, cursor: await firstCursor(world) };
}

async function push(world: World, scopes: string, parts: Record<string, unknown>): Promise<string> {
  const reply = await call(world.port, {
    method: 'POST',
    path: '/sync/push',
    headers: { authorization: bearer({ scopes }), 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: 'c1', changes: [change(parts)] }),
  });
  const [result] = resultsOf(reply);
  assert.equal(result?.status, 'accepted', reply.text);
  return result?.new_version ?? '';
}

async function firstCursor(world: World): Promise<string> {
  const reply = await call(world.port, {
    path: '/sync/full?collections=tasks&limit=1',
    headers: { authorization: bearer() },
  });
  return String(reply.headers['x-sync-cursor']);
}
