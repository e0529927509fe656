/** A process that dies in a transaction does not keep its scope. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UUID } from 'mongodb';
import { COMMIT_SLOTS_MAX } from '../../src/protocol/pure/limits.ts';
import { startOwnMongo } from '../support/mongodb.ts';
import { groupOf, openWatched } from './mongo-world.ts';

const SCOPE = 'scope-1';
const LIMIT_MS = 10_000;

test('[PU-16] a process killed in a transaction blocks its scope for less than 10 s', async () => {
  const { store, db, uri, database, close } = await openWatched();
  const entry = fileURLToPath(new URL('./held-head.entry.js', import.meta.url));
  const child = spawn(process.execPath, [entry, uri, database, SCOPE], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let sessions: unknown[] = [];
  try {
    await once(child.stdout, 'data');
    const nodes = db.collection<{ _id: string; sessions: unknown[] }>('sync_meta');
    const [node, ...others] = await nodes.find({ _id: { $regex: '^node:' } }).toArray();
    assert.deepEqual(others, []);
    sessions = node?.sessions ?? [];
    assert.equal(sessions.length, COMMIT_SLOTS_MAX);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const killed = performance.now();
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }]));
    const blocked = performance.now() - killed;
    assert.ok(blocked < LIMIT_MS, `${blocked} ms`);
    assert.equal((await store.readScope(SCOPE, null)).head?.head_seq, 1);
    assert.equal(await nodes.countDocuments({ _id: { $regex: '^node:' } }), 1);
  } finally {
    child.kill('SIGKILL');
    // A dropped database would wait for the transaction that a failed test left open.
    await db.admin().command({ killSessions: sessions });
    await close();
  }
});

test('[PU-16] a process that lives keeps its transaction, however long others wait', async () => {
  const one = await openWatched({ mode: 'serve' });
  const two = await one.another();
  try {
    let attempts = 0;
    const { outcome } = await one.store.commitGroup(SCOPE, {
      ...groupOf(SCOPE, []),
      decide: async (snapshot, refused) => {
        attempts += 1;
        const waiting = two.store.commitGroup(SCOPE, {
          ...groupOf(SCOPE, [{ doc_id: 'b', data: {} }]),
          budget_ms: 7_500,
        });
        await assert.rejects(waiting, { kind: 'deadline' });
        return groupOf(SCOPE, [{ doc_id: 'a', data: {} }]).decide(snapshot, refused);
      },
    });
    assert.deepEqual([attempts, outcome.plan.rows.length], [1, 1]);
  } finally {
    await one.close();
  }
});

test('[PU-16] a database that ends no sessions of others is served all the same', async () => {
  const server = await startOwnMongo({ testCommands: true });
  try {
    const { db, another, close } = await openWatched({ server });
    const dead = { _id: 'node:dead', sessions: [{ id: new UUID() }], at: new Date(0) };
    await db.collection<typeof dead>('sync_meta').insertOne(dead);
    const data = { failCommands: ['killSessions'], errorCode: 13 };
    const mode = 'alwaysOn';
    await db.admin().command({ configureFailPoint: 'failCommand', mode, data });
    const { store, takeFailed } = await another({ mode: 'serve' });
    await store.commitGroup(SCOPE, groupOf(SCOPE, [{ doc_id: 'a', data: {} }]));
    assert.deepEqual(takeFailed(), [{ name: 'killSessions', code: 13 }]);
    await close();
  } finally {
    await server.stop();
  }
});
